//! Where pictures lie: a folder of this machine, or a bucket that speaks S3.
//!
//! A picture is there once its full size is, which is written last; it is durable before anybody
//! is told its id. Where there is a key, each size is encrypted. Nothing here changes a picture:
//! the same id is the same pixels. See `claims` for what removes one.

use std::{fmt::Display, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::Millis;
use keyring::{KeyId, Keyring};
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    local::LocalFileSystem,
    memory::InMemory,
    path::Path as Name,
    prefix::PrefixStore,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::{
    id::PhotoId,
    picture::{NotAPicture, Picture, Size},
};

/// Empty objects below this say under which keys pictures are encrypted.
const KEYS: &str = "keys";
/// So many pictures are drawn at once: each takes a processor and some hundred megabytes.
const DRAWN_AT_ONCE_MAX: usize = 2;
/// So long a place among them is waited for, with the upload in hand.
const DRAWING_PATIENCE: Duration = Duration::from_secs(20);
/// One request to a bucket, and all its repeats.
const BUCKET_PATIENCE: Duration = Duration::from_secs(5);
const BUCKET_PATIENCE_IN_ALL: Duration = Duration::from_secs(12);
const BUCKET_RETRIES_MAX: usize = 2;

/// Why the store is not used. The operator must act.
#[derive(Debug, thiserror::Error)]
#[error("nơi cất ảnh không dùng được / the store of pictures cannot be used: {0}")]
pub struct NotOpened(String);

/// The store did not answer, or refused, or holds what no key here opens. Ask again; the trace says
/// why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store of pictures does not answer")]
pub struct NotStored;

/// Why a picture was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Whoever uploads it must send another.
    #[error(transparent)]
    NotAPicture(#[from] NotAPicture),
    /// Send it again.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// Others are drawn, and go on being drawn. Send it again later.
    #[error("too many pictures are drawn at once")]
    Busy,
}

/// A picture that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub id: PhotoId,
    /// Pixels of the full size.
    pub width: u32,
    /// Pixels of the full size.
    pub height: u32,
    /// Bytes of the full size.
    pub bytes: usize,
}

/// The store of pictures. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Photos {
    pub(crate) store: Arc<dyn ObjectStore>,
    drawing: Arc<Semaphore>,
    keyring: Keyring,
}

