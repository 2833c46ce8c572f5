//! One revision of one alert for one target: where it stands, and what is known of its attempts.
//!
//! Source of the states: `channels.md`, section 10.

use crate::{
    channel::ChannelType,
    delivery::{Plan, StopReason, Target},
    ids::Millis,
    values::News,
};

/// What is known of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The holder confirmed it.
    Delivered,
    /// It failed and certainly did not arrive.
    NotReached,
    /// It failed and may have arrived.
    Unknown,
    /// The target does not exist (any more): 404, 410.
    Gone,
    /// The provider took it; nothing says that it arrived.
    Accepted,
    /// A person has it in hand, and posts it.
    HandedOver,
    /// It was read.
    Read,
    /// It certainly did not arrive, and never will: the message itself is refused.
    Refused,
    /// It may have arrived, nobody can tell, and a repeat would show twice: a person decides.
    NeedsPerson,
}

impl Outcome {
    /// The word for it in measures and lines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::NotReached => "not-reached",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
            Self::Accepted => "accepted",
            Self::HandedOver => "handed-over",
            Self::Read => "read",
            Self::Refused => "refused",
            Self::NeedsPerson => "needs-person",
        }
    }

    /// How much is known by it. A receipt may say more of an attempt than an earlier one did.
    fn rank(self) -> u8 {
        match self {
            Self::NotReached | Self::Gone | Self::Refused => 0,
            Self::Unknown => 1,
            Self::NeedsPerson => 2,
            Self::Accepted | Self::HandedOver => 3,
            Self::Delivered => 4,
            Self::Read => 5,
        }
    }

    /// Whether a second receipt of the same attempt says more than the first: a proof of what was
    /// unknown, a provider's own receipt, also that it failed in the end.
    fn says_more_than(self, before: Self) -> bool {
        let was_taken = matches!(before, Self::Accepted | Self::HandedOver);
        self.rank() > before.rank() || (was_taken && self == Self::Refused)
    }
}

/// What the holder of the lease saw of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Who was told.
    pub target: Target,
    /// Which revision.
    pub revision: u64,
    /// 1 for the first.
    pub attempt: u32,
    /// What is known.
    pub outcome: Outcome,
    /// When the attempt ended.
    pub at: Millis,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// The HTTP status; 0 where there was none.
    pub status: u32,
    /// A stable code: `connect`, `timeout`, `status`, `blocked`; empty where it was delivered.
    pub trouble: String,
    /// When it is tried again; of what a person has in hand, when the person is reminded.
    pub next_attempt_at: Option<Millis>,
    /// The provider's name for the message; empty where it has none.
    pub provider_id: String,
}

/// Where one delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// About to leave, or under way.
    Planned,
    /// It failed, or it is quiet in the commune: it is tried at this time.
    Waiting(Millis),
    /// The provider took it; nothing says that it arrived.
    Accepted(Millis),
    /// A person has it in hand.
    HandedOver {
        /// When the person is reminded.
        remind_at: Option<Millis>,
    },
    /// A person said that it was posted by hand.
    Posted(Millis),
    /// Confirmed.
    Delivered(Millis),
    /// It was read.
    Read(Millis),
    /// It may have arrived, nobody can tell, and a repeat would show twice: a person decides.
    NeedsPerson,
    /// Over without a confirmation: the target is gone, or the time was up.
    Failed,
    /// Stopped before it had ended.
    Stopped(StopReason),
}

/// One revision of one alert for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneDelivery {
    /// Which revision.
    pub revision: u64,
    /// What it tells.
    pub news: News,
    /// When it was planned.
    pub planned_at: Millis,
    /// No attempt after this.
    pub give_up_at: Millis,
    /// Where it stands.
    pub progress: Progress,
    /// Attempts whose end is known.
    pub attempts: u32,
    /// When the last of them ended.
    pub last_attempt_at: Option<Millis>,
    /// Whether an attempt may have arrived, as far as the ended ones tell.
    pub maybe_arrived: bool,
    /// What is known of the last of them.
    pub last: Option<Outcome>,
    /// The highest attempt that was recorded before it was made.
    pub begun: u32,
    /// When that was recorded.
    pub begun_at: Option<Millis>,
    /// Whether the plan is the record of the first attempt.
    pub plan_begins: bool,
    /// When it first may have arrived, or was handed over.
    pub reached_at: Option<Millis>,
    /// When a person first had it in hand.
    pub handed_over_at: Option<Millis>,
    /// How many attempts ended so that nobody knows whether they arrived.
    pub unknowns: u32,
    /// Whether somebody has had it tried again since its last attempt.
    pub requeued: bool,
    /// The stable code of what went wrong last; empty where nothing did.
    pub trouble: Box<str>,
}

