//! Measured drills: how far an exercise reached the groups of a commune, over each type of
//! channel, and how fast (R9, R12). Measuring is here; so is the decider of what is kept.
//!
//! Only what is known counts: what may have arrived, and nobody confirmed, was not reached.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    decider::{Decider, Refusal},
    ids::{AlertId, ChannelId, CommuneCode, GroupId, Millis},
    lane::{LaneDelivery, Lanes, Progress},
    values::{News, Role},
};

/// The most types of channel that one result names; there are fewer.
pub const CHANNEL_TYPES_MAX: usize = 64;

/// How far a group was reached; the best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Nothing is known to have arrived.
    NotReached,
    /// A person has it in hand, or says to have posted it.
    HandedOver,
    /// A provider took it; nothing says that it arrived.
    Accepted,
    /// Confirmed.
    Delivered,
}

impl Reach {
    /// The word for it in the interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReached => "not-reached",
            Self::HandedOver => "handed-over",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
        }
    }

    /// How far a delivery came, and when.
    fn of(delivery: &LaneDelivery) -> (Self, Option<Millis>) {
        match delivery.progress {
            Progress::Delivered(at) => (Self::Delivered, Some(at)),
            // What was read had arrived before.
            Progress::Read(at) => (Self::Delivered, delivery.reached_at.or(Some(at))),
            Progress::Accepted(at) => (Self::Accepted, Some(at)),
            Progress::Posted(at) => (Self::HandedOver, Some(at)),
            Progress::HandedOver { .. }
            | Progress::Planned
            | Progress::Waiting(_)
            | Progress::NeedsPerson
            | Progress::Failed
            | Progress::Stopped(_) => match delivery.handed_over_at {
                // The end of the exercise takes nothing out of the person's hand.
                Some(at) => (Self::HandedOver, Some(at)),
                None => (Self::NotReached, None),
            },
        }
    }
}

/// How one channel of a group stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStand {
    /// Which.
    pub channel: ChannelId,
    /// Its type.
    pub channel_type: Arc<str>,
    /// How far it came.
    pub reach: Reach,
    /// How long that took from the raise, in milliseconds; `None` where it was not reached.
    pub ms: Option<u64>,
    /// The word of the delivery's state.
    pub state: &'static str,
    /// The stable code of what went wrong last; empty where nothing did.
    pub trouble: Box<str>,
}

impl ChannelStand {
    /// Whether this one says more: further, or as far and sooner.
    fn is_better_than(&self, other: &Self) -> bool {
        let order = |stand: &Self| (stand.reach, std::cmp::Reverse(stand.ms));
        order(self) > order(other)
    }
}

/// How one group stands. A group without a channel that was used was not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStand {
    /// Which.
    pub group: GroupId,
    /// Its channels that were used.
    pub channels: Vec<ChannelStand>,
}

impl GroupStand {
    /// The best of its channels.
    #[must_use]
    pub fn best(&self) -> Option<&ChannelStand> {
        best_of(self.channels.iter())
    }

    /// How far it was reached.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.best().map_or(Reach::NotReached, |best| best.reach)
    }
}

fn best_of<'a>(stands: impl Iterator<Item = &'a ChannelStand>) -> Option<&'a ChannelStand> {
    stands.reduce(|best, next| if next.is_better_than(best) { next } else { best })
}

