//! What providers tell us: receipts find their delivery by the provider's name for the message.
//!
//! Tips from citizens have no place here yet: they are counted, and nobody is told that they were
//! read. Calls come twice, late, or never: a receipt that says no more than is known changes
//! nothing.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chassis::Host;
use domain::{
    channel::ChannelType,
    delivery::Target,
    ids::{Home, Millis, RecordId},
    lane::{Outcome as Known, Receipt},
};
use tokio::sync::mpsc;

use crate::{
    book::{BookId, Books},
    channels::{Inbound, Level},
    receive::Seen,
};

/// Names of messages that are remembered; the oldest are forgotten.
const NAMES_MAX: usize = 500_000;
/// The longest name that is remembered.
const NAME_BYTES_MAX: usize = 256;
/// A provider's call is answered within this.
const PATIENCE: Duration = Duration::from_secs(1);

/// Which delivery a message belongs to.
#[derive(Clone)]
struct Message {
    book: BookId,
    home: Home,
    plan: RecordId,
    target: Target,
    revision: u64,
    attempt: u32,
}

/// Providers' names of messages.
#[derive(Default)]
pub(crate) struct Names {
    messages: HashMap<Box<str>, Message>,
    order: VecDeque<Box<str>>,
}

/// Takes in what providers tell. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Inbox {
    host: Host,
    books: Books,
    names: Arc<Mutex<Names>>,
    receipts: mpsc::Sender<Seen>,
}

impl Names {
    /// Remembers the name of a message, from its receipt.
    pub(crate) fn remember(
        &mut self,
        (book, home, plan): (BookId, Home, RecordId),
        receipt: &Receipt,
    ) {
        let name = receipt.provider_id.as_str();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || self.messages.contains_key(name) {
            return;
        }
        let message = Message {
            book,
            home,
            plan,
            target: receipt.target.clone(),
            revision: receipt.revision,
            attempt: receipt.attempt,
        };
        self.messages.insert(name.into(), message);
        self.order.push_back(name.into());
        while self.order.len() > NAMES_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.messages.remove(&oldest);
            }
        }
    }
}

impl Inbox {
    pub(crate) fn new(
        host: &Host,
        books: &Books,
        names: &Arc<Mutex<Names>>,
        receipts: mpsc::Sender<Seen>,
    ) -> Self {
        let (host, books, names) = (host.clone(), books.clone(), Arc::clone(names));
        Self { host, books, names, receipts }
    }

    /// Takes in what accounts hear over connections of their own, until the process drains.
    pub(crate) async fn hear(self, mut hearing: mpsc::Receiver<(Arc<str>, Inbound)>) {
        let stop = self.host.drain.token();
        loop {
            let heard = tokio::select! {
                heard = hearing.recv() => heard,
                () = stop.cancelled() => return,
            };
            let Some((account, one)) = heard else { return };
            // Whoever records is behind: the account holds its provider back meanwhile.
            while self.take(&account, vec![one.clone()]).await.is_err() {
                if stop.is_cancelled() {
                    return;
                }
            }
        }
    }

    /// Takes in what one call said.
    ///
    /// # Errors
    /// It could not be taken in now: the provider is to come again.
    pub(crate) async fn take(&self, account: &str, inbound: Vec<Inbound>) -> Result<(), ()> {
        for one in inbound {
            count(account, &one);
            if let Inbound::Receipt { provider_id, level, .. } = one
                && let Some(seen) = self.receipt(&provider_id, level)
            {
                let sent = tokio::time::timeout(PATIENCE, self.receipts.send(seen)).await;
                sent.map_err(|_| ())?.map_err(|_| ())?;
            }
        }
        Ok(())
    }

    /// What a receipt says of its delivery. The time is ours: a provider's clock is its own.
    fn receipt(&self, provider_id: &str, level: Level) -> Option<Seen> {
        let message = {
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.messages.get(provider_id).cloned()
        };
        let Some(message) = message.or_else(|| self.by_delivery_id(provider_id)) else {
            metrics::counter!("keng_receipts_unmatched_total").increment(1);
            return None;
        };
        let (outcome, trouble) = said_by(level, &message.target);
        let Message { book, home, plan, target, revision, attempt } = message;
        let receipt = Receipt {
            target,
            revision,
            attempt,
            outcome,
            at: self.now(),
            took_ms: 0,
            status: 0,
            trouble: trouble.to_owned(),
            next_attempt_at: None,
            provider_id: String::new(),
        };
        Some(Seen { book, home, plan, receipt })
    }

    /// Some channels name a message as we do.
    fn by_delivery_id(&self, id: &str) -> Option<Message> {
        let mut parts = id.splitn(3, ':');
        let alert = parts.next()?.parse().ok()?;
        let revision: u64 = parts.next()?.parse().ok()?;
        let books = self.books.lock();
        for (book, known) in books.iter().filter(|((of, _), _)| *of == alert) {
            for (target, delivery) in known.lanes.iter() {
                let is_it = delivery.revision == revision
                    && domain::delivery::delivery_id(alert, revision, target) == id;
                if is_it {
                    return Some(Message {
                        book: *book,
                        home: known.home,
                        plan: known.plan,
                        target: target.clone(),
                        revision,
                        attempt: delivery.attempts.max(1),
                    });
                }
            }
        }
        None
    }

    fn now(&self) -> Millis {
        self.host.clock.now()
    }
}

/// That the message came to a poster does not say that anything was posted: it is in hand, and
/// never delivered.
fn said_by(level: Level, target: &Target) -> (Known, &'static str) {
    match level {
        Level::Delivered | Level::Read if *target.channel_type == *ChannelType::Poster.as_str() => {
            (Known::HandedOver, "")
        }
        Level::Delivered => (Known::Delivered, ""),
        Level::Read => (Known::Read, ""),
        Level::Failed => (Known::Refused, "not-delivered"),
    }
}

fn count(account: &str, inbound: &Inbound) {
    let what = match inbound {
        Inbound::Receipt { .. } => "receipt",
        Inbound::Echo { .. } => "echo",
        Inbound::Tip { .. } => "tip",
        Inbound::Joined { .. } => "joined",
        Inbound::Left { .. } => "left",
        Inbound::Account { .. } => "account",
        Inbound::Ignored { .. } => "ignored",
    };
    if let Inbound::Account { code } = inbound {
        tracing::error!(account, code = code.as_ref(), "a provider says something of an account");
    }
    let account = account.to_owned();
    metrics::counter!("keng_inbound_total", "account" => account, "what" => what).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_to_a_poster_is_in_hand_and_never_delivered() {
        let said = |channel: ChannelType, level| {
            let target = Target {
                group: "g-1".parse().unwrap(),
                channel: "c".parse().unwrap(),
                channel_type: channel.as_str().into(),
            };
            said_by(level, &target).0
        };
        assert_eq!(said(ChannelType::Sms, Level::Delivered), Known::Delivered);
        assert_eq!(said(ChannelType::Poster, Level::Delivered), Known::HandedOver);
        assert_eq!(said(ChannelType::Poster, Level::Read), Known::HandedOver);
        assert_eq!(said(ChannelType::Poster, Level::Failed), Known::Refused);
    }
}
