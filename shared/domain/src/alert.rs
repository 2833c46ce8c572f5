//! The alert's whole life: raised, approved or reviewed, issued; changed, widened, held; and
//! cancelled, resolved, opened again or expired.
//!
//! A relay to a commune begins where the alert names it; the commune's answer is `relay`'s.

mod ask;
mod deciding;
mod event;
mod folding;
mod near_expiry;
mod reckoning;
mod refusal;

use std::{collections::BTreeMap, sync::Arc};

pub use self::{
    ask::{AlertAsk, AlertCommand, Change, ChangeHow},
    event::{AlertEvent, Pending},
    near_expiry::NearExpiry,
    reckoning::{checklist, reached, second_person},
    refusal::NotDone,
};
use crate::{
    decider::Decider,
    delivery::Target,
    fatigue::Exceeded,
    ids::{CommuneCode, Home, Millis, RecordId},
    policy::Policy,
    reach::{Borders, CommuneReached, Figures, NextStep, ReachRequest, corridors::Corridors},
    values::{AlertKind, AlertStatus, Sex, Travel},
};

/// What is open of an alert; its words are sealed, and no decision needs them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AlertFacts {
    /// The subject.
    pub kind: AlertKind,
    /// CAP's status.
    pub status: AlertStatus,
    /// The issuing commune.
    pub home: Home,
    /// When the first word of it came.
    pub reported_at: Option<Millis>,
    /// Where and when.
    pub last_seen: Option<LastSeen>,
    /// How somebody may be moving.
    pub travel: Option<Travel>,
    /// Who.
    pub person: Option<PersonFacts>,
    /// The code of the legal basis.
    pub legal_basis: Option<String>,
    /// When the alert ends by itself.
    pub expires_at: Millis,
    /// Which communes are asked for.
    pub reach: ReachRequest,
    /// The criteria of which the officer says that nobody knows (see `criteria`).
    pub dont_know: Vec<String>,
}

/// Where and when somebody or something was last seen, or was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LastSeen {
    /// When, if it is known.
    pub at: Option<Millis>,
    /// Thousandths of a degree, WGS84, if the place is known.
    pub point: Option<MilliPoint>,
}

/// A point to a thousandth of a degree: about a hundred metres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MilliPoint {
    /// North, in thousandths of a degree.
    pub lat_millideg: i32,
    /// East, in thousandths of a degree.
    pub lon_millideg: i32,
}

/// What may stand in the log of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PersonFacts {
    /// Age in years.
    pub age_years: Option<u8>,
    /// Sex, if it was given.
    pub sex: Option<Sex>,
}

/// What was known when it was asked for, and what was missing (R18, R19).
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Checked {
    /// The version of the criteria.
    pub version: u32,
    /// The weight of what was known, in percent of all.
    pub completeness_percent: u8,
    /// The criteria that were not answered.
    pub missing: Vec<String>,
}

/// By what a reach was found, and when it grows next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct NextReach {
    /// The assumption; `None` where an officer chose.
    pub assumed: Option<Assumed>,
    /// When more communes come in; `None` at the limit, and where an officer chose.
    pub at: Option<Millis>,
    /// Which.
    pub communes: Vec<CommuneCode>,
}

/// The figures of a growing reach, as they are recorded: words stay readable when tables change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Assumed {
    /// As `reach/v1`.
    pub rule: String,
    /// As `koester2008/1`.
    pub table: String,
    /// Whose row of the table was used.
    pub category: String,
    /// Over which ground.
    pub terrain: String,
    /// How somebody goes.
    pub mode: String,
    /// Metres an hour.
    pub speed_m_h: u32,
    /// From when.
    pub t0: Millis,
    /// When it was reckoned.
    pub now: Millis,
    /// How long a relay takes to be heard.
    pub relay_delay_ms: u32,
    /// The 95 % ring of the row.
    pub r95_m: u32,
    /// How far somebody may be.
    pub reach_m: u32,
    /// The limit of that.
    pub reach_m_max: u32,
    /// What distances were measured to: `border`, `centroid`, `none`.
    pub measured: String,
    /// Whether the line of the province is crossed: `cross`, `stop`.
    pub province_line: String,
    /// Whether it was kept to the bordering communes, since a review was owed.
    pub is_bordering_only: bool,
    /// Whether minutes of a ride that counted are an assumption.
    pub is_ride_assumed: bool,
}