/// What the records say of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OnRecord<'a> {
    target: &'a Target,
    revision: u64,
    planned_at: Millis,
    attempts: u32,
    begun: u32,
    last: Option<Outcome>,
    last_attempt_at: Option<Millis>,
    unknowns: u32,
    trouble: &'a str,
}

impl LaneDelivery {
    pub(crate) fn on_record<'a>(&'a self, target: &'a Target) -> OnRecord<'a> {
        OnRecord {
            target,
            revision: self.revision,
            planned_at: self.planned_at,
            attempts: self.attempts,
            begun: self.begun,
            last: self.last,
            last_attempt_at: self.last_attempt_at,
            unknowns: self.unknowns,
            trouble: &self.trouble,
        }
    }

    /// What is planned for a target, to which `before` was told. An update that takes the place of
    /// a correction which has not ended sets right, too: it is told as one, and for as long.
    pub(crate) fn of(plan: &Plan, target: &Target, before: &[Self], at: Millis) -> Self {
        let is_correction = |d: &&Self| d.news == News::Corrected && d.revision < plan.revision;
        let replaced = before.iter().rfind(|d| is_correction(d) && !d.ended());
        let replaced = replaced.filter(|_| plan.news == News::Updated);
        let (news, give_up_at, not_before) = match replaced {
            Some(old) => (old.news, old.give_up_at.max(plan.give_up_at), None),
            None => (plan.news, plan.give_up_at, plan.not_before),
        };
        Self {
            revision: plan.revision,
            news,
            planned_at: at,
            give_up_at,
            progress: not_before.map_or(Progress::Planned, Progress::Waiting),
            attempts: 0,
            last_attempt_at: None,
            maybe_arrived: false,
            last: None,
            begun: 0,
            begun_at: None,
            // A type that this program does not know may have begun with its plan.
            plan_begins: target.channel_type.parse().is_ok_and(ChannelType::plan_begins)
                || target.channel_type.parse::<ChannelType>().is_err(),
            reached_at: None,
            handed_over_at: None,
            unknowns: 0,
            requeued: false,
            trouble: "".into(),
        }
    }

    /// Whether nothing more will be tried.
    #[must_use]
    pub fn ended(&self) -> bool {
        !matches!(
            self.progress,
            Progress::Planned | Progress::Waiting(_) | Progress::HandedOver { .. }
        )
    }

    /// When the next attempt is due.
    #[must_use]
    pub fn due_at(&self) -> Option<Millis> {
        match self.progress {
            // At once, whatever a clock has been set to since.
            Progress::Planned => Some(Millis(0)),
            Progress::Waiting(at) => Some(at),
            Progress::HandedOver { remind_at } => remind_at,
            _ => None,
        }
    }

