//! A log over HTTP: its checkpoint, and its files by their paths.

use anyhow::Context;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use merkle::SignedCheckpoint;
use reqwest::Method;
use tlog::CHECKPOINT;

use crate::{
    Failed,
    client::{Client, send},
};

/// Files that are asked for at once.
const AT_ONCE: usize = 16;

/// A log at a server, as it was signed when this was made.
pub(super) struct Fetched<'a> {
    client: &'a Client,
    pub(super) checkpoint: SignedCheckpoint,
}

impl<'a> Fetched<'a> {
    /// Asks for the newest checkpoint.
    pub(super) async fn from(client: &'a Client) -> Result<Self, Failed> {
        let bytes = get(client, CHECKPOINT).await?;
        let checkpoint = SignedCheckpoint::parse(&bytes).context("the server's checkpoint")?;
        Ok(Self { client, checkpoint })
    }

    /// The number of entries.
    pub(super) fn size(&self) -> u64 {
        self.checkpoint.checkpoint().size()
    }

    /// One file.
    pub(super) async fn file(&self, path: &str) -> Result<Bytes, Failed> {
        get(self.client, path).await
    }

    /// Each of these files, in no order; `put` is told of each.
    pub(super) async fn files(
        &self,
        paths: impl Iterator<Item = String> + Send,
        mut put: impl FnMut(&str, &[u8]) -> Result<(), Failed> + Send,
    ) -> Result<(), Failed> {
        let one = |path: String| async move {
            let bytes = self.file(&path).await?;
            Ok::<_, Failed>((path, bytes))
        };
        let mut files = stream::iter(paths.map(one)).buffer_unordered(AT_ONCE);
        while let Some((path, bytes)) = files.try_next().await? {
            put(&path, &bytes)?;
        }
        Ok(())
    }
}

async fn get(client: &Client, path: &str) -> Result<Bytes, Failed> {
    let sent = send(client.request(Method::GET, &format!("/{path}"))).await?;
    Ok(sent.bytes().await.context("the answer was cut")?)
}