/// How the groups of a commune stand that an exercise was meant for: those of `taking_part`, and
/// who was told beside them. What a group was told of the exercise's end is not looked at, and
/// whom the gate kept out took no part.
#[must_use]
pub fn stands(
    lanes: &Lanes,
    raised_at: Millis,
    taking_part: impl IntoIterator<Item = GroupId>,
) -> Vec<GroupStand> {
    let mut groups: BTreeMap<GroupId, BTreeMap<ChannelId, ChannelStand>> =
        taking_part.into_iter().map(|group| (group, BTreeMap::new())).collect();
    let told = lanes.iter().filter(|(_, delivery)| {
        matches!(delivery.news, News::Issued | News::Updated | News::Corrected)
            && delivery.progress != Progress::Stopped(crate::delivery::StopReason::Gate)
    });
    for (target, delivery) in told {
        let (reach, at) = Reach::of(delivery);
        let stand = ChannelStand {
            channel: target.channel.clone(),
            channel_type: Arc::clone(&target.channel_type),
            reach,
            ms: at.map(|at| at.since_ms(raised_at)),
            state: delivery.state(),
            trouble: delivery.trouble.clone(),
        };
        let channels = groups.entry(target.group.clone()).or_default();
        match channels.get_mut(&target.channel) {
            Some(before) if !stand.is_better_than(before) => {}
            Some(before) => *before = stand,
            None => {
                channels.insert(target.channel.clone(), stand);
            }
        }
    }
    let stand = |(group, channels): (GroupId, BTreeMap<_, _>)| GroupStand {
        group,
        channels: channels.into_values().collect(),
    };
    groups.into_iter().map(stand).collect()
}

/// Whether nothing more is to be waited for: it was planned, and every delivery has ended or is in
/// a person's hand.
#[must_use]
pub fn is_over(lanes: &Lanes) -> bool {
    let waits = |delivery: &LaneDelivery| {
        !delivery.ended() && !matches!(delivery.progress, Progress::HandedOver { .. })
    };
    lanes.newest() > 0 && !lanes.iter().any(|(_, delivery)| waits(delivery))
}

/// How far one type of channel reached. Each group counts once, by the best of its channels of
/// that type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChannelReach {
    /// The type, as `webhook`.
    pub channel_type: Arc<str>,
    /// How many groups were to be told over it.
    pub groups: u32,
    /// The target confirmed it.
    pub delivered: u32,
    /// A provider took it; nothing says that it arrived.
    pub accepted: u32,
    /// A person has it in hand, or says to have posted it.
    pub handed_over: u32,
    /// Nothing of the kind is known.
    pub not_reached: u32,
    /// From the raise, in milliseconds, over the groups that were reached.
    pub median_ms: Option<u64>,
    /// The same of the slowest of them.
    pub slowest_ms: Option<u64>,
}

impl ChannelReach {
    fn of(channel_type: Arc<str>, stands: &[&ChannelStand]) -> Self {
        let count = |reach| number(stands.iter().filter(|stand| stand.reach == reach).count());
        let mut times: Vec<u64> = stands.iter().filter_map(|stand| stand.ms).collect();
        times.sort_unstable();
        Self {
            channel_type,
            groups: number(stands.len()),
            delivered: count(Reach::Delivered),
            accepted: count(Reach::Accepted),
            handed_over: count(Reach::HandedOver),
            not_reached: count(Reach::NotReached),
            median_ms: times.get(times.len().saturating_sub(1) / 2).copied(),
            slowest_ms: times.last().copied(),
        }
    }

