//! Pictures that were uploaded: once per account and picture, for all its groups and followers.
//!
//! Zalo forgets an upload after seven days and takes 5,000 a month. In memory only: what is lost at
//! a restart is uploaded once more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::ids::Millis;
use tokio::sync::Mutex as Turn;

/// Zalo's limit (A), taken as the smaller of what "1 MB" may mean.
pub(super) const PHOTO_BYTES_MAX: usize = 1_000_000;
/// An upload is used for so long: less than the seven days that it lives.
const USED_MS: u64 = 6 * 24 * 60 * 60 * 1_000;
/// More pictures than are ever told of at once. Past that all are forgotten, and uploaded again.
const PHOTOS_MAX: usize = 256;

/// What is known of one picture. Whoever holds it uploads; the others wait for what comes of it.
pub(super) type Slot = Arc<Turn<State>>;

/// See [`Slot`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum State {
    /// It is not there.
    #[default]
    Absent,
    /// It is there, by this id, since then.
    There(String, Millis),
    /// Zalo does not want it.
    Refused,
}

/// The pictures of one account.
#[derive(Default)]
pub(super) struct Photos(Mutex<HashMap<String, Slot>>);

impl Photos {
    /// What is known of a picture, by its content id.
    pub(super) fn slot(&self, photo: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= PHOTOS_MAX && !slots.contains_key(photo) {
            slots.clear();
        }
        Arc::clone(slots.entry(photo.to_owned()).or_default())
    }
}

impl State {
    /// What can be sent now: `Some(None)` where it goes without the picture, `None` where it is to
    /// be uploaded first.
    pub(super) fn known(&self, now: Millis) -> Option<Option<String>> {
        match self {
            Self::There(id, at) if now.since_ms(*at) < USED_MS => Some(Some(id.clone())),
            Self::Refused => Some(None),
            Self::There(..) | Self::Absent => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_upload_is_used_for_less_than_a_week_and_few_are_remembered() {
        let (photos, day) = (Photos::default(), 24 * 60 * 60 * 1_000);
        *photos.slot("p").lock().await = State::There("a".to_owned(), Millis(0));
        let known = photos.slot("p").lock().await.known(Millis(5 * day));
        assert_eq!(known, Some(Some("a".to_owned())));
        assert_eq!(photos.slot("p").lock().await.known(Millis(6 * day)), None);
        for number in 0..2 * PHOTOS_MAX {
            photos.slot(&number.to_string());
        }
        assert!(photos.0.lock().unwrap().len() <= PHOTOS_MAX);
    }
}
