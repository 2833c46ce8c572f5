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
    delivery::{Target, delivery_id},
    ids::{Home, Millis, RecordId},
    lane::{Outcome as Known, Receipt},
};
use futures::future::try_join_all;
use tokio::sync::{mpsc, oneshot};

use crate::{
    accounts::NO_ACCOUNT,
    book::{BookId, Books},
    channels::{Inbound, Level},
    receive::Seen,
};

/// Names of messages that are remembered; the oldest are forgotten.
const NAMES_MAX: usize = 500_000;
/// Receipts that wait for the message that they are receipts of.
const EARLY_MAX: usize = 4_096;
/// The longest name that is remembered.
const NAME_BYTES_MAX: usize = 256;
/// What was heard is taken in together, up to so much: it shares one sync.
const HEARD_AT_ONCE_MAX: usize = 256;
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

/// A provider's name of a message, which is the account's alone.
type Name = (Arc<str>, Box<str>);

/// Providers' names of messages.
#[derive(Default)]
pub(crate) struct Names {
    messages: HashMap<Name, Message>,
    order: VecDeque<Name>,
    /// Receipts that came before what they are receipts of was read from the log.
    early: VecDeque<(Name, Level)>,
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
    /// Remembers the name of a message, from its receipt. Answers with what came before it.
    pub(crate) fn remember(
        &mut self,
        (book, home, plan): (BookId, Home, RecordId),
        account: &Arc<str>,
        receipt: &Receipt,
    ) -> Vec<Seen> {
        let name: Name = (Arc::clone(account), receipt.provider_id.as_str().into());
        if name.1.len() > NAME_BYTES_MAX || self.messages.contains_key(&name) {
            return vec![];
        }
        let message = Message {
            book,
            home,
            plan,
            target: receipt.target.clone(),
            revision: receipt.revision,
            attempt: receipt.attempt,
        };
        let mut waiting = vec![];
        self.early.retain(|(of, level)| {
            let is_it = *of == name;
            if is_it {
                waiting.push(*level);
            }
            !is_it
        });
        let seen = waiting.into_iter().map(|level| message.seen(level, receipt.at)).collect();
        self.messages.insert(name.clone(), message);
        self.order.push_back(name);
        while self.order.len() > NAMES_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.messages.remove(&oldest);
            }
        }
        seen
    }

    fn comes_early(&mut self, name: Name, level: Level) {
        if self.early.len() >= EARLY_MAX {
            self.early.pop_front();
        }
        self.early.push_back((name, level));
    }
}

