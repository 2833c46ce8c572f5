//! Who has not been corrected yet: the list that the officer sees until it is empty.
//!
//! Read from the lanes, never kept: what may have arrived and has not been confirmed corrected is
//! on the list, whatever the reason. No deciding and no sending: `delivery` plans who is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    alert::{AlertEvent, ChangeHow},
    delivery::{StopReason, Target},
    ids::{CommuneCode, GroupId, Millis},
    lane::{ABOUT_TO_LEAVE_MS, LaneDelivery, Lanes, Progress},
    values::News,
};

/// The newest revision that takes back, ends or reopens what people were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// The revision.
    pub revision: u64,
    /// What people are told with it.
    pub news: News,
}

impl Correction {
    /// What an event of the alert corrects; an update says more, and takes nothing back.
    #[must_use]
    pub fn of(event: &AlertEvent) -> Option<Self> {
        let (revision, news) = match event {
            AlertEvent::Changed { revision, how: ChangeHow::Correct, .. } => {
                (revision, News::Corrected)
            }
            AlertEvent::Cancelled { revision, .. } => (revision, News::Cancelled),
            AlertEvent::Resolved { revision, .. } => (revision, News::Resolved),
            AlertEvent::Expired { revision } => (revision, News::Expired),
            // The good end that people were told was none.
            AlertEvent::Reopened { revision, .. } => (revision, News::Updated),
            _ => return None,
        };
        Some(Self { revision: *revision, news })
    }
}

/// A target that may have been told what was wrong, and has not confirmed the correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncorrected {
    /// Who.
    pub target: Target,
    /// The newest revision before the correction that may have arrived there.
    pub heard: u64,
    /// Where the correction stands.
    pub stands: Stands,
    /// Whether another channel of the same group has confirmed the correction.
    pub group_told: bool,
}

/// Where a correction stands that has not been confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// No plan names the target yet.
    NotPlanned,
    /// About to leave, or under way.
    UnderWay,
    /// It failed, and is tried again at this time.
    Waiting(Millis),
    /// A person has it in hand, and has not said that it was posted.
    InHand,
    /// It is over, and may have arrived.
    Unknown,
    /// It is over, and did not arrive.
    NotReached,
    /// It was stopped.
    Stopped(StopReason),
}

impl Stands {
    fn of(delivery: &LaneDelivery) -> Self {
        match delivery.progress {
            Progress::Planned => Self::UnderWay,
            Progress::Waiting(at) => Self::Waiting(at),
            Progress::HandedOver { .. } => Self::InHand,
            // Where it was done whatever can be known to be done there, nobody is on the list.
            Progress::Accepted(_)
            | Progress::Posted(_)
            | Progress::Delivered(_)
            | Progress::Read(_)
            | Progress::NeedsPerson => Self::Unknown,
            Progress::Failed if delivery.maybe_arrived => Self::Unknown,
            Progress::Failed => Self::NotReached,
            Progress::Stopped(reason) => Self::Stopped(reason),
        }
    }

    /// The word for it in the interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPlanned => "not-planned",
            Self::UnderWay => "under-way",
            Self::Waiting(_) => "retrying",
            Self::InHand => "handed-over",
            Self::Unknown => "unknown",
            Self::NotReached => "not-reached",
            Self::Stopped(reason) => reason.as_str(),
        }
    }

    /// Whether nothing more happens by itself: a person has to tell them another way.
    #[must_use]
    pub fn needs_a_person(self) -> bool {
        matches!(self, Self::Unknown | Self::NotReached | Self::Stopped(_))
    }
}

/// What one target has heard.
#[derive(Debug, Default)]
struct Heard {
    /// The newest revision before the correction that may have arrived; 0 for none.
    before: u64,
    /// Whether the correction, or something newer, was confirmed.
    corrected: bool,
    /// The newest revision that corrects, and where it stands.
    correcting: Option<(u64, Stands)>,
}

impl Heard {
    fn take(&mut self, delivery: &LaneDelivery, correction: u64, now: Millis) {
        if delivery.revision < correction {
            if delivery.may_have_arrived(now, ABOUT_TO_LEAVE_MS) {
                self.before = self.before.max(delivery.revision);
            }
            return;
        }
        self.corrected |= delivery.has_succeeded();
        if self.correcting.is_none_or(|(revision, _)| revision < delivery.revision) {
            self.correcting = Some((delivery.revision, Stands::of(delivery)));
        }
    }
}

/// The targets of one commune that revision `correction` still has to reach, in their order.
///
/// A newer revision corrects as well: each is whole, and none says again what was wrong.
/// `attested` are those of whom a person attests that they were told another way.
#[must_use]
pub fn uncorrected(
    lanes: &Lanes,
    correction: u64,
    attested: &BTreeSet<Target>,
    now: Millis,
) -> Vec<Uncorrected> {
    let mut heard: BTreeMap<&Target, Heard> = BTreeMap::new();
    for (target, delivery) in lanes.iter() {
        heard.entry(target).or_default().take(delivery, correction, now);
    }
    let is_told = |(target, heard): (&&Target, &Heard)| {
        heard.corrected || (heard.before > 0 && attested.contains(*target))
    };
    let told: BTreeSet<&GroupId> = heard
        .iter()
        .filter(|(target, heard)| is_told((target, heard)))
        .map(|(target, _)| &target.group)
        .collect();
    heard
        .iter()
        .filter(|(target, heard)| heard.before > 0 && !is_told((target, heard)))
        .map(|(target, heard)| Uncorrected {
            target: (*target).clone(),
            heard: heard.before,
            stands: heard.correcting.map_or(Stands::NotPlanned, |(_, stands)| stands),
            group_told: told.contains(&target.group),
        })
        .collect()
}

/// Who has not been corrected yet, over all communes of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remaining {
    /// By commune; none is empty.
    pub communes: BTreeMap<CommuneCode, Vec<Uncorrected>>,
}

impl Remaining {
    /// Reads all deliveries of an alert.
    #[must_use]
    pub fn of<'a>(
        lanes: impl IntoIterator<Item = (CommuneCode, &'a Lanes)>,
        correction: u64,
        attested: &BTreeSet<Target>,
        now: Millis,
    ) -> Self {
        let communes = lanes
            .into_iter()
            .map(|(commune, lanes)| (commune, uncorrected(lanes, correction, attested, now)))
            .filter(|(_, open)| !open.is_empty());
        Self { communes: communes.collect() }
    }

    /// Whether everybody who may have been told was corrected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.communes.is_empty()
    }

    /// How many targets remain.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.communes.values().map(Vec::len).sum()
    }

    /// Those for whom nothing more happens by itself.
    pub fn need_a_person(&self) -> impl Iterator<Item = (CommuneCode, &Uncorrected)> {
        self.communes.iter().flat_map(|(commune, open)| {
            let alone = open.iter().filter(|one| one.stands.needs_a_person());
            alone.map(move |one| (*commune, one))
        })
    }
}

/// Whether a revision may leave for a target: nothing newer was planned for it, and nothing older
/// is still to be tried. So each target hears revisions in their order, and never an old one last.
#[must_use]
pub fn may_leave(lanes: &Lanes, target: &Target, revision: u64) -> bool {
    lanes.iter().filter(|(of, _)| *of == target).all(|(_, delivery)| {
        delivery.revision == revision || (delivery.revision < revision && delivery.ended())
    })
}

#[cfg(test)]
#[path = "corrections_tests.rs"]
mod tests;
