//! The floors: what the parts take by themselves, in the process, on the disk and with the client
//! that the server uses. One synced append of a journal; bare POSTs by the webhook's client.
//!
//! Floors over NATS are in `batches`.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use domain::{
    ids::{AlertId, Millis, RecordId},
    values::AlertKind,
};
use fan_out::channels::{
    Channel, Intent, Outcome, Rendered,
    webhook::{Webhook, WebhookOptions},
};
use journal::{Journal, Options};
use registry::Address;

/// About the size of a command with an alert.
const APPEND_BYTES: usize = 2_048;
/// A secret by its form: signing costs the same with any.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// As long as a delivery's id.
const DELIVERY_ID: &str = "0192f0c1-0000-7000-8000-000000000000.1.g-4499.webhook-1";

/// The parts, each alone.
pub struct Floors {
    journal: Journal,
    webhook: Webhook,
    base: String,
    body: Bytes,
}

impl Floors {
    /// Opens a journal of its own in `dir`, and sets the client up as the service does.
    ///
    /// # Errors
    /// Either cannot be had.
    pub fn open(dir: &Path, sync_delay: Duration) -> Result<Self> {
        let (journal, _) = Journal::open(dir, Options::default().with_sync_delay(sync_delay))?;
        let options = WebhookOptions { allow_private_targets: true, ..WebhookOptions::default() };
        let webhook = Webhook::new(&options)?;
        Ok(Self { journal, webhook, base: String::new(), body: Bytes::new() })
    }

    /// Where groups are called, and with which body.
    pub fn aim(&mut self, base: String, body: Bytes) {
        (self.base, self.body) = (base, body);
    }

    /// One append, until it is on disk.
    ///
    /// # Errors
    /// The journal takes nothing.
    pub async fn append(&self) -> Result<Duration> {
        let payload = Bytes::from(vec![0x6b; APPEND_BYTES]);
        let begun = Instant::now();
        let index = self.journal.append(payload)?;
        self.journal.durable(index).await?;
        Ok(begun.elapsed())
    }

    /// So many POSTs, so many of them in flight, until the last is answered.
    ///
    /// # Errors
    /// One was not delivered: then it is no measure.
    pub async fn posts(&self, count: usize, in_flight: usize) -> Result<Duration> {
        ensure!(!self.body.is_empty(), "nothing was aimed at");
        let next = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        let senders: Vec<_> = (0..in_flight.min(count))
            .map(|_| {
                let (webhook, base) = (self.webhook.clone(), self.base.clone());
                let (body, next) = (self.body.clone(), Arc::clone(&next));
                tokio::spawn(async move { send(&webhook, &base, &body, &next, count).await })
            })
            .collect();
        for sender in senders {
            sender.await.context("a sender")??;
        }
        Ok(begun.elapsed())
    }
}

/// Sends until the numbers are used up.
async fn send(
    webhook: &Webhook,
    base: &str,
    body: &Bytes,
    next: &AtomicUsize,
    count: usize,
) -> Result<()> {
    loop {
        let group = next.fetch_add(1, Ordering::Relaxed);
        if group >= count {
            return Ok(());
        }
        let url = format!("{base}{group}").into();
        let to = Address { url, secret: SECRET.into(), to: "".into() };
        let message = Rendered { body: body.clone(), ..Rendered::default() };
        let sent = webhook.send(&message, &to, intent(DELIVERY_ID)).await;
        ensure!(sent.outcome == Outcome::Delivered, "not delivered: {sent:?}");
    }
}

/// One attempt, now, that goes before everything else.
#[must_use]
pub fn intent(delivery: &str) -> Intent<'_> {
    let now = Millis(jiff::Timestamp::now().as_millisecond());
    Intent {
        delivery,
        alert: AlertId::raised_by(RecordId::of_purpose("bench")),
        kind: AlertKind::LostChild,
        revision: 1,
        first_revision: 1,
        attempt: 1,
        now,
        expires_at: now.plus_ms(3_600_000),
        is_urgent: true,
    }
}
