//! What was known, as it is answered: open parts only.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// What a commune, or everybody, knew at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsKnown {
    /// The moment.
    pub at: Time,
    /// Whose board.
    pub commune: Option<String>,
    /// The one alert that was asked for.
    pub alert: Option<String>,
    /// How many records were looked at.
    pub records: u64,
    /// The alerts on the board as they stood.
    pub alerts: Vec<KnownAlert>,
    /// The freezes in force.
    pub freezes: Vec<KnownFreeze>,
    /// What was refused by then.
    pub refused: Vec<KnownRefusal>,
    /// What had been asked for and was not decided on yet.
    pub undecided: Vec<KnownUndecided>,
    /// What this program cannot read: the answer may lack what stands there.
    pub unreadable: Vec<Unread>,
}

/// An alert as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownAlert {
    /// Its id.
    pub id: String,
    /// Its code.
    pub code: String,
    /// The issuing commune.
    pub commune: String,
    /// `own`, `relayed`; `asked` where an alert was asked for and no commune.
    pub seen_as: String,
    /// The subject; empty where the raise cannot be read.
    pub kind: String,
    /// CAP's status.
    pub status: String,
    /// The state's word.
    pub state: String,
    /// The revision that stood; 1 is the one that is being decided on.
    pub revision: u64,
    /// When it was to end by itself.
    pub expires_at: Option<Time>,
    /// When it was raised.
    pub raised_at: Option<Time>,
    /// Who raised it.
    pub raised_by: String,
    /// When it came into force first.
    pub issued_at: Option<Time>,
    /// Whether what had not left was kept.
    pub on_hold: bool,
    /// `owed`, `missed`, `done`, or empty.
    pub review: String,
    /// The revision of a change that waited for a second person.
    pub pending: Option<u64>,
    /// Which of its words were there: the names of the sealed fields, never what they say.
    pub words: Vec<String>,
    /// The newest record of its own that this rests on.
    pub position: u64,
    /// Where it was put; the issuing commune sees all, others themselves.
    pub relays: Vec<KnownRelay>,
    /// Who was told what, and how far that was known to have come.
    pub deliveries: Vec<KnownDelivery>,
    /// Channels of groups that were told nothing, and why.
    pub withheld: Vec<Withheld>,
    /// The deliveries, counted.
    pub counts: Counts,
}

/// An alert in one commune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRelay {
    /// The commune.
    pub commune: String,
    /// Why it is in reach.
    pub reason: String,
    /// When the alert was put to it.
    pub relayed_at: Time,
    /// The record that says so.
    pub position: u64,
    /// `raised`, `relayed`, `silent`, `acknowledged`, `refused`.
    pub standing: String,
    /// When it answered.
    pub answered_at: Option<Time>,
    /// Who answered.
    pub answered_by: String,
    /// Who else was asked.
    pub escalated: Vec<KnownEscalation>,
    /// When it instructed its own groups last.
    pub instructed_at: Option<Time>,
    /// Where it relayed the alert onward to.
    pub onward_to: Vec<String>,
    /// The newest revision that was planned for its groups; 0: nothing was.
    pub planned_revision: u64,
    /// An answer that was given only after that moment.
    pub later: Option<LaterAnswer>,
}

/// Somebody else was asked, since a commune was silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownEscalation {
    /// `second-contact`, `province-desk`.
    pub step: String,
    /// They.
    pub officers: Vec<String>,
    /// When.
    pub at: Time,
}

/// An answer that came later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaterAnswer {
    /// `acknowledged`, `refused`.
    pub answer: String,
    /// When.
    pub at: Time,
}

/// What was known of whether something had arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// Nothing had left: it waits for the end of quiet hours, or its attempt was not begun.
    NotSent,
    /// The record of an attempt was written, and no end of it: it was leaving, under way, or
    /// there already.
    Sent,
    /// A provider or a person had it; nothing said that it arrived.
    Taken,
    /// It had arrived, as somebody confirmed.
    Arrived,
    /// It may have arrived: an attempt ended so that nobody knew.
    Unknown,
    /// It had certainly not arrived.
    NotArrived,
}

/// One revision for one channel of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDelivery {
    /// The commune.
    pub commune: String,
    /// The group.
    pub group: String,
    /// The channel.
    pub channel: String,
    /// The channel's type.
    #[serde(rename = "type")]
    pub channel_type: String,
    /// Which revision.
    pub revision: u64,
    /// What it tells.
    pub news: String,
    /// The state's word, as people were shown it then.
    pub state: String,
    /// How far it was known to have come.
    pub known: Knowledge,
    /// When it was planned.
    pub planned_at: Time,
    /// When it was to be tried next: the end of quiet hours, or a retry.
    pub next_attempt_at: Option<Time>,
    /// Attempts whose end was known.
    pub attempts: u32,
    /// When the last of them ended.
    pub last_attempt_at: Option<Time>,
    /// When it first may have arrived.
    pub reached_at: Option<Time>,
    /// What went wrong last.
    pub trouble: String,
    /// Receipts that said nothing new, and changed nothing.
    pub repeats: u32,
    /// What was recorded of it only after that moment; `None`: nothing ever was.
    pub later: Option<Later>,
}

/// What was learned later of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// What was known in the end.
    pub state: String,
    /// What the first receipt that was recorded later said of its attempt, or the first that
    /// said that it may have arrived.
    pub outcome: String,
    /// When that attempt ended.
    pub ended_at: Time,
    /// When it had begun, as far as its receipt says.
    pub began_at: Time,
    /// When that was recorded.
    pub recorded_at: Time,
    /// The record.
    pub position: u64,
    /// It had ended by the moment asked for: true then, and not known.
    pub was_true: bool,
}

/// A channel of a group that was told nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The commune.
    pub commune: String,
    /// The group.
    pub group: String,
    /// The channel.
    pub channel: String,
    /// `gate`: an exercise, and the group takes no part; `fallback`: kept for when others are
    /// silent; `relay-refused`: the commune does not take it; `on-hold`; `not-in-force`;
    /// `not-planned`: nothing was planned by then.
    pub why: String,
}

/// Deliveries, counted: of each target its newest revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Confirmed.
    pub arrived: usize,
    /// A provider or a person had it.
    pub taken: usize,
    /// Sent, arrival not known.
    pub sent: usize,
    /// Nothing had left.
    pub not_sent: usize,
    /// It may have arrived.
    pub unknown: usize,
    /// It certainly had not.
    pub not_arrived: usize,
    /// Told nothing.
    pub withheld: usize,
}

/// A freeze in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFreeze {
    /// `officer-<id>` or `commune-<code>`.
    pub of: String,
    /// Until when.
    pub until: Time,
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRefusal {
    /// When.
    pub at: Time,
    /// The record that says so.
    pub position: u64,
    /// Of what.
    pub entity: String,
    /// The name of the command.
    pub asked: String,
    /// Who asked.
    pub by: String,
    /// When it was asked.
    pub asked_at: Time,
    /// Why.
    pub code: String,
    /// The field at fault.
    pub field: String,
}

/// Something that nobody had decided on yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownUndecided {
    /// When it was asked.
    pub at: Time,
    /// The record of the command.
    pub position: u64,
    /// Of what.
    pub entity: String,
    /// The name of the command.
    pub asked: String,
    /// Who asked.
    pub by: String,
    /// When it was decided later; `None`: never, as far as the log goes.
    pub decided_at: Option<Time>,
}

/// A record that this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Where it stands.
    pub position: u64,
    /// Whose.
    pub entity: String,
}
