//! What is asked of a delivery, and what is recorded of it.

use std::sync::Arc;

use crate::{
    ids::{AlertId, ChannelId, CommuneCode, GroupId, Home, Millis, RecordId},
    values::News,
};

/// One channel of one group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The group.
    pub group: GroupId,
    /// The channel within the group.
    pub channel: ChannelId,
    /// The channel's type, as `webhook`.
    pub channel_type: Arc<str>,
}

/// The stable id of one delivery: alert, revision, group and channel; the same at every retry.
#[must_use]
pub fn delivery_id(alert: AlertId, revision: u64, target: &Target) -> String {
    format!("{alert}:{revision}:{}:{}", target.group, target.channel)
}

/// Something asked of a delivery. Fan-out asks; there is no person behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryCommand {
    /// Tell this news.
    Plan(Plan),
    /// Tell the newest news to those who may have been told by a plan that was lost, and that is
    /// back behind it.
    CatchUp {
        /// The instance that would send.
        instance: String,
    },
    /// Make these attempts, on channels where each has a record of its own.
    Begin {
        /// The instance.
        instance: String,
        /// Which.
        attempts: Vec<Begun>,
    },
    /// Tell the newest news over these too, since nothing else was confirmed in time.
    FallBack {
        /// The instance that would send.
        instance: String,
        /// The revision that was not confirmed.
        revision: u64,
        /// Over these.
        targets: Vec<Target>,
    },
    /// A person has posted this by hand.
    AttestPosted {
        /// For whom.
        target: Target,
        /// Which revision.
        revision: u64,
    },
    /// Try this again, which is over without success.
    Requeue {
        /// For whom.
        target: Target,
        /// Which revision.
        revision: u64,
    },
    /// Send from now on.
    TakeLease {
        /// The instance.
        instance: String,
    },
    /// Do not send what has not left.
    Stop {
        /// Why.
        reason: StopReason,
        /// The revisions up to this one.
        revision: u64,
        /// These only; all where it is empty.
        targets: Vec<Target>,
        /// Whether it is certain that nothing of it ever left.
        never_left: bool,
    },
}

/// What is to be told, to whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The alert.
    pub alert: AlertId,
    /// Where the alert is at home.
    pub alert_home: Home,
    /// The commune whose groups are told.
    pub commune: CommuneCode,
    /// The revision of the alert.
    pub revision: u64,
    /// What it tells.
    pub news: News,
    /// The record in the alert's history that made this news.
    pub cause: RecordId,
    /// The instance that would send.
    pub instance: String,
    /// No attempt after this.
    pub give_up_at: Millis,
    /// No attempt before this: it is quiet in the commune (R16).
    pub not_before: Option<Millis>,
    /// Whom of the commune.
    pub audience: Audience,
    /// For [`Audience::Named`]: these. All others follow from the plans before.
    pub targets: Vec<Target>,
}

/// One attempt about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// For whom.
    pub target: Target,
    /// Which revision.
    pub revision: u64,
    /// 1 for the first.
    pub attempt: u32,
}

/// What was begun for one target, over all revisions. A record that comes twice counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct BegunSoFar {
    newest: (u64, u32),
    /// How many attempts.
    pub count: u32,
}

impl BegunSoFar {
    /// Takes an attempt in; `false` where it, or a later one, was begun before.
    pub fn take(&mut self, revision: u64, attempt: u32) -> bool {
        let is_new = (revision, attempt) > self.newest;
        if is_new {
            self.newest = (revision, attempt);
            self.count += 1;
        }
        is_new
    }

    /// Whether this attempt would be a new one.
    #[must_use]
    pub fn would_be_new(&self, revision: u64, attempt: u32) -> bool {
        (revision, attempt) > self.newest
    }
}

/// Who is told some news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// The targets that the plan names.
    Named,
    /// Everybody planned for before who may have been reached.
    MayHaveBeenReached,
    /// Everybody planned for before who was certainly not reached.
    NotReached,
    /// Everybody planned for before.
    Everybody,
}

/// Why something was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopReason {
    /// The commune refused the alert.
    Refused,
    /// The alert's time passed.
    Expired,
    /// A later revision took its place.
    Superseded,
    /// The group or its channel is gone from the directory.
    NoSuchTarget,
    /// The gate is shut: an exercise, and the group takes no part.
    Gate,
    /// The issuing commune put it on hold.
    Held,
}

impl StopReason {
    /// Whether it stops corrections and ends too. Who may have been told of an alert hears that it
    /// was wrong, or is over, whoever has refused it or put it on hold since.
    #[must_use]
    pub fn stops_what_sets_right(self) -> bool {
        !matches!(self, Self::Refused | Self::Held)
    }

    /// The reason's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::NoSuchTarget => "no-such-target",
            Self::Gate => "gate",
            Self::Held => "on-hold",
        }
    }
}

impl std::str::FromStr for StopReason {
    type Err = crate::values::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use StopReason::{Expired, Gate, Held, NoSuchTarget, Refused, Superseded};
        [Refused, Expired, Superseded, NoSuchTarget, Gate, Held]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(crate::values::UnknownWord)
    }
}

/// What is recorded of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// These targets are about to be told; the record of the first attempt.
    Planned {
        /// What, and to whom: at most [`super::TARGETS_PER_RECORD_MAX`].
        plan: Plan,
        /// Until when `plan.instance` may send.
        lease_until: Millis,
    },
    /// These attempts are about to be made: nothing of them leaves before this is durable.
    Begun(Vec<Begun>),
    /// A person said that this was posted by hand.
    PostAttested {
        /// For whom.
        target: Target,
        /// Which revision.
        revision: u64,
    },
    /// This is to be tried again.
    Requeued {
        /// For whom.
        target: Target,
        /// Which revision.
        revision: u64,
        /// No attempt after this.
        give_up_at: Millis,
    },
    /// Another instance sends.
    LeaseTaken {
        /// Which.
        instance: String,
        /// Until when.
        lease_until: Millis,
    },
    /// What had not left was stopped.
    Stopped {
        /// Why.
        reason: StopReason,
        /// The revisions up to this one.
        revision: u64,
        /// These only; all where it is empty.
        targets: Vec<Target>,
        /// Whether it is certain that nothing of it ever left.
        never_left: bool,
    },
}
