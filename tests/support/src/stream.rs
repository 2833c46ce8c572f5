//! A reader of server-sent events, as WHATWG's HTML has them, without the reconnecting.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The last id so far, opaque; goes into `Last-Event-ID`.
    pub id: String,
    /// `alert`, `answer`, `delivery`, `heartbeat`; `message` where the event names none.
    pub kind: String,
    /// The data; its lines joined.
    pub data: String,
}

impl Event {
    /// The data as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

/// An open stream. Dropping it closes the connection.
pub struct Stream {
    source: Source,
    lines: Lines,
    event: Event,
}

/// Where its bytes come from.
enum Source {
    Answer(reqwest::Response),
    Body(BodyDataStream),
}

impl Source {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        match self {
            Self::Answer(answer) => Ok(answer.chunk().await?),
            Self::Body(body) => Ok(body.next().await.transpose()?),
        }
    }
}

/// Bytes that came, cut into lines. A line ends with LF, CR LF or CR; a CR at the very end of
/// what came is kept until it is known which.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn next(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
        let length = match (self.0.get(end), self.0.get(end + 1)) {
            (Some(b'\r'), None) => return None,
            (Some(b'\r'), Some(b'\n')) => 2,
            _ => 1,
        };
        let line = String::from_utf8_lossy(self.0.get(..end).unwrap_or_default()).into_owned();
        self.0.drain(..end + length);
        Some(line)
    }
}

impl Stream {
    pub(crate) fn of(answer: reqwest::Response) -> Self {
        Self::from(Source::Answer(answer))
    }

    /// A stream that came without a connection, from routes that were called in this process.
    #[must_use]
    pub fn of_body(body: Body) -> Self {
        Self::from(Source::Body(body.into_data_stream()))
    }

    fn from(source: Source) -> Self {
        Self { source, lines: Lines::default(), event: Event::default() }
    }

    /// The next event, heartbeats included.
    ///
    /// # Errors
    /// None came `within` the time, or the stream ended.
    pub async fn next(&mut self, within: Duration) -> Result<Event> {
        let next = tokio::time::timeout(within, self.read()).await;
        next.with_context(|| format!("no event within {within:?}"))?
    }

    /// The next event that fits; those before it are passed over.
    ///
    /// # Errors
    /// None came `within` the time, or the stream ended.
    pub async fn wait_for(
        &mut self,
        within: Duration,
        fits: impl Fn(&Event) -> bool,
    ) -> Result<Event> {
        let until = Instant::now() + within;
        let mut passed = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.next(left).await {
                Ok(event) if fits(&event) => return Ok(event),
                Ok(event) => passed.push(event),
                Err(error) => return Err(error.context(format!("passed over: {passed:#?}"))),
            }
        }
    }

    async fn read(&mut self) -> Result<Event> {
        loop {
            while let Some(line) = self.lines.next() {
                if let Some(event) = take(&mut self.event, &line) {
                    return Ok(event);
                }
            }
            match self.source.next().await? {
                Some(bytes) => self.lines.0.extend_from_slice(&bytes),
                None => bail!("the stream ended"),
            }
        }
    }
}

/// Takes a line into the event in the making; an empty one ends it. The id stays for those after.
fn take(event: &mut Event, line: &str) -> Option<Event> {
    if line.is_empty() {
        let id = event.id.clone();
        let mut whole = std::mem::replace(event, Event { id, ..Event::default() });
        // Without data it is no event, by the standard.
        whole.data.pop()?;
        if whole.kind.is_empty() {
            "message".clone_into(&mut whole.kind);
        }
        return Some(whole);
    }
    let (field, value) = line.split_once(':').unwrap_or((line, ""));
    let value = value.strip_prefix(' ').unwrap_or(value);
    match field {
        "id" if !value.contains('\0') => value.clone_into(&mut event.id),
        "event" => value.clone_into(&mut event.kind),
        "data" => {
            event.data.push_str(value);
            event.data.push('\n');
        }
        // A comment, or a field of the future.
        _ => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Vec<Event> {
        let (mut lines, mut event, mut events) = (Lines::default(), Event::default(), vec![]);
        for piece in pieces {
            lines.0.extend_from_slice(piece.as_bytes());
            while let Some(line) = lines.next() {
                events.extend(take(&mut event, &line));
            }
        }
        events
    }

    fn event(id: &str, kind: &str, data: &str) -> Event {
        Event { id: id.to_owned(), kind: kind.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = ": hello\n\nid: a1\nevent: alert\ndata: {\"x\":1}\n\ndata:one\r\ndata: two\r\n\r\n\
                    event: nothing\n\nid\nevent: heartbeat\ndata\n\n";
        let expected = [
            event("a1", "alert", "{\"x\":1}"),
            event("a1", "message", "one\ntwo"),
            event("", "heartbeat", ""),
        ];
        assert_eq!(read(&[text]), expected);
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (before, after) = text.split_at(at);
            assert_eq!(read(&[before, after]), expected, "cut at {at}");
        }
    }
}
