//! Which alerts show which pictures: empty objects beside the pictures, so that whoever erases an
//! alert knows its pictures after its words are gone, and removes none that another alert shows.
//!
//! Nothing personal: ids of both. Two for each pair, one for each direction of the question.

use std::collections::BTreeSet;

use domain::ids::AlertId;
use futures::TryStreamExt;
use object_store::{Error, ObjectStoreExt, PutPayload, path::Path as Name};

use crate::{
    id::PhotoId,
    picture::Size,
    store::{NotStored, Photos, name, not_stored},
};

const OF_ALERTS: &str = "of-alerts";
const OF_PHOTOS: &str = "of-photos";
/// More alerts than this are looked for in one list of all that show pictures.
const ASKED_ONE_BY_ONE_MAX: usize = 16;

impl Photos {
    /// Notes that the alert shows these pictures. Again changes nothing.
    ///
    /// # Errors
    /// [`NotStored`]: not all is noted.
    pub async fn claim(&self, alert: AlertId, photos: &[PhotoId]) -> Result<(), NotStored> {
        for photo in photos {
            // Whoever finds the alert's note finds the picture's as well.
            for name in [of_photo(photo, alert), of_alert(alert, photo)] {
                let put = self.store.put(&name, PutPayload::new()).await;
                put.map_err(|why| not_stored(&why))?;
            }
        }
        Ok(())
    }

    /// The alerts that show this picture, as far as that is noted.
    ///
    /// # Errors
    /// [`NotStored`]: it cannot be read.
    pub async fn shown_by(&self, photo: &PhotoId) -> Result<Vec<AlertId>, NotStored> {
        let prefix = Name::from_iter([OF_PHOTOS, photo.as_str()]);
        let alerts = self.last_parts(&prefix).await?;
        Ok(alerts.iter().filter_map(|alert| alert.parse().ok()).collect())
    }

    /// Removes every size of each picture that only these alerts show. How many pictures.
    ///
    /// # Errors
    /// [`NotStored`]: not all are known to be gone; again goes on where this ended.
    pub async fn forget(&self, alerts: &[AlertId]) -> Result<u64, NotStored> {
        let shown = match alerts.len() {
            ..=ASKED_ONE_BY_ONE_MAX => alerts.to_vec(),
            _ => self.showing(&alerts.iter().copied().collect()).await?,
        };
        let mut removed = 0;
        for alert in shown {
            let prefix = Name::from_iter([OF_ALERTS, alert.to_string().as_str()]);
            for photo in self.last_parts(&prefix).await? {
                let Ok(photo) = photo.parse::<PhotoId>() else { continue };
                removed += u64::from(self.let_go(alert, &photo).await?);
            }
        }
        Ok(removed)
    }

    /// Of these alerts, those that show pictures.
    async fn showing(&self, alerts: &BTreeSet<AlertId>) -> Result<Vec<AlertId>, NotStored> {
        let all = self.store.list_with_delimiter(Some(&Name::from(OF_ALERTS))).await;
        let all = all.map_err(|why| not_stored(&why))?.common_prefixes;
        let ids = all.iter().filter_map(|name| name.parts().next_back()?.as_ref().parse().ok());
        Ok(ids.filter(|alert| alerts.contains(alert)).collect())
    }

    /// Whether the picture was removed: no other alert shows it.
    async fn let_go(&self, alert: AlertId, photo: &PhotoId) -> Result<bool, NotStored> {
        self.remove(&of_photo(photo, alert)).await?;
        let is_last = !self.is_shown(photo).await?;
        let mut was_there = false;
        if is_last {
            was_there = self.has(photo).await?;
            for size in Size::ALL {
                self.remove(&name(photo, size)).await?;
            }
        }
        // Last, so that whoever is interrupted finds it again.
        self.remove(&of_alert(alert, photo)).await?;
        Ok(is_last && was_there)
    }

    /// Whether an alert shows the picture.
    pub(crate) async fn is_shown(&self, photo: &PhotoId) -> Result<bool, NotStored> {
        let prefix = Name::from_iter([OF_PHOTOS, photo.as_str()]);
        Ok(!self.names_below(&prefix).await?.is_empty())
    }

    pub(crate) async fn last_parts(&self, prefix: &Name) -> Result<Vec<String>, NotStored> {
        let found = self.names_below(prefix).await?;
        Ok(found.iter().filter_map(|name| name.filename().map(String::from)).collect())
    }

    pub(crate) async fn names_below(&self, prefix: &Name) -> Result<Vec<Name>, NotStored> {
        let found: Result<Vec<_>, Error> = self.store.list(Some(prefix)).try_collect().await;
        let found = found.map_err(|why| not_stored(&why))?;
        Ok(found.into_iter().map(|object| object.location).collect())
    }

    pub(crate) async fn remove(&self, name: &Name) -> Result<(), NotStored> {
        match self.store.delete(name).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(why) => Err(not_stored(&why)),
        }
    }
}

fn of_alert(alert: AlertId, photo: &PhotoId) -> Name {
    Name::from_iter([OF_ALERTS, alert.to_string().as_str(), photo.as_str()])
}

fn of_photo(photo: &PhotoId, alert: AlertId) -> Name {
    Name::from_iter([OF_PHOTOS, photo.as_str(), alert.to_string().as_str()])
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::ids::{Millis, RecordId};
    use image::{DynamicImage, ImageFormat};

    use super::*;

    const NOW: Millis = Millis(0);

    fn alert(name: &str) -> AlertId {
        AlertId::raised_by(RecordId::of_purpose(name))
    }

    fn uploaded(width: u32) -> Bytes {
        let mut bytes = std::io::Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, 100).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner().into()
    }

    fn files(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
    }

    #[tokio::test]
    async fn a_picture_goes_with_the_last_alert_that_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let photos = Photos::in_folder(folder.path()).unwrap();
        let own = photos.take(uploaded(400), NOW).await.unwrap().id;
        let shared = photos.take(uploaded(300), NOW).await.unwrap().id;
        let free = photos.take(uploaded(200), NOW).await.unwrap().id;
        let (one, other) = (alert("one"), alert("other"));
        for _again in 0..2 {
            photos.claim(one, &[own.clone(), shared.clone()]).await.unwrap();
        }
        photos.claim(other, std::slice::from_ref(&shared)).await.unwrap();
        let mut shown = photos.shown_by(&shared).await.unwrap();
        shown.sort();
        assert_eq!(shown, BTreeSet::from([one, other]).into_iter().collect::<Vec<_>>());
        assert_eq!(photos.shown_by(&free).await.unwrap(), []);
        assert_eq!(photos.forget(&[one]).await, Ok(1));
        assert_eq!(photos.forget(&[one]).await, Ok(0));
        for size in Size::ALL {
            assert_eq!(photos.read(&own, size).await.unwrap(), None, "{size:?}");
            assert!(photos.read(&shared, size).await.unwrap().is_some(), "{size:?}");
        }
        assert_eq!(photos.forget(&[alert("none")]).await, Ok(0));
        // As at a start, when all that was ever erased is gone over.
        let mut all: Vec<AlertId> = (0..40).map(|n| alert(&n.to_string())).collect();
        all.push(other);
        assert_eq!(photos.forget(&all).await, Ok(1));
        assert!(!photos.has(&shared).await.unwrap() && photos.has(&free).await.unwrap());
        let notes = files(&folder.path().join("uploads"));
        let left = files(folder.path()) - notes;
        assert_eq!(left, Size::ALL.len(), "only what nobody erased is left");
    }
}