impl NextReach {
    /// What is recorded of a reach that was reckoned.
    #[must_use]
    pub fn of(figures: Option<&Figures>, next: Option<&NextStep>) -> Self {
        let communes = next.map(|next| next.communes.iter().map(|c| c.home.commune).collect());
        Self {
            assumed: figures.map(Assumed::of),
            at: next.map(|next| next.at),
            communes: communes.unwrap_or_default(),
        }
    }
}

impl Assumed {
    fn of(figures: &Figures) -> Self {
        Self {
            rule: figures.rule.to_owned(),
            table: figures.table.to_owned(),
            category: figures.row.as_str().to_owned(),
            terrain: figures.terrain.as_str().to_owned(),
            mode: figures.mode.as_str().to_owned(),
            speed_m_h: figures.speed_m_h,
            t0: figures.t0,
            now: figures.now,
            relay_delay_ms: figures.relay_delay_ms,
            r95_m: figures.r95_m,
            reach_m: figures.reach_m,
            reach_m_max: figures.reach_m_max,
            measured: figures.measured.as_str().to_owned(),
            province_line: figures.province_line.as_str().to_owned(),
            is_bordering_only: figures.is_bordering_only,
            is_ride_assumed: figures.is_ride_assumed,
        }
    }
}

/// What a decision knows beside the history.
#[derive(Clone)]
pub struct AlertKnown {
    /// When it is decided.
    pub now: Millis,
    /// The map in force.
    pub map: Arc<dyn Borders>,
    /// Stations and rides.
    pub corridors: Arc<Corridors>,
    /// The policy of the issuing commune.
    pub policy: Arc<Policy>,
}

/// An alert, as far as it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Alert {
    /// Nothing was decided yet.
    #[default]
    Unissued,
    /// A second person must approve.
    AwaitingApproval(Content),
    /// It is in force.
    Active(Live),
    /// It is over. It may still be corrected: those who were told must hear of it.
    Closed {
        /// As it was when it ended; nobody was told if `communes` is empty.
        live: Live,
        /// How.
        how: Closing,
    },
}

/// What an alert says, and which revision of it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Content {
    /// A change of content or state.
    pub revision: u64,
    /// What is open.
    pub facts: AlertFacts,
    /// Ten characters that people type.
    pub code: String,
    /// The command whose sealed part holds the words.
    pub content: RecordId,
    /// Who raised it.
    pub by: String,
    /// What was known when it was raised.
    pub checked: Checked,
}

/// An alert that is or was in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Live {
    /// What it says.
    pub content: Content,
    /// The revision that a second person approved last, if one had to.
    pub approved: Option<u64>,
    /// The communes it was put to.
    pub communes: Vec<CommuneReached>,
    /// Those that a further commit will name.
    pub to_follow: Vec<CommuneReached>,
    /// How many continuations were recorded.
    pub steps: u32,
    /// How many enlargements were recorded.
    pub grown: u32,
    /// When more communes come in.
    pub next: NextReach,
    /// From when its reach was first reckoned: the time that counts where nobody says since when.
    pub since: Option<Millis>,
    /// How often it was put on hold: what was due before is asked for anew afterwards.
    pub holds: u32,
    /// What has not left stays here.
    pub on_hold: bool,
    /// Whether a second person has still to look at it.
    pub review: Review,
    /// The highest revision that a change was asked for under. It is never used again, so that an
    /// approval that comes late approves nothing else.
    pub asked: u64,
    /// A change that waits for a second person: its revision, what, and who asked.
    pub pending: Option<(u64, Pending, String)>,
    /// The newest sighting.
    pub sighting: Option<LastSeen>,
    /// The expiry that the officer was asked about before it came; a later one is asked about anew.
    pub asked_before_expiry: Option<Millis>,
    /// What communes have instructed their own groups: at which revision, and the command that
    /// holds the words.
    pub instructions: BTreeMap<CommuneCode, (u64, RecordId)>,
    /// By how much it exceeds the budget of groups, where it does.
    pub exceeded: Option<Exceeded>,
    /// Who was told another way, and up to which revision.
    pub attested: BTreeMap<Target, u64>,
}

impl Live {
    /// This commune among those that it was put to.
    #[must_use]
    pub fn named(&self, commune: CommuneCode) -> Option<&CommuneReached> {
        self.communes.iter().find(|reached| reached.home.commune == commune)
    }
}

