//! The channel `poster`: a person posts by hand where no machine may, in an ordinary Zalo group.
//!
//! The person gets a few words and one link over another channel of the same account, and finds
//! the ready text behind it. What is known of it is that the person has it in hand, and later what
//! the person attests: never that it was delivered. Source: `channels.md`, point 4 of the summary.

use std::sync::Arc;

use domain::{
    channel::ChannelType,
    follow_up,
    gate::watermark,
    values::{AlertStatus, News},
};
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::plain::harmless;

use crate::channels::{
    Caps, Channel, Confirms, Health, Intent, NotRendered, Outcome, PhotoRule, Rendered, Repeats,
    Sent, View,
};

/// The channel, over the one by which the poster is reached.
pub struct Poster {
    inner: Arc<dyn Channel>,
    caps: Caps,
}

impl Poster {
    /// The poster's task over this channel; `None` where it carries no words to one person.
    #[must_use]
    pub fn over(inner: &Arc<dyn Channel>) -> Option<Self> {
        inner.note("", "")?;
        let caps = Caps {
            channel_type: ChannelType::Poster,
            confirms: Confirms::Accepted,
            // Whoever gets the same link twice finds there what is posted already, and posts once;
            // whoever never gets it posts nothing.
            repeats: Repeats::Harmless,
            // It is on the page.
            photo: PhotoRule::None,
            ..*inner.caps()
        };
        Some(Self { inner: Arc::clone(inner), caps })
    }
}

impl Channel for Poster {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        let url = view.task_url.ok_or(NotRendered("no-link"))?;
        let subject = format!("{} {}: đăng vào nhóm", short_mark(view), view.told.kind());
        let mut texts = texts(view, url).into_iter();
        texts.find_map(|text| self.inner.note(&text, &subject)).ok_or(NotRendered("via"))
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        async move {
            let Sent { outcome, status } = self.inner.send(message, to, intent).await;
            Sent { outcome: in_hand(outcome), status }
        }
        .boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        self.inner.probe()
    }
}

/// What was taken for the poster is in the poster's hand, and nobody has posted it by that.
fn in_hand(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Delivered => Outcome::HandedOver { provider_id: None },
        Outcome::Accepted { provider_id } | Outcome::Duplicate { provider_id } => {
            Outcome::HandedOver { provider_id }
        }
        other => other,
    }
}

/// What the poster reads, the longest first: an SMS may have room for the last only. Each begins
/// with whether it is real, and ends with the link.
fn texts(view: &View<'_>, url: &str) -> [String; 3] {
    let told = &view.told;
    let (status, kind, from) = (told.sheet.facts.status, told.kind(), told.from);
    let mark = watermark(status).map_or_else(|| LIVE.to_owned(), |mark| format!("[{mark}]"));
    let again = if view.is_reminder { " NHẮC LẠI." } else { "" };
    let news = follow_up::mark(told.news).map(|mark| format!(" [{mark}]")).unwrap_or_default();
    let ask = match told.news {
        News::Issued | News::Updated => "Bấm vào đây để lấy nội dung và đăng vào nhóm:",
        News::Corrected | News::Cancelled | News::Resolved | News::Expired => {
            "Bài cũ trong nhóm phải có bài này tiếp theo. \
             Bấm vào đây để lấy nội dung và đăng vào nhóm:"
        }
    };
    let headline = harmless(&told.sheet.text.headline);
    let (short, what) = (short_mark(view), follow_up::mark(told.news).map_or(kind, |mark| mark.vi));
    [
        format!("{mark}{again}{news} {from}: {kind}. {headline}. {ask} {url}"),
        format!("{mark}{again}{news} {from}: {kind}. {ask} {url}"),
        format!("{short}{again} {what}. Đăng vào nhóm: {url}"),
    ]
}

const LIVE: &str = "[TIN THẬT / LIVE]";

/// Whether it is real, in as few letters as it takes.
fn short_mark(view: &View<'_>) -> String {
    match view.told.sheet.facts.status {
        AlertStatus::Actual => LIVE.to_owned(),
        AlertStatus::Exercise => "[DIỄN TẬP / EXERCISE]".to_owned(),
        AlertStatus::Test => "[THỬ / TEST]".to_owned(),
    }
}

#[cfg(test)]
#[path = "poster_tests.rs"]
mod tests;
