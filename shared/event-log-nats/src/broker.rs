//! Publishing: one message, or several as one atomic batch (ADR-50), and what the broker answers.
//!
//! No retries and no meaning of records: see `writer`.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, HeaderMap, Request, client::RequestErrorKind, jetstream};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{message::Message, subject::Stream};

/// The most messages that wait for an acknowledgement at once.
const IN_FLIGHT_MAX: u32 = 1_000;
/// The most atomic batches under way; the broker allows 50 a stream, shared by all processes.
const BATCHES_MAX: usize = 12;
/// The most messages of one atomic batch, by ADR-50.
const BATCH_MESSAGES_MAX: usize = 1_000;

const WRONG_LAST_SEQUENCE: u64 = 10_071;
const DUPLICATE_IN_BATCH: u64 = 10_201;

/// What the broker acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acked {
    /// The sequence of the (last) message.
    pub(crate) sequence: u64,
    /// The broker had a message under the same id, and did not look at the bytes.
    pub(crate) duplicate: bool,
}

/// Why nothing was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unpublished {
    /// Something stands where nothing, or something else, was expected: look.
    Look,
    /// The broker said no. Nothing was stored.
    Told(String),
    /// No answer came: it may or may not be stored, now or later.
    Unknown(String),
}

/// The broker, as those who publish and read see it.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    pub(crate) client: Client,
    pub(crate) context: jetstream::Context,
    in_flight: Arc<Semaphore>,
    batches: Arc<Semaphore>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl Broker {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            context: jetstream::new(client.clone()),
            client,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX as usize)),
            batches: Arc::new(Semaphore::new(BATCHES_MAX)),
        }
    }

    /// Publishes one message.
    pub(crate) async fn publish(
        &self,
        message: Message,
        patience: Duration,
    ) -> Result<Acked, Unpublished> {
        let told = async {
            let _permit = self.in_flight.acquire().await;
            self.ask(message.subject, message.headers, message.payload, patience).await
        };
        match tokio::time::timeout(patience, told).await {
            Ok(answer) => parse(&answer?),
            Err(_elapsed) => Err(Unpublished::Unknown("no answer in time".to_owned())),
        }
    }

    /// Publishes all, or none. The sequences of a batch are contiguous.
    pub(crate) async fn publish_batch(
        &self,
        mut messages: Vec<Message>,
        patience: Duration,
    ) -> Result<Acked, Unpublished> {
        let count = messages.len();
        if count > BATCH_MESSAGES_MAX {
            return Err(Unpublished::Told(format!("{count} messages are no batch")));
        }
        let batch = uuid::Uuid::now_v7().as_simple().to_string();
        for (place, message) in messages.iter_mut().enumerate() {
            message.headers.insert("Nats-Batch-Id", batch.as_str());
            message.headers.insert("Nats-Batch-Sequence", (place + 1).to_string().as_str());
        }
        let Some(mut last) = messages.pop() else {
            return Err(Unpublished::Told("nothing is no batch".to_owned()));
        };
        last.headers.insert("Nats-Batch-Commit", "1");
        let permits = u32::try_from(count).unwrap_or(IN_FLIGHT_MAX).min(IN_FLIGHT_MAX);
        let told = async {
            let _batch = self.batches.acquire().await;
            let _permits = self.in_flight.acquire_many(permits).await;
            self.send_batch(messages, last, patience).await
        };
        match tokio::time::timeout(patience, told).await {
            Ok(answer) => parse(&answer?),
            Err(_elapsed) => Err(Unpublished::Unknown("no answer in time".to_owned())),
        }
    }

    /// The first message is a request, whose answer is empty or a refusal; those in the middle
    /// have no answer; the last one's is the batch's. All leave without waiting for the first
    /// answer: where it is a refusal, the last one's is too.
    async fn send_batch(
        &self,
        messages: Vec<Message>,
        last: Message,
        patience: Duration,
    ) -> Result<Bytes, Unpublished> {
        let mut messages = messages.into_iter();
        let Some(first) = messages.next() else {
            return self.ask(last.subject, last.headers, last.payload, patience).await;
        };
        let begins = self.ask(first.subject, first.headers, first.payload, patience);
        let goes_on = async {
            for message in messages {
                let Message { subject, headers, payload } = message;
                self.client
                    .publish_with_headers(subject, headers, payload)
                    .await
                    .map_err(|error| Unpublished::Unknown(error.to_string()))?;
            }
            self.ask(last.subject, last.headers, last.payload, patience).await
        };
        // Polled in this order, the first message is in the client's queue before the others.
        let (begun, ended) = futures::future::join(begins, goes_on).await;
        match (begun, ended) {
            (Ok(answer), Err(_)) if !answer.is_empty() => Ok(answer),
            (_, ended) => ended,
        }
    }

    async fn ask(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
        patience: Duration,
    ) -> Result<Bytes, Unpublished> {
        let request = Request::new().headers(headers).payload(payload).timeout(Some(patience));
        match self.client.send_request(subject, request).await {
            Ok(answer) => Ok(answer.payload),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => {
                    Err(Unpublished::Told("no stream takes it".to_owned()))
                }
                RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                    Err(Unpublished::Told(error.to_string()))
                }
                RequestErrorKind::TimedOut | RequestErrorKind::Other => {
                    Err(Unpublished::Unknown(error.to_string()))
                }
            },
        }
    }

    /// Destroys all messages of a subject, their bytes included. How many there were.
    pub(crate) async fn destroy_all(&self, stream: Stream, subject: &str) -> Result<u64, String> {
        let mut destroyed = 0;
        // The leader says whether one is left: what a replica shows may be behind.
        while self.last(stream, subject).await.map_err(text)?.is_some() {
            for raw in self.history(stream, subject).await.map_err(text)? {
                self.destroy(stream, raw.sequence).await?;
                destroyed += 1;
            }
        }
        let handle = self.context.get_stream_no_info(stream.name()).await.map_err(text)?;
        handle.purge().filter(subject).await.map_err(text)?;
        Ok(destroyed)
    }

    /// Destroys one message of a stream, its bytes included.
    pub(crate) async fn destroy(&self, stream: Stream, sequence: u64) -> Result<(), String> {
        let handle = self.context.get_stream_no_info(stream.name()).await.map_err(text)?;
        handle.delete_message(sequence).await.map_err(text).map(|_deleted| ())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn parse(answer: &[u8]) -> Result<Acked, Unpublished> {
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|error| Unpublished::Unknown(format!("not an acknowledgement: {error}")))?;
    match answer.error {
        None if answer.seq > 0 => Ok(Acked { sequence: answer.seq, duplicate: answer.duplicate }),
        None => Err(Unpublished::Unknown("an acknowledgement without a sequence".to_owned())),
        Some(Refusal { err_code: WRONG_LAST_SEQUENCE | DUPLICATE_IN_BATCH, .. }) => {
            Err(Unpublished::Look)
        }
        Some(refusal) => {
            Err(Unpublished::Told(format!("{} ({})", refusal.description, refusal.err_code)))
        }
    }
}
