//! The picture of an alert, for channels that take one: its bytes, or a link that opens it for a
//! while. Never inside a push, never a picture that the words do not name, and never one of what
//! was withdrawn or is over.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chassis::{Host, links::photo_url, sheets::Ready};
use domain::{
    follow_up,
    ids::{AlertId, Millis},
    values::News,
};
use photos::{PhotoId, Photos, Size};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};

use crate::channels::{Photo, PhotoRule};

/// A link that a provider fetches is open for so long at most.
const LINK_MS_MAX: i64 = 24 * 60 * 60 * 1_000;
/// The words wait so long for a picture.
const READ_MS_MAX: u64 = 2_000;
/// After a failure all targets of an alert go without, for so long.
const FAILED_MS: u64 = 30_000;
/// Alerts that are remembered; past that all are forgotten.
const ALERTS_MAX: usize = 1_024;

/// Finds pictures.
pub(crate) struct Pictures {
    host: Host,
    photos: Option<Photos>,
    public_url: String,
    shelf: Shelf,
}

impl Pictures {
    pub(crate) fn new(host: &Host, photos: Option<Photos>, public_url: &str) -> Self {
        let (host, public_url) = (host.clone(), public_url.to_owned());
        Self { host, photos, public_url, shelf: Shelf::default() }
    }

    /// The first picture of what is told, as this channel takes it. `None` where there is none, or
    /// it cannot be had now: the words do not wait for a picture.
    pub(crate) async fn of(
        &self,
        ready: &Arc<Ready>,
        rule: PhotoRule,
        give_up_at: Millis,
    ) -> Option<Photo> {
        if rule == PhotoRule::None || !shows(ready.news) {
            return None;
        }
        let named = ready.sheet.text.photos.first()?;
        let (photos, id) = (self.photos.as_ref()?, named.id.parse::<PhotoId>().ok()?);
        let (jpeg, url) = match rule {
            PhotoRule::None => return None,
            PhotoRule::ByUpload { bytes_max } => {
                let reading = photos.read(&id, Size::Medium);
                let jpeg = self.shelf.read(ready.sheet.alert, &ready.picture, reading).await?;
                (Some(jpeg).filter(|jpeg| jpeg.len() <= bytes_max)?, String::new())
            }
            PhotoRule::ByUrl => (Bytes::new(), self.link(&id, give_up_at)?),
        };
        Some(Photo { id: named.id.clone(), url, jpeg })
    }

    fn link(&self, id: &PhotoId, give_up_at: Millis) -> Option<String> {
        let until = give_up_at.min(self.host.clock.now().plus_ms(LINK_MS_MAX));
        let directory = self.host.directory.read();
        let key = directory.link_key()?;
        let of = (id.as_str(), Size::Medium.as_str());
        Some(photo_url(key, self.public_url.trim_end_matches('/'), of, until))
    }
}

/// Whoever was found, or should never have been sought, is not shown once more.
fn shows(news: News) -> bool {
    follow_up::keeps_instructions(news)
}

/// What is known of pictures that could not be had.
#[derive(Default)]
struct Shelf(Mutex<Troubles>);

#[derive(Default)]
struct Troubles {
    /// Until when nobody asks again.
    failed: HashMap<AlertId, Instant>,
    /// Whose picture is named, and not stored: said once.
    absent: HashSet<AlertId>,
}

impl Shelf {
    /// Reads once for all targets, within [`READ_MS_MAX`]; a store that hangs stops no alert.
    async fn read<E: Display>(
        &self,
        alert: AlertId,
        kept: &OnceCell<Option<Bytes>>,
        reading: impl Future<Output = Result<Option<Bytes>, E>>,
    ) -> Option<Bytes> {
        if let Some(known) = kept.get() {
            return known.clone();
        }
        if self.troubles().failed.get(&alert).is_some_and(|until| Instant::now() < *until) {
            return None;
        }
        let read = kept.get_or_try_init(|| reading);
        match timeout(Duration::from_millis(READ_MS_MAX), read).await {
            Ok(Ok(Some(jpeg))) => Some(jpeg.clone()),
            Ok(Ok(None)) => {
                self.is_absent(alert);
                None
            }
            Ok(Err(why)) => {
                self.has_failed(alert, &why);
                None
            }
            Err(_) => {
                self.has_failed(alert, &"timeout");
                None
            }
        }
    }

