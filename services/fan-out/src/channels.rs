//! The ways to reach a group, one file each, behind one trait.
//!
//! A channel renders purely, makes one attempt a call, and says what is known of it and no more.
//! When to try again is the lane's, how often and in which order the desk's. Source of the shapes:
//! `channels.md`, section 9.

pub mod address;
pub mod bot;
pub mod email;
pub mod http;
pub mod mqtt;
pub mod poster;
pub mod sms;
pub mod telegram;
pub mod web_push;
pub mod webhook;
pub mod zalo;
pub mod zalo_bot;

#[cfg(test)]
pub(crate) mod testing;

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use domain::{
    channel::ChannelType,
    ids::{AlertId, Millis},
    lane::Outcome as Known,
    values::AlertKind,
};
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::{Body, Told, Unit};

/// What a channel can, and what it promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Which type of channel it serves.
    pub channel_type: ChannelType,
    /// The longest text that it takes.
    pub text_max: usize,
    /// In what the text is counted.
    pub unit: Unit,
    /// The most that is known of an attempt without a person.
    pub confirms: Confirms,
    /// What a repeat of an attempt shows.
    pub repeats: Repeats,
    /// What pictures it takes.
    pub photo: PhotoRule,
    /// Whether its targets share one account, whose failures are one: rate, breaker, budget.
    pub shares_account: bool,
    /// How many messages a minute the account takes, unless the operator says otherwise;
    /// `None`: no limit is known.
    pub per_minute: Option<u32>,
    /// How many a minute one target takes; `None`: no limit is known.
    pub per_minute_a_target: Option<u32>,
}

/// The most that a channel itself tells of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirms {
    /// That the provider took it.
    Accepted,
    /// That it arrived: the holder of the target answered itself, or a receipt comes.
    Delivered,
    /// That somebody has read it.
    Read,
}

/// What a repeat of the same attempt shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// Nothing: the provider or the target knows the key, or the later takes the earlier's place.
    Harmless,
    /// It shows twice. Where [`Channel::reconcile`] cannot tell, the policy of the kind decides.
    ShownTwice,
}

/// What pictures a channel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotoRule {
    /// None: the picture is seen where the alert is verified.
    None,
    /// As a signed, expiring address that the provider fetches.
    ByUrl,
    /// As bytes that are uploaded first, of at most so many.
    ByUpload {
        /// Bytes.
        bytes_max: usize,
    },
}

/// What one delivery is to say: all that a rendering may know. Never a person's name.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What is told, by whom.
    pub told: Told<'a>,
    /// The common part of a webhook's body, written once for all.
    pub body: &'a Body,
    /// Which delivery it is.
    pub delivery: Named<'a>,
    /// The picture, where there is one that the public may see.
    pub photo: Option<&'a Photo>,
    /// The page of a person's task; only for [`ChannelType::Poster`].
    pub task_url: Option<&'a str>,
    /// Whether the person has the task already, and is reminded of it.
    pub is_reminder: bool,
}

/// The names of one delivery.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its id, made of alert, revision, group and channel: the same at every attempt.
    pub id: &'a str,
    /// The group.
    pub group: &'a str,
    /// The commune whose group it is.
    pub commune: &'a str,
    /// The channel of the group.
    pub channel: &'a str,
}

/// A picture of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// Its content id.
    pub id: String,
    /// Where it is served without a token, for a while; absolute. Empty for channels that upload.
    pub url: String,
    /// Its bytes, as JPEG, for channels that upload; else empty.
    pub jpeg: Bytes,
}

/// What leaves. Its text is the public's, but it may hold links that open something.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// What is sent: text in UTF-8, or the bytes of the wire format.
    pub body: Bytes,
    /// The subject line, where the channel has one.
    pub subject: String,
    /// The picture that goes with it.
    pub photo: Option<Photo>,
    /// What had to be left out.
    pub warnings: Vec<&'static str>,
}

impl Rendered {
    /// A plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { body: Bytes::from(text.into()), ..Self::default() }
    }

    /// The body as text; empty where it is none.
    #[must_use]
    pub fn as_text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// This alert cannot be said on this channel. It is over for this target: a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot be said on this channel: {0}")]
pub struct NotRendered(pub &'static str);

/// One attempt: what a channel knows beside the rendered message and the address.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// The delivery's id: the idempotency key, the same at every attempt.
    pub delivery: &'a str,
    /// The alert.
    pub alert: AlertId,
    /// What it is about.
    pub kind: AlertKind,
    /// The revision that is told.
    pub revision: u64,
    /// The first revision that this target was told of this alert; the same as `revision` where
    /// this is it. What follows up is threaded to it.
    pub first_revision: u64,
    /// 1 for the first.
    pub attempt: u32,
    /// Now; when an attempt is asked about, when it began.
    pub now: Millis,
    /// When the alert, or what it tells, ends: nothing shows it after this.
    pub expires_at: Millis,
    /// Whether it goes before everything else: a life may hang on it.
    pub is_urgent: bool,
}

