//! Which faults a seed enables: each another subset (swarm testing), and when they are over.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::chance::Chance;

/// What holds the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// One machine, whose log is on its own disk: what is appended is ordered at once, and what
    /// was not synced is gone after a power cut.
    OneMachine,
    /// Two machines at one broker, each with an outbox: what is appended may take its time, end
    /// in uncertainty, or be lost by the broker and healed.
    Broker,
}

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An append happened, and its answer says that nobody knows.
    LostAnswers,
    /// An append did not happen, and its answer says that nobody knows.
    NotAppended,
    /// An append is told of a conflict where there is none.
    Conflicts,
    /// Appends and loads take up to seconds.
    SlowAnswers,
    /// The log cannot be read now.
    Unreadable,
    /// What a reactor acknowledged comes again.
    LostAcks,
    /// Each follower is behind by its own time, so that classes are reordered.
    Lags,
    /// A follower stands still for a while.
    Stalls,
    /// Following ends in the middle.
    BrokenFollowing,
    /// Durability comes late.
    SlowDisk,
    /// Targets fail, hang, or are slow.
    SickTargets,
    /// The clocks of machines jump, forth and back.
    Jumps,
    /// Machines are killed and started again.
    Crashes,
    /// The broker loses the tail of a class, and is healed from the outboxes.
    LostTail,
    /// A machine cannot reach the broker.
    Away,
    /// Clients repeat a request with other bytes under the same key.
    OtherBytes,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::LostAnswers,
        Self::NotAppended,
        Self::Conflicts,
        Self::SlowAnswers,
        Self::Unreadable,
        Self::LostAcks,
        Self::Lags,
        Self::Stalls,
        Self::BrokenFollowing,
        Self::SlowDisk,
        Self::SickTargets,
        Self::Jumps,
        Self::Crashes,
        Self::LostTail,
        Self::Away,
        Self::OtherBytes,
    ];

    /// A log on the own disk answers at once; a failed sync there ends the process.
    fn fits(self, setting: Setting) -> bool {
        setting == Setting::Broker
            || matches!(
                self,
                Self::LostAcks
                    | Self::Lags
                    | Self::Stalls
                    | Self::SlowDisk
                    | Self::SickTargets
                    | Self::Jumps
                    | Self::Crashes
                    | Self::OtherBytes
            )
    }
}

/// The faults of one seed. Cloning shares the switch.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Where they happen.
    pub setting: Setting,
    enabled: BTreeSet<Fault>,
    on: Arc<AtomicBool>,
}

impl Faults {
    /// Those of this seed, switched off.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let chance = Chance::of(seed, "faults");
        let setting = if chance.once_in(3) { Setting::OneMachine } else { Setting::Broker };
        // Some seeds are nearly calm, some have nearly everything.
        let many = chance.between(1, 4);
        let mut enabled: BTreeSet<Fault> = Fault::ALL
            .into_iter()
            .filter(|fault| chance.below(5) < many && fault.fits(setting))
            .collect();
        // A broker that loses what it acknowledged had not synced it; one fault at a time.
        if enabled.contains(&Fault::LostTail) {
            enabled.remove(&Fault::SlowDisk);
        }
        Self { setting, enabled, on: Arc::default() }
    }

    /// Whether this may happen now.
    #[must_use]
    pub fn now(&self, fault: Fault) -> bool {
        self.on.load(Ordering::Relaxed) && self.enabled.contains(&fault)
    }

    /// Whether this may happen in the course of the history.
    #[must_use]
    pub fn ever(&self, fault: Fault) -> bool {
        self.enabled.contains(&fault)
    }

    /// Lets them happen, or ends them all.
    pub fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.setting)?;
        self.enabled.iter().try_for_each(|fault| write!(f, " {fault:?}"))
    }
}

/// What is broken on purpose, so that the checker must turn red.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutation {
    /// The log says durable what is not.
    DurableTooEarly,
    /// The log holds a second commit for a command.
    DoubledCommit,
    /// A target hears of the end before it hears of the alert.
    CancelFirst,
    /// The log loses an answer to a command, and nobody sends it again.
    ForgottenCommit,
    /// A target never hears of the end.
    SwallowedEnd,
    /// An exercise reaches a group of the public.
    ExerciseLeaks,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DurableTooEarly,
        Self::DoubledCommit,
        Self::CancelFirst,
        Self::ForgottenCommit,
        Self::SwallowedEnd,
        Self::ExerciseLeaks,
    ];
}
