//! Pictures at intake: how many somebody may send, and whether those that an alert names are
//! there. What they are is the crate `photos`' to say.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use chassis::Problem;
use domain::{
    ids::Millis,
    limits::{Act, RateLimit},
    rights::Asker,
};
use futures::future::join_all;
use photos::{NotTaken, PhotoId, Photos, Taken};
use tokio::{sync::Semaphore, time::timeout};
use wire::v1::PhotoRef;

use crate::{
    Intake,
    refused::bad_request,
    request::{BadRequest, FieldError},
};

/// Pictures a minute, of one officer and of one commune.
const UPLOADS_PER_MINUTE_MAX: u32 = 60;
/// Uploads that are read at once, each up to 10 MiB in memory.
const UPLOADS_AT_ONCE_MAX: usize = 16;
/// An alert does not wait for longer than this for a store that is slow.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// The pictures of this process.
pub(crate) struct Pictures {
    /// Where they lie.
    pub(crate) store: Photos,
    /// Places of uploads that are being read.
    pub(crate) reading: Semaphore,
    limit: Mutex<RateLimit>,
}

impl Pictures {
    pub(crate) fn new(store: Photos) -> Self {
        Self {
            store,
            reading: Semaphore::new(UPLOADS_AT_ONCE_MAX),
            limit: Mutex::new(RateLimit::new(UPLOADS_PER_MINUTE_MAX)),
        }
    }

    fn count(&self, asker: &Asker, now: Millis) -> Result<(), Problem> {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        // A province's desk has no commune, and counts as one.
        let nation = domain::ids::Home::NATION.commune;
        let commune = asker.standing.commune().unwrap_or(nation);
        limit.take(Act::Raise, &asker.officer, commune, now).map_err(|many| {
            let detail = "Quá nhiều ảnh trong một phút; hãy thử lại sau. / \
                          Too many pictures a minute; try again later.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail)
                .with_retry_after(many.retry_after_ms.div_ceil(1_000))
        })
    }
}

impl Intake {
    /// Takes a picture in; it is durable when this returns.
    pub(crate) async fn take_photo(
        &self,
        asker: &Asker,
        pictures: &Pictures,
        uploaded: bytes::Bytes,
    ) -> Result<Taken, Problem> {
        if !self.host.raising_allowed() {
            let detail = "Ổ đĩa sắp đầy: chưa nhận ảnh mới. / \
                          The disk is nearly full: no new pictures.";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail));
        }
        pictures.count(asker, self.host.clock.now())?;
        let taken = pictures.store.take(uploaded).await;
        metrics::counter!("keng_photos_total", "outcome" => outcome(&taken)).increment(1);
        taken.map_err(|why| match why {
            NotTaken::NotAPicture(why) => not_a_picture(why.to_string()),
            NotTaken::NotStored(_) => not_stored(),
        })
    }

    /// Whether the pictures that are named are stored, save those that were named before. An
    /// alert waits for no store: while that cannot be asked, what is named is taken as it is.
    pub(crate) async fn photos_are_stored(
        &self,
        named: &[PhotoRef],
        before: &[PhotoRef],
    ) -> Result<(), Problem> {
        let Some(pictures) = &self.pictures else { return Ok(()) };
        let is_new = |photo: &PhotoRef| !before.iter().any(|before| before.id == photo.id);
        let missing = named.iter().enumerate().filter(|(_, photo)| is_new(photo));
        let missing = missing.map(|(place, photo)| async move {
            let Ok(id) = photo.id.parse::<PhotoId>() else { return Some(place) };
            match pictures.store.has(&id).await {
                Ok(true) | Err(_) => None,
                Ok(false) => Some(place),
            }
        });
        let Ok(missing) = timeout(STORE_PATIENCE, join_all(missing)).await else {
            tracing::warn!("the store of pictures is slow: an alert names pictures unseen");
            return Ok(());
        };
        let faults: Vec<FieldError> = missing
            .into_iter()
            .flatten()
            .map(|place| FieldError {
                field: format!("photos[{place}].id"),
                reason: "chưa được tải lên / is not stored: upload it first".to_owned(),
            })
            .collect();
        match faults.is_empty() {
            true => Ok(()),
            false => Err(bad_request(&BadRequest::InvalidFields(faults))),
        }
    }
}

fn outcome(taken: &Result<Taken, NotTaken>) -> &'static str {
    match taken {
        Ok(_) => "taken",
        Err(NotTaken::NotAPicture(_)) => "refused",
        Err(NotTaken::NotStored(_)) => "not-stored",
    }
}

/// What was sent is no picture that can be taken.
pub(crate) fn not_a_picture(reason: String) -> Problem {
    let fault = FieldError { field: "photo".to_owned(), reason };
    bad_request(&BadRequest::InvalidFields(vec![fault]))
}

/// There is no such picture.
pub(crate) fn no_photo() -> Problem {
    let detail = "Không có ảnh này. / There is no such picture.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

/// The store does not answer.
pub(crate) fn not_stored() -> Problem {
    let detail = "CHƯA GHI ĐƯỢC ảnh, hoặc chưa đọc được; hãy thử lại. / \
                  The picture could NOT be stored, or not be read; try again.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail)
}
