//! The picture of an alert, for channels that take one: its bytes, and a link that opens it for a
//! while. Never inside a push, and never a picture that the words do not name.

use std::sync::Arc;

use chassis::{Host, links::photo_url, sheets::Ready};
use domain::ids::Millis;
use photos::{PhotoId, Photos, Size};

use crate::channels::{Photo, PhotoRule};

/// A link that a provider fetches is open for so long at most.
const LINK_MS_MAX: i64 = 24 * 60 * 60 * 1_000;

/// Finds pictures.
pub(crate) struct Pictures {
    host: Host,
    photos: Option<Photos>,
    public_url: String,
}

impl Pictures {
    pub(crate) fn new(host: &Host, photos: Option<Photos>, public_url: &str) -> Self {
        Self { host: host.clone(), photos, public_url: public_url.to_owned() }
    }

    /// The first picture of what is told, as this channel takes it. `None` where there is none, or
    /// it cannot be had now: the words do not wait for a picture.
    pub(crate) async fn of(
        &self,
        ready: &Arc<Ready>,
        rule: PhotoRule,
        give_up_at: Millis,
    ) -> Option<Photo> {
        if rule == PhotoRule::None {
            return None;
        }
        let named = ready.sheet.text.photos.first()?;
        let (photos, id) = (self.photos.as_ref()?, named.id.parse::<PhotoId>().ok()?);
        let jpeg = match rule {
            PhotoRule::ByUpload { bytes_max } => {
                let read = ready.picture.get_or_try_init(|| photos.read(&id, Size::Medium)).await;
                let read = read.inspect_err(|why| tracing::warn!(%why, "a picture is not here"));
                let jpeg = read.ok()?.clone()?;
                Some(jpeg).filter(|jpeg| jpeg.len() <= bytes_max)?
            }
            PhotoRule::ByUrl | PhotoRule::None => bytes::Bytes::new(),
        };
        let until = give_up_at.min(self.host.clock.now().plus_ms(LINK_MS_MAX));
        let directory = self.host.directory.read();
        let key = directory.link_key()?;
        let of = (id.as_str(), Size::Medium.as_str());
        let url = photo_url(key, self.public_url.trim_end_matches('/'), of, until);
        Some(Photo { id: named.id.clone(), url, jpeg })
    }
}