    /// How many groups were reached over it, as far as can be known on such a channel.
    #[must_use]
    pub fn reached(&self) -> u32 {
        self.delivered.saturating_add(self.accepted).saturating_add(self.handed_over)
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What was measured of the groups of the commune that raised an exercise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DrillResult {
    /// The exercise.
    pub alert: AlertId,
    /// The commune.
    pub commune: CommuneCode,
    /// When the exercise was written down; all times count from it.
    pub raised_at: Millis,
    /// Groups that took part.
    pub groups: u32,
    /// Those of them that nothing is known to have reached.
    pub groups_not_reached: u32,
    /// Groups that take no part in drills.
    pub groups_apart: u32,
    /// By the name of the type.
    pub channels: Vec<ChannelReach>,
}

impl DrillResult {
    /// The figures of these groups; `groups_apart` others take no part.
    #[must_use]
    pub fn of(
        (alert, commune, raised_at): (AlertId, CommuneCode, Millis),
        stands: &[GroupStand],
        groups_apart: usize,
    ) -> Self {
        let mut of_types: BTreeMap<Arc<str>, Vec<&ChannelStand>> = BTreeMap::new();
        for stand in stands {
            let mut types: Vec<&Arc<str>> =
                stand.channels.iter().map(|channel| &channel.channel_type).collect();
            types.sort_unstable();
            types.dedup();
            for channel_type in types {
                let of_type = stand.channels.iter().filter(|it| it.channel_type == *channel_type);
                of_types.entry(Arc::clone(channel_type)).or_default().extend(best_of(of_type));
            }
        }
        let silent = stands.iter().filter(|stand| stand.reach() == Reach::NotReached);
        let channels = of_types.into_iter();
        Self {
            alert,
            commune,
            raised_at,
            groups: number(stands.len()),
            groups_not_reached: number(silent.count()),
            groups_apart: number(groups_apart),
            channels: channels.map(|(name, stands)| ChannelReach::of(name, &stands)).collect(),
        }
    }

    /// How many groups were reached, as far as can be known.
    #[must_use]
    pub fn groups_reached(&self) -> u32 {
        self.groups.saturating_sub(self.groups_not_reached)
    }

    fn adds_up(&self) -> bool {
        let adds_up = |channel: &ChannelReach| {
            let sum = u64::from(channel.reached()) + u64::from(channel.not_reached);
            sum == u64::from(channel.groups) && channel.groups <= self.groups
        };
        self.groups_not_reached <= self.groups
            && self.channels.len() <= CHANNEL_TYPES_MAX
            && self.channels.iter().all(adds_up)
    }
}

/// Something asked of a commune's drills: keep this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillCommand {
    /// The role of the token; `None` for a service.
    pub role: Option<Role>,
    /// What was measured.
    pub result: DrillResult,
}

/// What is recorded of a commune's drills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrillEvent {
    /// An exercise was measured.
    Measured(DrillResult),
}

/// Why a result is not kept. Whether the alert is an exercise of that commune is seen by intake,
/// which measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMeasured {
    /// Officers, commanders and provinces run drills.
    #[error("the role does not do this")]
    RoleMissing,
    /// There was nobody to reach, so nothing was measured.
    #[error("no group took part")]
    NobodyTookPart,
    /// A later drill was measured already.
    #[error("a later drill was measured")]
    Older,
    /// The figures do not add up.
    #[error("the figures do not add up")]
    NotFigures,
}

impl From<NotMeasured> for Refusal {
    fn from(not: NotMeasured) -> Self {
        let code = match not {
            NotMeasured::RoleMissing => "role-missing",
            NotMeasured::NobodyTookPart => "nobody-took-part",
            NotMeasured::Older => "later-drill",
            NotMeasured::NotFigures => "not-figures",
        };
        Self { code, field: "" }
    }
}

/// The measured drills of one commune: the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Drill {
    /// What was measured last.
    pub last: Option<DrillResult>,
}

impl Decider for Drill {
    type Command = DrillCommand;
    type Event = DrillEvent;
    type Rejection = NotMeasured;
    type Facts = ();

    /// The same exercise may be measured again while it goes on; the newest figures stand.
    fn decide(&self, command: &DrillCommand, (): &()) -> Result<Vec<DrillEvent>, NotMeasured> {
        let DrillCommand { role, result } = command;
        if !matches!(role, Some(Role::Officer | Role::Commander | Role::Province)) {
            return Err(NotMeasured::RoleMissing);
        }
        if !result.adds_up() {
            return Err(NotMeasured::NotFigures);
        }
        if result.groups == 0 {
            return Err(NotMeasured::NobodyTookPart);
        }
        match &self.last {
            Some(last) if last == result => Ok(vec![]),
            Some(last) if last.raised_at > result.raised_at => Err(NotMeasured::Older),
            _ => Ok(vec![DrillEvent::Measured(result.clone())]),
        }
    }

    fn evolve(self, event: &DrillEvent) -> Self {
        let DrillEvent::Measured(result) = event;
        Self { last: Some(result.clone()) }
    }
}

#[cfg(test)]
#[path = "drill_tests.rs"]
mod tests;
