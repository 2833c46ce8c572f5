//! Reading: single messages from the leader, and the history of a subject in one request.

use async_nats::{StatusCode, jetstream::stream::RawMessageErrorKind};
use futures::StreamExt;
use tokio::time::{Duration, timeout};

use crate::{
    broker::Broker,
    message::{self, Raw},
    outbox::Anchor,
    subject::Stream,
};

/// The longest wait for one answer.
const READ_MAX: Duration = Duration::from_secs(2);
/// The most messages that one request brings.
const HISTORY_MESSAGES_MAX: usize = 500;

/// The broker did not answer, or not with what was asked. Try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the broker cannot be read: {0}")]
pub(crate) struct Unread(pub(crate) String);

impl Unread {
    pub(crate) fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Broker {
    /// The message at a sequence, from the stream's leader.
    pub(crate) async fn at(&self, stream: Stream, sequence: u64) -> Result<Option<Raw>, Unread> {
        let handle =
            self.context.get_stream_no_info(stream.name()).await.map_err(Unread::because)?;
        let asked = handle.raw_message_builder().sequence(sequence).send();
        found(timeout(READ_MAX, asked).await)
    }

    /// Whether what was acknowledged stands where it did, by the stream's leader.
    pub(crate) async fn has(&self, stream: Stream, anchor: &Anchor) -> Result<bool, Unread> {
        let there = self.at(stream, anchor.sequence).await?;
        Ok(there.is_some_and(|raw| message::is(&raw, stream, anchor.id, &anchor.open)))
    }

    /// The last message of a subject, from the stream's leader.
    pub(crate) async fn last(&self, stream: Stream, subject: &str) -> Result<Option<Raw>, Unread> {
        let handle =
            self.context.get_stream_no_info(stream.name()).await.map_err(Unread::because)?;
        let asked = handle.raw_message_builder().last_by_subject(subject).send();
        found(timeout(READ_MAX, asked).await)
    }

    /// The first message of a subject at or after a sequence, from the stream's leader.
    async fn next(&self, stream: Stream, subject: &str, from: u64) -> Result<Option<Raw>, Unread> {
        let handle =
            self.context.get_stream_no_info(stream.name()).await.map_err(Unread::because)?;
        let asked = handle.raw_message_builder().sequence(from).next_by_subject(subject).send();
        found(timeout(READ_MAX, asked).await)
    }

    /// All messages of a subject, in order, up to the last that the leader has.
    pub(crate) async fn history(&self, stream: Stream, subject: &str) -> Result<Vec<Raw>, Unread> {
        let Some(last) = self.last(stream, subject).await? else { return Ok(Vec::new()) };
        if last.version() == Some(1) {
            return Ok(vec![last]);
        }
        let mut history: Vec<Raw> = Vec::new();
        loop {
            let from = history.last().map_or(1, |raw| raw.sequence + 1);
            if from >= last.sequence {
                break;
            }
            let more = self.some(stream, subject, from, last.sequence).await?;
            if more.is_empty() {
                break;
            }
            history.extend(more);
        }
        if history.last().is_none_or(|raw| raw.sequence < last.sequence) {
            history.push(last);
        }
        Ok(history)
    }

    /// The messages of a subject that any replica has, if they come at once: cheaper than
    /// [`Broker::history`], and it may lag behind the leader.
    pub(crate) async fn glance(&self, stream: Stream, subject: &str) -> Result<Vec<Raw>, Unread> {
        let read = timeout(READ_MAX, self.direct(stream, subject, 1, u64::MAX)).await;
        read.map_err(Unread::because)?
    }

    /// Messages of a subject from one sequence up to another, as many as come at once. Any
    /// replica may answer: what it does not have yet is read from the leader.
    async fn some(
        &self,
        stream: Stream,
        subject: &str,
        from: u64,
        to: u64,
    ) -> Result<Vec<Raw>, Unread> {
        let read = timeout(READ_MAX, self.direct(stream, subject, from, to)).await;
        let messages = read.map_err(Unread::because)??;
        if !messages.is_empty() {
            return Ok(messages);
        }
        Ok(self.next(stream, subject, from).await?.into_iter().collect())
    }

    async fn direct(
        &self,
        stream: Stream,
        subject: &str,
        from: u64,
        to: u64,
    ) -> Result<Vec<Raw>, Unread> {
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(Unread::because)?;
        let request = serde_json::json!({
            "seq": from, "next_by_subj": subject, "batch": HISTORY_MESSAGES_MAX,
        });
        let address = format!("$JS.API.DIRECT.GET.{}", stream.name());
        let request = request.to_string().into();
        self.client.publish_with_reply(address, inbox, request).await.map_err(Unread::because)?;
        let mut messages = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer.status {
                None | Some(StatusCode::OK) => {}
                Some(status) if status.as_u16() == 204 => break,
                Some(StatusCode::NOT_FOUND) => break,
                Some(status) => {
                    return Err(Unread(format!("{status} {:?}", answer.description)));
                }
            }
            let headers = answer.headers.unwrap_or_default();
            let sequence = headers
                .get("Nats-Sequence")
                .and_then(|sequence| sequence.as_str().parse().ok())
                .ok_or_else(|| Unread("an answer without a sequence".to_owned()))?;
            if sequence > to {
                break;
            }
            let subject = subject.to_owned();
            messages.push(Raw { subject, sequence, headers, payload: answer.payload });
            if sequence == to {
                break;
            }
        }
        Ok(messages)
    }
}

type Asked = Result<
    Result<
        async_nats::jetstream::message::StreamMessage,
        async_nats::jetstream::stream::RawMessageError,
    >,
    tokio::time::error::Elapsed,
>;

fn found(asked: Asked) -> Result<Option<Raw>, Unread> {
    match asked {
        Err(elapsed) => Err(Unread::because(elapsed)),
        Ok(Ok(message)) => Ok(Some(Raw {
            subject: message.subject.to_string(),
            sequence: message.sequence,
            headers: message.headers,
            payload: message.payload,
        })),
        Ok(Err(error)) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            _ => Err(Unread::because(error)),
        },
    }
}
