//! The floors over NATS: atomic batches by the bare client, one after another, each acknowledged
//! when it is on the broker's disk.
//!
//! Into streams of its own, set as ours are. No outbox, no ids, no expectations.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_nats::{
    Client, HeaderMap,
    jetstream::{self, stream::Config},
};
use bytes::Bytes;
use serde_json::Value;

/// One stream for each batch, as command, decision and plan have.
const STREAMS: [&str; 3] = ["FLOOR1", "FLOOR2", "FLOOR3"];

/// The bare client, and how many batches it has published.
pub struct Batches {
    client: Client,
    published: u64,
}

impl Batches {
    /// Connects, and makes the streams.
    ///
    /// # Errors
    /// The broker refuses.
    pub async fn open(url: &str) -> Result<Self> {
        let client = async_nats::connect(url).await?;
        let context = jetstream::new(client.clone());
        for name in STREAMS {
            let config = Config {
                name: name.to_owned(),
                subjects: vec![format!("floor.{name}.>")],
                allow_atomic_publish: true,
                allow_direct: true,
                ..Config::default()
            };
            context.create_stream(config).await?;
        }
        Ok(Self { client, published: 0 })
    }

    /// One batch a stream, each of messages of these sizes, one batch after the other.
    ///
    /// # Errors
    /// One was not acknowledged.
    pub async fn publish(&mut self, sizes: &[Vec<usize>]) -> Result<Duration> {
        let payload = |bytes: &usize| Bytes::from(vec![0x6b; *bytes]);
        let batches: Vec<Vec<Bytes>> =
            sizes.iter().map(|batch| batch.iter().map(payload).collect()).collect();
        let begun = Instant::now();
        for (stream, batch) in STREAMS.iter().zip(batches) {
            self.published += 1;
            self.batch(stream, batch).await?;
        }
        Ok(begun.elapsed())
    }

    /// The first message and the last are requests, those between leave without an answer; nothing
    /// waits but for the last answer.
    async fn batch(&self, stream: &str, batch: Vec<Bytes>) -> Result<()> {
        let id = format!("floor-{}", self.published);
        let count = batch.len();
        let mut messages = batch.into_iter().enumerate().map(|(place, payload)| {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Batch-Id", id.as_str());
            headers.insert("Nats-Batch-Sequence", (place + 1).to_string().as_str());
            if place + 1 == count {
                headers.insert("Nats-Batch-Commit", "1");
            }
            let subject = format!("floor.{stream}.{}.{place}", self.published);
            (subject, headers, payload)
        });
        let last = messages.next_back().context("an empty batch")?;
        let first = messages.next();
        let begins = async {
            match first {
                Some((subject, headers, payload)) => {
                    self.client.request_with_headers(subject, headers, payload).await.map(drop)
                }
                None => Ok(()),
            }
        };
        let ends = async {
            for (subject, headers, payload) in messages {
                self.client.publish_with_headers(subject, headers, payload).await?;
            }
            let (subject, headers, payload) = last;
            anyhow::Ok(self.client.request_with_headers(subject, headers, payload).await?)
        };
        let (begun, ended) = futures::future::join(begins, ends).await;
        begun?;
        let told: Value = serde_json::from_slice(&ended?.payload)?;
        ensure!(told.get("seq").is_some(), "the batch was refused: {told}");
        Ok(())
    }
}