/// What one attempt came to. Nothing in it is secret, and no word of the alert is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target's holder confirmed it.
    Delivered,
    /// The provider took it: nothing says yet that it arrived.
    Accepted {
        /// The provider's name for it, to match receipts.
        provider_id: Option<String>,
    },
    /// The provider had it already, under this key.
    Duplicate {
        /// The provider's name for it.
        provider_id: Option<String>,
    },
    /// A person has it in hand, and posts it.
    HandedOver {
        /// The provider's name for what was handed over.
        provider_id: Option<String>,
    },
    /// Surely not sent; may be tried again.
    Retry {
        /// When the provider wants the next, in seconds from now.
        after_s: Option<u32>,
        /// A stable code.
        why: &'static str,
    },
    /// May have been sent.
    Unknown {
        /// When the provider wants the next, in seconds from now.
        after_s: Option<u32>,
        /// A stable code: `timeout`, `reset`, `status`.
        why: &'static str,
    },
    /// Surely not sent, and not before then: a night window, a daily quota.
    Defer {
        /// Until when.
        until: Millis,
        /// A stable code.
        why: &'static str,
    },
    /// This target exists no more, or may not be told this way.
    TargetGone {
        /// A stable code.
        why: Cow<'static, str>,
    },
    /// Surely not sent, and never will be: the message itself is refused.
    Permanent {
        /// A stable code.
        code: Cow<'static, str>,
    },
    /// Surely not sent: nothing on this account works until somebody acts.
    ChannelDown {
        /// A stable code.
        code: Cow<'static, str>,
    },
}

/// Codes of [`Outcome::Retry`] and [`Outcome::Unknown`] that speak of one target alone: however
/// many targets have them, they say nothing of the account, and no breaker opens for them.
/// In [`Outcome::ChannelDown`] a word that stands here too is the account's.
pub const TARGET_TROUBLES: [&str; 7] = [
    // A loudspeaker's or a board's address in the groups file.
    "address",
    // A group of Telegram's has another id.
    "chat-moved",
    // A mailbox's server lets a stranger wait.
    "greylisted",
    // A device without power.
    "no-subscriber",
    // A device's line in the broker's access list.
    "not-authorised",
    // A browser that is sent too much.
    "target-rate",
    // A subscription that was made with another key.
    "vapid",
];

impl Outcome {
    /// What is known by it of where the message is.
    #[must_use]
    pub fn known(&self) -> Known {
        match self {
            Self::Delivered => Known::Delivered,
            Self::Accepted { .. } | Self::Duplicate { .. } => Known::Accepted,
            Self::HandedOver { .. } => Known::HandedOver,
            Self::Unknown { .. } => Known::Unknown,
            Self::Retry { .. } | Self::Defer { .. } | Self::ChannelDown { .. } => Known::NotReached,
            Self::TargetGone { .. } => Known::Gone,
            Self::Permanent { .. } => Known::Refused,
        }
    }

    /// The provider's name for the message, where it gave one.
    #[must_use]
    pub fn provider_id(&self) -> Option<&str> {
        match self {
            Self::Accepted { provider_id }
            | Self::Duplicate { provider_id }
            | Self::HandedOver { provider_id } => provider_id.as_deref(),
            _ => None,
        }
    }

    /// The stable code of what went wrong; empty where nothing did.
    #[must_use]
    pub fn trouble(&self) -> &str {
        match self {
            Self::Delivered
            | Self::Accepted { .. }
            | Self::Duplicate { .. }
            | Self::HandedOver { .. } => "",
            Self::Retry { why, .. } | Self::Unknown { why, .. } | Self::Defer { why, .. } => why,
            Self::TargetGone { why: code }
            | Self::Permanent { code }
            | Self::ChannelDown { code } => code,
        }
    }
}

/// One attempt, over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What it came to.
    pub outcome: Outcome,
    /// The HTTP or SMTP status, or the provider's own code; 0 where there was none.
    pub status: u32,
}

impl Sent {
    /// An outcome, and the status that said so.
    #[must_use]
    pub fn with(outcome: Outcome, status: impl Into<u32>) -> Self {
        Self { outcome, status: status.into() }
    }
}

impl From<Outcome> for Sent {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, status: 0 }
    }
}