    fn has_failed(&self, alert: AlertId, why: &dyn Display) {
        let mut troubles = self.troubles();
        if troubles.failed.len() >= ALERTS_MAX {
            troubles.failed.clear();
        }
        let now = Instant::now();
        let until = now + Duration::from_millis(FAILED_MS);
        // Those who waited together say it once.
        if troubles.failed.insert(alert, until).is_none_or(|until| until <= now) {
            tracing::warn!(%alert, %why, "a picture cannot be read: the words go alone");
        }
    }

    fn is_absent(&self, alert: AlertId) {
        let mut troubles = self.troubles();
        if troubles.absent.len() >= ALERTS_MAX {
            troubles.absent.clear();
        }
        if troubles.absent.insert(alert) {
            tracing::warn!(%alert, "a picture is named and not stored: the words go alone");
        }
    }

    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use domain::ids::RecordId;

    use super::*;

    type Read = Result<Option<Bytes>, &'static str>;

    fn alert(name: &str) -> AlertId {
        AlertId::raised_by(RecordId::of_purpose(name))
    }

    fn stored() -> Read {
        Ok(Some(Bytes::from_static(b"jpeg")))
    }

    #[test]
    fn a_face_goes_with_the_search_and_not_with_its_end() {
        let shown: Vec<News> = News::ALL.iter().copied().filter(|news| shows(*news)).collect();
        assert_eq!(shown, [News::Issued, News::Updated, News::Corrected]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_waited_for_once_and_asked_again_later() {
        let (shelf, kept, a) = (Shelf::default(), OnceCell::new(), alert("a"));
        let begun = Instant::now();
        let hanging = || shelf.read(a, &kept, pending::<Read>());
        assert_eq!(futures::join!(hanging(), hanging(), hanging()), (None, None, None));
        assert_eq!(begun.elapsed(), Duration::from_millis(READ_MS_MAX));
        // Nobody else waits at all, and another alert's picture is not held up.
        assert_eq!(shelf.read(a, &kept, ready(stored())).await, None);
        assert!(shelf.read(alert("b"), &OnceCell::new(), ready(stored())).await.is_some());
        assert_eq!(begun.elapsed(), Duration::from_millis(READ_MS_MAX));
        tokio::time::advance(Duration::from_millis(FAILED_MS)).await;
        assert!(shelf.read(a, &kept, ready(stored())).await.is_some());
        // And what was read is kept.
        assert!(shelf.read(a, &kept, pending::<Read>()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_is_left_alone_for_a_while() {
        let (shelf, kept, a) = (Shelf::default(), OnceCell::new(), alert("a"));
        assert_eq!(shelf.read(a, &kept, ready(Read::Err("503"))).await, None);
        assert_eq!(shelf.read(a, &kept, ready(stored())).await, None);
        tokio::time::advance(Duration::from_millis(FAILED_MS)).await;
        assert!(shelf.read(a, &kept, ready(stored())).await.is_some());
    }

    #[tokio::test]
    async fn what_is_not_stored_is_said_once_of_each_alert() {
        let (shelf, a) = (Shelf::default(), alert("a"));
        let read = async {
            // Of each revision anew.
            for kept in [OnceCell::new(), OnceCell::new()] {
                for _ in 0..3 {
                    assert_eq!(shelf.read(a, &kept, ready(Read::Ok(None))).await, None);
                }
            }
        };
        let said = crate::channels::bot::tests::logged(Box::pin(read)).await;
        assert_eq!(said.matches("not stored").count(), 1, "{said}");
        assert_eq!(shelf.troubles().absent.len(), 1);
    }
}