impl Photos {
    /// In this folder, which is there.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn in_folder(folder: &Path) -> Result<Self, NotOpened> {
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|why| not_opened(&why))?;
        // Without this, a name and its bytes may be gone after a power cut.
        Ok(Self::over(Arc::new(store.with_fsync(true))))
    }

    /// In a bucket, `s3://BUCKET` or `s3://BUCKET/PREFIX`; endpoint, region and keys from the
    /// usual variables, of which those beginning with `AWS_` are looked at.
    ///
    /// # Errors
    /// A variable is wrong, or there is no TLS on this machine. Nothing is called yet.
    pub fn in_bucket(
        url: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, NotOpened> {
        // The first in the process wins, and every one of ours is ring's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let rest = url.strip_prefix("s3://").unwrap_or(url).trim_end_matches('/');
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let retry = RetryConfig {
            max_retries: BUCKET_RETRIES_MAX,
            retry_timeout: BUCKET_PATIENCE_IN_ALL,
            ..RetryConfig::default()
        };
        // What the variables say of the client is added to this.
        let client = ClientOptions::new().with_timeout(BUCKET_PATIENCE);
        let mut builder = AmazonS3Builder::new().with_client_options(client).with_retry(retry);
        for (name, value) in variables {
            let key = name.starts_with("AWS_").then(|| name.to_ascii_lowercase().parse());
            if let Some(Ok::<AmazonS3ConfigKey, _>(key)) = key {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.with_bucket_name(bucket).build().map_err(|why| not_opened(&why))?;
        Ok(match prefix {
            "" => Self::over(Arc::new(store)),
            prefix => Self::over(Arc::new(PrefixStore::new(store, prefix))),
        })
    }

    /// In memory, for tests: gone with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    fn over(store: Arc<dyn ObjectStore>) -> Self {
        let drawing = Arc::new(Semaphore::new(DRAWN_AT_ONCE_MAX));
        Self { store, drawing, keyring: Keyring::default() }
    }

    /// The same store: what is put there from now on is encrypted, and what was is read.
    #[must_use]
    pub fn encrypted(self, keyring: Keyring) -> Self {
        Self { keyring, ..self }
    }

    /// A key that pictures here are encrypted under, and that is missing.
    ///
    /// # Errors
    /// [`NotStored`]: nobody knows.
    pub async fn lacks(&self) -> Result<Option<KeyId>, NotStored> {
        let used = self.last_parts(&Name::from(KEYS)).await?;
        let mut used = used.iter().filter_map(|id| id.parse::<KeyId>().ok());
        Ok(used.find(|id| !self.keyring.has(*id)))
    }

    /// Notes beside the pictures which key this process encrypts them under, so that whoever only
    /// reads them knows which he needs.
    ///
    /// # Errors
    /// [`NotStored`]: it is not known to be noted.
    pub async fn note_key(&self) -> Result<(), NotStored> {
        if let Some(newest) = self.keyring.newest() {
            let name = Name::from_iter([KEYS, newest.to_string().as_str()]);
            let put = self.store.put(&name, PutPayload::new()).await;
            put.map_err(|why| not_stored(&why))?;
        }
        Ok(())
    }

    /// Draws anew what was uploaded, and stores it; for a day, where no alert names it. The same
    /// picture again changes nothing.
    ///
    /// # Errors
    /// [`NotTaken`]; it is not there then, or not promised.
    pub async fn take(&self, uploaded: Bytes, now: Millis) -> Result<Taken, NotTaken> {
        let picture = {
            let place = Arc::clone(&self.drawing).acquire_owned();
            let place = timeout(DRAWING_PATIENCE, place).await.map_err(|_| NotTaken::Busy)?;
            let place = place.map_err(|_| NotStored)?;
            let drawing = spawn_blocking(move || {
                // Held for as long as it is drawn, also where nobody waits for it any more.
                let _place = place;
                Picture::of(&uploaded)
            });
            // A decoder that panics has met bytes that it cannot read.
            drawing.await.unwrap_or(Err(NotAPicture::Broken))?
        };
        self.note_upload(&picture.id, now).await?;
        // Who finds the full size finds all of them.
        for size in [Size::Thumb, Size::Medium, Size::Full] {
            let name = name(&picture.id, size);
            let locked = self.keyring.lock(name.as_ref().as_bytes(), picture.jpeg(size));
            let locked = locked.map_err(|why| not_stored(&why))?;
            let put = self.store.put(&name, locked.into()).await;
            put.map_err(|why| not_stored(&why))?;
        }
        let Picture { width, height, .. } = picture;
        let bytes = picture.jpeg(Size::Full).len();
        Ok(Taken { id: picture.id, width, height, bytes })
    }

    /// Whether a picture is there.
    ///
    /// # Errors
    /// [`NotStored`]: nobody knows.
    pub async fn has(&self, id: &PhotoId) -> Result<bool, NotStored> {
        match self.store.head(&name(id, Size::Full)).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(why) => Err(not_stored(&why)),
        }
    }

    /// The JPEG of a size; `None` where there is no such picture.
    ///
    /// # Errors
    /// [`NotStored`]: nobody knows.
    pub async fn read(&self, id: &PhotoId, size: Size) -> Result<Option<Bytes>, NotStored> {
        let name = name(id, size);
        let found = match self.store.get(&name).await {
            Ok(found) => found.bytes().await,
            Err(why) => Err(why),
        };
        match found {
            Ok(bytes) => {
                let opened = self.keyring.open(name.as_ref().as_bytes(), bytes);
                opened.map(Some).map_err(|why| not_stored(&why))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(why) => Err(not_stored(&why)),
        }
    }
}

/// Spread over folders by its first two letters: one folder of a hundred thousand is slow.
pub(crate) fn name(id: &PhotoId, size: Size) -> Name {
    let folder = id.as_str().get(..2).unwrap_or_default();
    Name::from(format!("{folder}/{id}-{}.jpg", size.as_str()))
}

fn not_opened(why: &Error) -> NotOpened {
    NotOpened(why.to_string())
}

pub(crate) fn not_stored(why: &impl Display) -> NotStored {
    tracing::warn!(%why, "the store of pictures does not answer");
    NotStored
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