/// What can be found out about an attempt whose end is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reconciled {
    /// It is there.
    Arrived {
        /// The provider's name for it.
        provider_id: Option<String>,
    },
    /// It is certainly not there.
    NotArrived,
    /// Nobody can tell: the policy of the kind decides.
    CannotTell,
}

/// A call from a provider, as it came.
#[derive(Clone, Copy)]
pub struct RawRequest<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The path behind `/v1/channels/{account}/callback`, without a slash in front.
    pub path: &'a str,
    /// The query, without `?`.
    pub query: &'a str,
    /// Names in lower case.
    pub headers: &'a http::HeaderMap,
    /// The bytes of the body, unchanged: signatures are over these.
    pub body: &'a [u8],
    /// Now.
    pub now: Millis,
}

/// What a provider tells us, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// What became of a message.
    Receipt {
        /// The provider's name for it, or our own key where the provider returns that.
        provider_id: String,
        /// What is known now.
        level: Level,
        /// When, as the provider says.
        at: Millis,
    },
    /// A message of our own, shown in the chat: a proof that it was sent.
    Echo {
        /// The provider's name for it.
        provider_id: String,
        /// Where.
        target: String,
    },
    /// Somebody writes. Who and what is personal, and stays out of logs.
    Tip {
        /// Where an answer would go: a user or a chat of this channel.
        from: String,
        /// The provider's name for it: a repeat is known by it.
        message_id: String,
    },
    /// Somebody or we came to a group, or follow us.
    Joined {
        /// The group or user.
        target: String,
    },
    /// Somebody left, or we were put out.
    Left {
        /// The group or user.
        target: String,
    },
    /// Something about the account: a quota, a disabled webhook.
    Account {
        /// A stable code.
        code: Cow<'static, str>,
    },
    /// Something that concerns nobody here. It is counted.
    Ignored {
        /// The provider's name for the event.
        event: String,
    },
}

/// What a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It arrived.
    Delivered,
    /// It was read.
    Read,
    /// It did not arrive, and will not.
    Failed,
}

/// Why a call from outside is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReceived {
    /// This channel is never called.
    #[error("this channel takes no calls")]
    Unsupported,
    /// It is not from the provider. Nothing of it was read.
    #[error("the signature does not fit")]
    NotSigned,
    /// It is signed, and makes no sense.
    #[error("cannot be read")]
    NotReadable,
}

/// Calls taken from a provider, and what it reads as our answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// What they say; may be empty.
    pub inbound: Vec<Inbound>,
    /// The body of our answer; most providers read only the status.
    pub answer: &'static str,
}

/// How an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Works,
    /// It cannot be asked, or not now.
    NotKnown {
        /// A stable code.
        why: Cow<'static, str>,
    },
    /// Somebody must act.
    Down {
        /// A stable code.
        code: Cow<'static, str>,
    },
}

/// A way to reach groups. Any number of attempts may be under way at once.
///
/// The caller has made the intent durable before `send`, and decides when to try again. Where a
/// call is refused, so that nothing was sent, for what can be put right at once (an access token
/// to renew, a chat that has moved, a picture that is not taken), a channel may put it right and
/// call once more within the one attempt; it does nothing else twice, and never sleeps.
pub trait Channel: Send + Sync {
    /// What it can.
    fn caps(&self) -> &Caps;

    /// What is said. Pure: the same view gives the same bytes.
    ///
    /// # Errors
    /// It cannot be said on this channel at all.
    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered>;

    /// A few words to one person, where a person reads this channel: not an alert. None of it is
    /// cut, since it may end in a link. `None` where this channel carries no such words, or not so
    /// many of them. Every channel by which a poster may get the task has it (`registry`, `VIA`).
    fn note(&self, _text: &str, _subject: &str) -> Option<Rendered> {
        None
    }

    /// One attempt. Returns within [`domain::schedule::ATTEMPT_MS_MAX`].
    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent>;

    /// What became of an attempt whose end is unknown; `message` is what was sent, and the
    /// intent's `now` is when it began.
    fn reconcile<'a>(
        &'a self,
        _message: &'a Rendered,
        _to: &'a Address,
        _intent: Intent<'a>,
    ) -> BoxFuture<'a, Reconciled> {
        std::future::ready(Reconciled::CannotTell).boxed()
    }

    /// A call from the provider: verified over the raw bytes first, then read.
    ///
    /// # Errors
    /// It is not from the provider, or cannot be read.
    fn receive(&self, _request: RawRequest<'_>) -> Result<Received, NotReceived> {
        Err(NotReceived::Unsupported)
    }

    /// Whether the account works; sends nothing to anybody.
    fn probe(&self) -> BoxFuture<'_, Health> {
        std::future::ready(Health::NotKnown { why: Cow::Borrowed("cannot-be-asked") }).boxed()
    }
}