    /// Whether an attempt was begun whose end nobody recorded.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.begun > self.attempts
    }

    /// Whether it is over and did what can be known to have been done on its channel.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        matches!(
            self.progress,
            Progress::Accepted(_)
                | Progress::Posted(_)
                | Progress::Delivered(_)
                | Progress::Read(_)
        )
    }

    /// Whether it is over without success, and an operator may have it tried again.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(
            self.progress,
            Progress::Failed
                | Progress::NeedsPerson
                | Progress::Stopped(StopReason::NoSuchTarget | StopReason::Expired)
        )
    }

    pub(crate) fn may_have_arrived(&self, now: Millis, margin_ms: i64) -> bool {
        match self.progress {
            Progress::Planned | Progress::Waiting(_) if self.is_under_way() => true,
            // The plan is the record of the first attempt: it may be under way.
            Progress::Planned => self.plan_begins || self.maybe_arrived,
            Progress::Waiting(at) => {
                self.maybe_arrived || (self.plan_begins && at <= now.plus_ms(margin_ms))
            }
            _ => self.maybe_arrived,
        }
    }

    /// The state's word in the interface.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.progress {
            Progress::Planned => "planned",
            Progress::Waiting(_) if self.attempts == 0 && !self.requeued => "quiet-hours",
            Progress::Waiting(_) => "retrying",
            Progress::Accepted(_) => "accepted",
            Progress::HandedOver { .. } => "handed-over",
            Progress::Posted(_) => "attested-posted",
            Progress::Delivered(_) => "delivered",
            Progress::Read(_) => "read",
            Progress::NeedsPerson => "needs-person",
            Progress::Failed if self.maybe_arrived => "unknown",
            Progress::Failed => "failed",
            Progress::Stopped(reason) => reason.as_str(),
        }
    }

    /// Takes a receipt in. One that says no more than what is known changes nothing.
    pub(crate) fn receive(&mut self, receipt: &Receipt) {
        let is_known = receipt.attempt <= self.attempts;
        let says_more = receipt.attempt == self.attempts
            && self.last.is_some_and(|before| receipt.outcome.says_more_than(before));
        if is_known && !says_more {
            return;
        }
        let was_stopped = matches!(self.progress, Progress::Stopped(_));
        self.unknowns += u32::from(receipt.outcome == Outcome::Unknown && !is_known);
        self.requeued &= is_known;
        let only_attempt = receipt.attempt == 1;
        // What was handed over once, and by the attempt that this is a receipt of.
        if receipt.outcome == Outcome::Refused && is_known && self.is_first_in_hand() {
            self.take_back();
        }
        self.attempts = receipt.attempt;
        self.begun = self.begun.max(receipt.attempt);
        self.last_attempt_at = Some(receipt.at);
        self.last = Some(receipt.outcome);
        if *self.trouble != *receipt.trouble {
            self.trouble = receipt.trouble.as_str().into();
        }
        if self.is_confirmed_beyond(receipt.outcome) {
            return;
        }
        let ended = match receipt.outcome {
            Outcome::Accepted => Progress::Accepted(receipt.at),
            Outcome::Delivered => Progress::Delivered(receipt.at),
            Outcome::Read => Progress::Read(receipt.at),
            outcome => return self.not_ended(outcome, receipt, (was_stopped, only_attempt)),
        };
        self.may_have_arrived_by(receipt.at);
        self.progress = ended;
    }

    fn not_ended(
        &mut self,
        outcome: Outcome,
        receipt: &Receipt,
        (was_stopped, only_attempt): (bool, bool),
    ) {
        match outcome {
            Outcome::Unknown | Outcome::NeedsPerson | Outcome::HandedOver => {
                self.may_have_arrived_by(receipt.at);
            }
            // The one attempt that was under way when it was stopped did not arrive; nor did what
            // the provider took and says it could not deliver.
            Outcome::NotReached | Outcome::Gone if was_stopped && only_attempt => {
                self.maybe_arrived = false;
            }
            Outcome::Refused if only_attempt => self.maybe_arrived = false,
            _ => {}
        }
        if was_stopped {
            return;
        }
        self.progress = match (outcome, receipt.next_attempt_at) {
            (Outcome::HandedOver, remind_at) => {
                self.handed_over_at = self.handed_over_at.or(Some(receipt.at));
                Progress::HandedOver { remind_at }
            }
            (Outcome::NeedsPerson, _) => Progress::NeedsPerson,
            // A reminder that failed takes nothing out of the person's hand.
            (_, remind_at) if matches!(self.progress, Progress::HandedOver { .. }) => {
                Progress::HandedOver { remind_at }
            }
            (_, Some(at)) => Progress::Waiting(at),
            (_, None) => Progress::Failed,
        };
    }

    /// Whether a person has it in hand by the last attempt, and by none before that.
    fn is_first_in_hand(&self) -> bool {
        matches!(self.progress, Progress::HandedOver { .. })
            && self.handed_over_at == self.last_attempt_at
    }

    /// It never came into the person's hand after all.
    fn take_back(&mut self) {
        self.handed_over_at = None;
        self.progress = Progress::Failed;
    }

    /// What a person attested, or the holder confirmed, stands, whatever comes late.
    fn is_confirmed_beyond(&self, outcome: Outcome) -> bool {
        match self.progress {
            Progress::Posted(_) | Progress::Read(_) => true,
            Progress::Delivered(_) => outcome != Outcome::Read,
            _ => false,
        }
    }

    fn may_have_arrived_by(&mut self, at: Millis) {
        self.maybe_arrived = true;
        self.reached_at = Some(self.reached_at.map_or(at, |before| before.min(at)));
    }

    /// A person says that it was posted by hand.
    pub(crate) fn attest(&mut self, at: Millis) {
        self.may_have_arrived_by(at);
        if !matches!(self.progress, Progress::Posted(_)) {
            self.progress = Progress::Posted(at);
        }
    }

    /// An operator has it tried again.
    pub(crate) fn requeue(&mut self, at: Millis, give_up_at: Millis) {
        if self.is_dead() {
            self.progress = Progress::Waiting(at);
            self.give_up_at = give_up_at;
            // What was unknown has been looked at by a person.
            self.requeued = true;
        }
    }
}