/// Whether a second person has still to look at what one officer sent alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Review {
    /// Nothing was sent alone.
    #[default]
    NotOwed,
    /// Somebody has to.
    Owed {
        /// Until when.
        due: Millis,
        /// Who sent: these cannot.
        by: Vec<String>,
        /// Whether that time has passed.
        missed: bool,
    },
    /// Somebody has.
    Done {
        /// Who.
        by: String,
    },
}

impl Review {
    /// Whether it is still to come.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        matches!(self, Self::Owed { .. })
    }

    /// The word in the interface; empty where none is owed.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotOwed => "",
            Self::Owed { missed: false, .. } => "owed",
            Self::Owed { missed: true, .. } => "missed",
            Self::Done { .. } => "done",
        }
    }
}

/// How an alert ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closing {
    /// A second person said no: nobody was told.
    Declined,
    /// Called back.
    Cancelled,
    /// A good end.
    Resolved,
    /// Time passed.
    Expired,
}

impl Alert {
    /// What it says, once anything was decided.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Unissued => None,
            Self::AwaitingApproval(content) => Some(content),
            Self::Active(live) | Self::Closed { live, .. } => Some(&live.content),
        }
    }

    /// It is or was in force.
    #[must_use]
    pub fn live(&self) -> Option<&Live> {
        match self {
            Self::Unissued | Self::AwaitingApproval(_) => None,
            Self::Active(live) | Self::Closed { live, .. } => Some(live),
        }
    }

    /// The communes that it was put to.
    #[must_use]
    pub fn communes(&self) -> &[CommuneReached] {
        self.live().map_or(&[], |live| &live.communes)
    }

    /// This commune among those that it was put to.
    #[must_use]
    pub fn named(&self, commune: CommuneCode) -> Option<&CommuneReached> {
        self.live()?.named(commune)
    }

    /// The state's word in the interface.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Unissued => "deciding",
            Self::AwaitingApproval(_) => "awaiting-approval",
            Self::Active(_) => "active",
            Self::Closed { how: Closing::Declined, .. } => "declined",
            Self::Closed { how: Closing::Cancelled, .. } => "cancelled",
            Self::Closed { how: Closing::Resolved, .. } => "resolved",
            Self::Closed { how: Closing::Expired, .. } => "expired",
        }
    }

    /// When the alert will expire by itself, if it still can.
    #[must_use]
    pub fn expires_at(&self) -> Option<Millis> {
        match self {
            Self::AwaitingApproval(content) => Some(content.facts.expires_at),
            Self::Active(live) => Some(live.content.facts.expires_at),
            Self::Unissued | Self::Closed { .. } => None,
        }
    }

    /// Whether the officer was asked, and has not answered by another expiry: it ends soon.
    #[must_use]
    pub fn is_expiry_near(&self) -> bool {
        match self {
            Self::Active(live) => live.asked_before_expiry == Some(live.content.facts.expires_at),
            _ => false,
        }
    }

    /// When something of it is due by the clock: its end, the next step of its reach, a review.
    /// The question before its end is [`NearExpiry`]'s.
    #[must_use]
    pub fn due_at(&self) -> Option<Millis> {
        let live = match self {
            Self::Active(live) => Some(live),
            _ => None,
        };
        let grows = live.filter(|live| !live.on_hold).and_then(|live| live.next.at);
        let review = live.and_then(|live| match &live.review {
            Review::Owed { due, missed: false, .. } => Some(*due),
            _ => None,
        });
        [self.expires_at(), grows, review].into_iter().flatten().min()
    }

    fn next_revision(&self) -> u64 {
        let asked = self.live().map_or(0, |live| live.asked);
        self.content().map_or(1, |content| content.revision.max(asked) + 1)
    }
}

impl Decider for Alert {
    type Command = AlertCommand;
    type Event = AlertEvent;
    type Rejection = NotDone;
    type Facts = AlertKnown;

    fn decide(
        &self,
        command: &AlertCommand,
        known: &AlertKnown,
    ) -> Result<Vec<AlertEvent>, NotDone> {
        self.decided(command, known)
    }

    fn evolve(self, event: &AlertEvent) -> Self {
        self.folded(event)
    }
}

#[cfg(test)]
#[path = "alert_tests.rs"]
mod tests;