impl Message {
    /// What a receipt says of it. The time is ours: a provider's clock is its own.
    fn seen(&self, level: Level, at: Millis) -> Seen {
        let is_poster = *self.target.channel_type == *ChannelType::Poster.as_str();
        let (outcome, trouble) = match level {
            // That the poster has the message is not that the group does.
            Level::Delivered | Level::Read if is_poster => (Known::HandedOver, ""),
            Level::Delivered => (Known::Delivered, ""),
            Level::Read => (Known::Read, ""),
            Level::Failed => (Known::Refused, "not-delivered"),
        };
        let Self { book, home, plan, target, revision, attempt } = self.clone();
        let receipt = Receipt {
            target,
            revision,
            attempt,
            outcome,
            at,
            took_ms: 0,
            status: 0,
            trouble: trouble.to_owned(),
            next_attempt_at: None,
            provider_id: String::new(),
        };
        Seen { book, home, plan, receipt, kept: None }
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
        let mut heard: Vec<(Arc<str>, Inbound)> = Vec::new();
        loop {
            tokio::select! {
                count = hearing.recv_many(&mut heard, HEARD_AT_ONCE_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                () = stop.cancelled() => return,
            }
            let mut of_accounts: HashMap<Arc<str>, Vec<Inbound>> = HashMap::new();
            for (account, one) in heard.drain(..) {
                of_accounts.entry(account).or_default().push(one);
            }
            // Whoever records is behind: the account holds its provider back meanwhile.
            for (account, all) in of_accounts {
                while self.take(&account, all.clone()).await.is_err() {
                    if stop.is_cancelled() {
                        return;
                    }
                }
            }
        }
    }

    /// Takes in what one call said, and waits until what it says of our messages is durable.
    ///
    /// # Errors
    /// It could not be taken in now: the provider is to come again.
    pub(crate) async fn take(&self, account: &str, inbound: Vec<Inbound>) -> Result<(), ()> {
        let mut waiting = Vec::new();
        for one in inbound {
            count(account, &one);
            if let Inbound::Receipt { provider_id, level, .. } = one
                && let Some(seen) = self.receipt(account, &provider_id, level)
            {
                let (kept, told) = oneshot::channel();
                let seen = Seen { kept: Some(kept), ..seen };
                let sent = tokio::time::timeout(PATIENCE, self.receipts.send(seen)).await;
                sent.map_err(|_| ())?.map_err(|_| ())?;
                waiting.push(told);
            }
        }
        let kept = tokio::time::timeout(PATIENCE, try_join_all(waiting)).await;
        kept.map_err(|_| ())?.map_err(|_| ()).map(drop)
    }

    /// What a receipt says of its delivery, which must be one of this account's.
    fn receipt(&self, account: &str, provider_id: &str, level: Level) -> Option<Seen> {
        let name: Name = (account.into(), provider_id.into());
        let found = {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let found = names.messages.get(&name).cloned();
            let found = found.or_else(|| self.by_delivery_id(account, provider_id));
            if found.is_none() {
                // It may be faster than our own word of the message.
                names.comes_early(name, level);
            }
            found
        };
        if found.is_none() {
            metrics::counter!("keng_receipts_unmatched_total").increment(1);
        }
        found.map(|message| message.seen(level, self.host.clock.now()))
    }

    /// A device names a message as we do. It answers for what its own account sent, and for what
    /// was tried at all.
    fn by_delivery_id(&self, account: &str, id: &str) -> Option<Message> {
        let mut parts = id.splitn(3, ':');
        let alert = parts.next()?.parse().ok()?;
        let revision: u64 = parts.next()?.parse().ok()?;
        let books = self.books.lock();
        for (book, known) in books.of_alert(alert) {
            let found = known.lanes.iter().find(|(target, delivery)| {
                delivery.revision == revision
                    && delivery.attempts.max(delivery.begun) > 0
                    && is_device(target)
                    && delivery_id(alert, revision, target) == id
            });
            let Some((target, delivery)) = found else { continue };
            if *account_of(&self.host, target) != *account {
                return None;
            }
            return Some(Message {
                book,
                home: known.home,
                plan: known.plan,
                target: target.clone(),
                revision,
                attempt: delivery.attempts.max(delivery.begun),
            });
        }
        None
    }
}

/// The account by which a target is told; empty where it needs none.
pub(crate) fn account_of(host: &Host, target: &Target) -> Arc<str> {
    let directory = host.directory.read();
    let channels = directory.group(&target.group).map(|group| &group.facts.channels);
    let facts = channels.into_iter().flatten().find(|facts| facts.id == target.channel);
    facts.map_or(NO_ACCOUNT, |facts| facts.account.as_str()).into()
}

fn is_device(target: &Target) -> bool {
    let channel_type = target.channel_type.parse();
    matches!(channel_type, Ok(ChannelType::Loudspeaker | ChannelType::Led))
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
    use domain::ids::AlertId;

    use super::*;

    fn receipt(channel: ChannelType, provider_id: &str) -> Receipt {
        Receipt {
            target: Target {
                group: "g-1".parse().unwrap(),
                channel: "c".parse().unwrap(),
                channel_type: channel.as_str().into(),
            },
            revision: 1,
            attempt: 2,
            outcome: Known::Accepted,
            at: Millis(5),
            took_ms: 1,
            status: 0,
            trouble: String::new(),
            next_attempt_at: None,
            provider_id: provider_id.to_owned(),
        }
    }

    fn place() -> (BookId, Home, RecordId) {
        let alert = AlertId::raised_by(RecordId::of_purpose("a"));
        ((alert, "15961".parse().unwrap()), Home::NATION, RecordId::of_purpose("p"))
    }

    #[test]
    fn a_name_is_the_accounts_alone_and_may_come_before_its_message() {
        let mut names = Names::default();
        let (sms, bot): (Arc<str>, Arc<str>) = ("sms".into(), "bot".into());
        names.comes_early((Arc::clone(&sms), "77".into()), Level::Delivered);
        let telegram = receipt(ChannelType::Telegram, "77");
        assert_eq!(names.remember(place(), &bot, &telegram).len(), 0);
        let seen = names.remember(place(), &sms, &receipt(ChannelType::Sms, "77"));
        let outcomes: Vec<_> = seen.iter().map(|one| one.receipt.outcome).collect();
        assert_eq!(outcomes, [Known::Delivered]);
        assert_eq!(names.messages.len(), 2);
        assert!(names.early.is_empty());
    }

    #[test]
    fn what_came_to_a_poster_is_in_hand_and_never_delivered() {
        let said = |channel: ChannelType, level| {
            let mut names = Names::default();
            let account: Arc<str> = "a".into();
            names.comes_early((Arc::clone(&account), "1".into()), level);
            let seen = names.remember(place(), &account, &receipt(channel, "1"));
            seen.first().unwrap().receipt.outcome
        };
        assert_eq!(said(ChannelType::Sms, Level::Delivered), Known::Delivered);
        assert_eq!(said(ChannelType::Poster, Level::Delivered), Known::HandedOver);
        assert_eq!(said(ChannelType::Poster, Level::Read), Known::HandedOver);
        assert_eq!(said(ChannelType::Poster, Level::Failed), Known::Refused);
    }
}
