//! Pictures at intake: who may see them, and whether those that an alert names are there. What
//! they are is the crate `photos`' to say.

use std::time::Duration;

use axum::http::StatusCode;
use chassis::{Problem, links::photo_url};
use domain::{ids::AlertId, looks::What, rights::Asker};
use futures::future::join_all;
use photos::{NotTaken, PhotoId, Photos, Size, Taken};
use tokio::{sync::mpsc::UnboundedSender, time::timeout};
use wire::v1::{AlertText, PhotoRef};

use crate::{
    Intake,
    erasures::Claim,
    refused::{bad_request, starting},
    request::{BadRequest, FieldError},
    row::Row,
    uploads::{Uploads, busy},
};

/// An alert does not wait for longer than this for a store that is slow.
const STORE_PATIENCE: Duration = Duration::from_secs(2);
/// So long whoever sent a picture sees it by its link, before an alert names it.
const LINK_MS: i64 = 60 * 60 * 1_000;

/// The pictures of this process.
pub(crate) struct Pictures {
    /// Where they lie.
    pub(crate) store: Photos,
    /// Those that are on their way in.
    pub(crate) uploads: Uploads,
    /// Which alerts show which: noted beside them.
    pub(crate) claims: UnboundedSender<Claim>,
}

impl Pictures {
    pub(crate) fn new(store: Photos, claims: UnboundedSender<Claim>) -> Self {
        Self { store, uploads: Uploads::new(), claims }
    }
}

impl Intake {
    /// Takes a picture in; it is durable when this returns.
    pub(crate) async fn take_photo(
        &self,
        pictures: &Pictures,
        uploaded: bytes::Bytes,
    ) -> Result<Taken, Problem> {
        let taken = pictures.store.take(uploaded, self.host.clock.now()).await;
        metrics::counter!("keng_photos_total", "outcome" => outcome(&taken)).increment(1);
        taken.map_err(|why| match why {
            NotTaken::NotAPicture(why) => not_a_picture(why.to_string()),
            NotTaken::NotStored(_) => not_stored(),
            NotTaken::Busy => busy(),
        })
    }

    /// Refuses pictures while the disk is nearly full.
    pub(crate) fn has_room_for_photos(&self) -> Result<(), Problem> {
        if self.host.raising_allowed() {
            return Ok(());
        }
        let detail = "Ổ đĩa sắp đầy: chưa nhận ảnh mới. / \
                      The disk is nearly full: no new pictures.";
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail))
    }

    /// A link to a picture that no alert names yet, for who sent it; `None` where this process
    /// cannot sign any yet.
    pub(crate) fn photo_link(&self, id: &PhotoId) -> Option<String> {
        let ends = self.host.clock.now().plus_ms(LINK_MS);
        let of = (id.as_str(), Size::Full.as_str());
        let directory = self.host.directory.read();
        Some(photo_url(directory.link_key()?, &self.public_url, of, ends))
    }

    /// The same as a path of ours, for a page.
    pub(crate) fn photo_path(&self, id: &PhotoId, size: Size) -> Option<String> {
        let ends = self.host.clock.now().plus_ms(LINK_MS);
        let directory = self.host.directory.read();
        Some(photo_url(directory.link_key()?, "", (id.as_str(), size.as_str()), ends))
    }

    /// The alert, if it names the picture, for an asker who may read it: as it stands, or as it
    /// would be once a second person has approved a change.
    pub(crate) async fn shows_photo(
        &self,
        asker: &Asker,
        alert: AlertId,
        id: &str,
    ) -> Result<Option<Row>, Problem> {
        let row = match self.readable(asker, alert) {
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => return Ok(None),
            row => row?,
        };
        self.door(&row).await?;
        let names = |text: &AlertText| text.photos.iter().any(|photo| photo.id == id);
        if self.text(&row).await.is_some_and(|text| names(&text)) {
            return Ok(Some(row));
        }
        let pending = self.pending_words(&row).await;
        Ok(pending.is_some_and(|(_, text)| names(&text)).then_some(row))
    }

    /// That whoever has this link looks at a picture is on disk when this returns, for each alert
    /// that shows it. One that no alert shows yet is seen by who has sent it.
    pub(crate) async fn photo_looked_at(
        &self,
        pictures: &Pictures,
        id: &PhotoId,
        link_hash: &str,
    ) -> Result<(), Problem> {
        let alerts = pictures.store.shown_by(id).await.map_err(|_| not_stored())?;
        for alert in alerts {
            let row = self.board.row(alert).ok_or_else(starting)?;
            self.look_by_link(link_hash, (alert, row.home), What::Photo).await?;
        }
        Ok(())
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
        Err(NotTaken::Busy) => "busy",
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
