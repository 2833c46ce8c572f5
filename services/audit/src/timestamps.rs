//! Time stamps over checkpoints (RFC 3161): once an hour in which the log has grown, and soon after
//! an alert was closed, an authority says that the checkpoint existed by then.
//!
//! Each lies as `timestamps/<size>.tsr` beside the very bytes that it is over,
//! `timestamps/<size>.checkpoint`. Here is made sure that it is granted, and over these bytes;
//! whether the authority may be believed, `openssl ts -verify` says to whoever has its certificate.

mod der;
mod kept;
mod token;

use std::{fs, sync::Arc, time::Duration};

use chassis::{Host, durable_file};
use domain::ids::Millis;
use merkle::SignedCheckpoint;
use reqwest::{Url, header::CONTENT_TYPE};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use crate::{anchors::Anchors, book::Shared, outside::Outside, tree::Tree};

use kept::{NOTE, STAMP};
use token::Question;

pub(crate) use kept::Stamps;
pub use kept::stamped_at;
pub use token::NoStamp;

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";
const LOOK_EVERY: Duration = Duration::from_secs(10);
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// The least time between two calls: an authority may count them.
const PAUSE_MS: u64 = 60 * 1_000;

/// Starts stamping, where an authority is configured.
pub(crate) fn start(
    host: &Host,
    shared: &Arc<Shared>,
    tree: &Tree,
    stamps: &Stamps,
    anchors: &Anchors,
) {
    let (Some(tsa), Some(outside)) = (&anchors.tsa, &anchors.outside) else { return };
    let stamping = Stamping {
        last: Last { size: stamps.sizes().last().copied().unwrap_or(0), ..Last::default() },
        host: host.clone(),
        shared: Arc::clone(shared),
        tree: tree.clone(),
        stamps: stamps.clone(),
        tsa: tsa.clone(),
        outside: outside.clone(),
    };
    host.drain.spawn("audit-timestamps", stamping.run());
}

/// When what was stamped.
#[derive(Debug, Default)]
struct Last {
    /// The size of the log that was stamped last, 0 before the first.
    size: u64,
    /// When; `None` where this process has stamped nothing yet.
    at: Option<Millis>,
    /// When an authority was called last.
    called: Option<Millis>,
}

impl Last {
    /// Whether a log of this size is to be stamped now; `closed` is the position of the last
    /// record that closed an alert, 0 if none did.
    fn is_due(&self, size: u64, closed: u64, now: Millis) -> bool {
        let may_call = self.called.is_none_or(|called| now.since_ms(called) >= PAUSE_MS);
        let is_late = self.at.is_none_or(|at| now.since_ms(at) >= HOUR_MS);
        let is_closed = (self.size + 1..=size).contains(&closed);
        size > self.size && may_call && (is_late || is_closed)
    }
}

struct Stamping {
    host: Host,
    shared: Arc<Shared>,
    tree: Tree,
    stamps: Stamps,
    tsa: Url,
    outside: Outside,
    last: Last,
}

impl Stamping {
    async fn run(mut self) {
        let stop = self.host.drain.token();
        let mut newest = self.tree.subscribe();
        loop {
            let checkpoint = newest.borrow_and_update().clone();
            let closed = self.shared.book().closed();
            let due = checkpoint.filter(|checkpoint| {
                self.last.is_due(checkpoint.checkpoint().size(), closed, self.host.clock.now())
            });
            if let Some(checkpoint) = due {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.stamp(&checkpoint) => {}
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK_EVERY) => {}
                changed = newest.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn stamp(&mut self, checkpoint: &SignedCheckpoint) {
        let (size, now) = (checkpoint.checkpoint().size(), self.host.clock.now());
        self.last.called = Some(now);
        let outcome = match self.stamped(checkpoint).await {
            Ok(time) => {
                tracing::info!(size, time, "stamped");
                metrics::gauge!("keng_audit_timestamped_size").set(size as f64);
                (self.last.size, self.last.at) = (size, Some(now));
                "stamped"
            }
            Err(why) => {
                tracing::warn!(size, why, "no time stamp");
                "failed"
            }
        };
        metrics::counter!("keng_audit_timestamps_total", "outcome" => outcome).increment(1);
    }

    /// Asks, makes sure of the answer and keeps it. Says the time in it, or in words why there is
    /// none.
    async fn stamped(&self, checkpoint: &SignedCheckpoint) -> Result<String, String> {
        let own = checkpoint.note().signatures().iter();
        let own = own.filter(|line| line.is_by(self.tree.key())).cloned().collect();
        let note = checkpoint.with_signatures(own).to_string();
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).map_err(|why| why.to_string())?;
        let question = Question::new(Sha256::digest(&note).into(), nonce);
        let request = self.outside.client().post(self.tsa.clone());
        let request = request.header(CONTENT_TYPE, QUERY).body(question.request());
        let answer = self.outside.call(request.build()).await?;
        if !answer.status.is_success() || answer.media_type != REPLY {
            return Err(format!("it answers {} with {:?}", answer.status, answer.media_type));
        }
        let time = question.check(&answer.body).map_err(|why| why.to_string())?;
        let (stamps, size) = (self.stamps.clone(), checkpoint.checkpoint().size());
        let kept = tokio::task::spawn_blocking(move || {
            fs::create_dir_all(stamps.path())?;
            durable_file::write(stamps.path(), &format!("{size}.{NOTE}"), note)?;
            durable_file::write(stamps.path(), &format!("{size}.{STAMP}"), &answer.body)
        });
        match kept.await {
            Ok(Ok(())) => Ok(time),
            Ok(Err(why)) => Err(format!("{}: {why}", self.stamps.path().display())),
            Err(_) => Err("it was not kept".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_or_a_closed_alert_makes_it_due_and_calls_keep_their_distance() {
        let at = |s: i64| Millis(s * 1_000);
        let first = Last { size: 10, ..Last::default() };
        assert!(first.is_due(11, 0, at(0)));
        assert!(!first.is_due(10, 10, at(0)), "nothing has come since");
        let last = Last { size: 10, at: Some(at(0)), called: Some(at(0)) };
        for (size, closed, s, due) in [
            (11, 0, 3_599, false),
            (11, 0, 3_600, true),
            (11, 11, 59, false),
            (11, 11, 60, true),
            // Closed before the last stamp, or not signed yet.
            (11, 10, 60, false),
            (11, 12, 60, false),
        ] {
            assert_eq!(last.is_due(size, closed, at(s)), due, "{size} {closed} {s}");
        }
        let failed = Last { called: Some(at(3_600)), ..last };
        assert!(!failed.is_due(11, 11, at(3_610)) && failed.is_due(11, 11, at(3_660)));
    }
}
