//! Pictures that no alert has named: each upload is noted with its time, and what nobody has named
//! a day later is removed. An officer who gave up, or a phone that lost its line, leaves none.
//!
//! No record says so: no alert ever showed it. What an older release took has no note, and stays.

use std::collections::BTreeMap;

use domain::ids::Millis;
use object_store::{ObjectStoreExt, PutPayload, path::Path as Name};

use crate::{
    id::PhotoId,
    picture::Size,
    store::{NotStored, Photos, name, not_stored},
};

/// Empty objects below this: a picture's id, and the time of its upload.
const UPLOADS: &str = "uploads";

/// An alert names a picture within this.
pub const NAMED_WITHIN_MS: i64 = 24 * 3_600_000;

impl Photos {
    /// Notes an upload, before the picture is there.
    pub(crate) async fn note_upload(&self, id: &PhotoId, now: Millis) -> Result<(), NotStored> {
        let put = self.store.put(&note(id, now), PutPayload::new()).await;
        put.map(|_| ()).map_err(|why| not_stored(&why))
    }

    /// Removes every picture that was sent more than [`NAMED_WITHIN_MS`] ago, last time, and that
    /// no alert shows. How many. Call it when all that was written down so far is noted by
    /// [`Photos::claim`].
    ///
    /// # Errors
    /// [`NotStored`]: not all was looked at; again goes on where this ended.
    pub async fn sweep(&self, now: Millis) -> Result<u64, NotStored> {
        let mut uploads: BTreeMap<PhotoId, Vec<Millis>> = BTreeMap::new();
        for (id, at) in self.uploads().await? {
            uploads.entry(id).or_default().push(at);
        }
        let mut removed = 0;
        for (id, times) in uploads {
            let newest = times.iter().max().copied().unwrap_or(now);
            if newest.plus_ms(NAMED_WITHIN_MS) > now {
                continue;
            }
            if !self.is_shown(&id).await? && self.has(&id).await? {
                for size in Size::ALL {
                    self.remove(&name(&id, size)).await?;
                }
                removed += 1;
            }
            // Last, so that whoever is interrupted finds it again.
            for at in times {
                self.remove(&note(&id, at)).await?;
            }
        }
        Ok(removed)
    }

    async fn uploads(&self) -> Result<Vec<(PhotoId, Millis)>, NotStored> {
        let all = self.names_below(&Name::from(UPLOADS)).await?;
        let parsed = all.iter().filter_map(|name| {
            let mut parts = name.parts().skip(1);
            let id = parts.next()?.as_ref().parse().ok()?;
            Some((id, Millis(parts.next()?.as_ref().parse().ok()?)))
        });
        Ok(parsed.collect())
    }
}

fn note(id: &PhotoId, at: Millis) -> Name {
    Name::from_iter([UPLOADS, id.as_str(), at.0.to_string().as_str()])
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::ids::{AlertId, RecordId};
    use image::{DynamicImage, ImageFormat};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const NOW: Millis = Millis(1_795_257_000_000);

    fn uploaded(width: u32) -> Bytes {
        let mut bytes = std::io::Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, 100).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner().into()
    }

    #[tokio::test]
    async fn what_nobody_named_in_a_day_goes_and_what_was_named_or_sent_again_stays() {
        let photos = Photos::in_memory();
        let named = photos.take(uploaded(400), NOW).await.unwrap().id;
        let again = photos.take(uploaded(300), NOW).await.unwrap().id;
        let never = photos.take(uploaded(200), NOW).await.unwrap().id;
        let alert = AlertId::raised_by(RecordId::of_purpose("alert"));
        photos.claim(alert, std::slice::from_ref(&named)).await.unwrap();
        photos.take(uploaded(300), NOW.plus_ms(20 * HOUR_MS)).await.unwrap();
        assert_eq!(photos.sweep(NOW.plus_ms(24 * HOUR_MS - 1)).await, Ok(0));
        assert_eq!(photos.sweep(NOW.plus_ms(24 * HOUR_MS)).await, Ok(1));
        for size in Size::ALL {
            assert_eq!(photos.read(&never, size).await, Ok(None));
        }
        assert!(photos.has(&named).await.unwrap() && photos.has(&again).await.unwrap());
        assert_eq!(photos.sweep(NOW.plus_ms(44 * HOUR_MS)).await, Ok(1));
        assert!(!photos.has(&again).await.unwrap());
        assert!(photos.uploads().await.unwrap().is_empty(), "nothing is looked at twice");
        // What is named stays for as long as its alert.
        assert_eq!(photos.sweep(NOW.plus_ms(9_000 * HOUR_MS)).await, Ok(0));
        assert!(photos.has(&named).await.unwrap());
    }
}
