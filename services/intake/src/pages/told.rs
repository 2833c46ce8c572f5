//! What became of an alert with each commune's groups, in honest words, and which tasks wait for a
//! poster.

use std::collections::BTreeMap;

use console::Frame;
use domain::{delivery::Target, ids::CommuneCode, lane::Progress, rights::Asker};
use rendering::text::clock;

use crate::{Intake, application::AlertDeliveries, http::seen, view::DeliverySeen};

/// What became of it with the groups of each commune, by its code.
#[derive(Default)]
pub(crate) struct Told(BTreeMap<CommuneCode, PlaceTold>);

/// With the groups of one commune.
#[derive(Default)]
pub(crate) struct PlaceTold {
    pub(crate) groups: Vec<GroupTold>,
}

/// One channel of one group.
pub(crate) struct GroupTold {
    /// The name, where who looks keeps the group; otherwise its id.
    pub(crate) group: String,
    pub(crate) channel_type: String,
    /// The stable word.
    pub(crate) state: &'static str,
    /// What people read.
    pub(crate) words: String,
    pub(crate) attempts: u32,
    /// A stable code; empty where nothing went wrong.
    pub(crate) trouble: String,
    /// Where a poster has it in hand: the delivery's id, since when, whether for too long.
    pub(crate) task: Option<Task>,
}

/// Something that a poster has yet to post.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) delivery: String,
    pub(crate) since: String,
    pub(crate) is_overdue: bool,
}

/// How many are in one state.
pub(crate) struct Count {
    pub(crate) words: String,
    pub(crate) count: usize,
    /// `good`, `open`, `bad`.
    pub(crate) class: &'static str,
}

impl Told {
    pub(super) fn of(
        intake: &Intake,
        (asker, frame): (&Asker, &Frame),
        told: &AlertDeliveries,
    ) -> Self {
        let mut newest: BTreeMap<(CommuneCode, &Target), DeliverySeen<'_>> = BTreeMap::new();
        for one in seen(told, intake.host.clock.now()) {
            let place = (one.commune, one.target);
            let is_newer =
                newest.get(&place).is_none_or(|it| it.delivery.revision < one.delivery.revision);
            if is_newer {
                newest.insert(place, one);
            }
        }
        let mut places = Self::default();
        for one in newest.into_values() {
            let place = places.0.entry(one.commune).or_default();
            place.groups.push(group(intake, (asker, frame), &one));
        }
        places
    }

    /// With the groups of this commune; `None` where nothing is known of any.
    pub(crate) fn in_commune(&self, code: &str) -> Option<&PlaceTold> {
        self.0.get(&code.parse().ok()?)
    }

    /// Every channel that a poster has in hand.
    pub(crate) fn tasks(&self) -> Vec<(&GroupTold, &Task)> {
        let groups = self.0.values().flat_map(|place| &place.groups);
        groups.filter_map(|group| Some((group, group.task.as_ref()?))).collect()
    }

    /// Every channel over which nothing is known to have arrived, and nothing more is tried.
    pub(super) fn into_dead(self) -> impl Iterator<Item = (CommuneCode, GroupTold)> {
        let all = self.0.into_iter();
        let all = all.flat_map(|(code, place)| place.groups.into_iter().map(move |it| (code, it)));
        all.filter(|(_, group)| class_of(group.state) == "bad")
    }
}

impl PlaceTold {
    /// How many are in each state, the best first.
    pub(crate) fn counts(&self) -> Vec<Count> {
        let mut counts: BTreeMap<(u8, &str), Count> = BTreeMap::new();
        for group in &self.groups {
            let class = class_of(group.state);
            let count = counts.entry((rank(class), group.state)).or_insert_with(|| Count {
                words: group.words.clone(),
                count: 0,
                class,
            });
            count.count += 1;
        }
        counts.into_values().collect()
    }
}

fn group(intake: &Intake, (asker, frame): (&Asker, &Frame), one: &DeliverySeen<'_>) -> GroupTold {
    let home = intake.host.map.home(one.commune);
    let is_own = home.is_some_and(|home| asker.standing.acts_for(home));
    let directory = intake.host.directory.read();
    let name = directory.group(&one.target.group).and_then(|group| group.name.clone());
    let view = one.message();
    let in_hand = matches!(one.delivery.progress, Progress::HandedOver { .. }) && is_own;
    let state = one.delivery.state();
    GroupTold {
        group: name
            .filter(|_| is_own)
            .map_or_else(|| one.target.group.to_string(), |name| name.to_string()),
        channel_type: one.target.channel_type.to_string(),
        state,
        words: frame.t(&format!("delivery-{state}")),
        attempts: one.delivery.attempts,
        trouble: one.delivery.trouble.to_string(),
        task: in_hand.then(|| Task {
            delivery: view.id,
            since: one.delivery.handed_over_at.map(clock).unwrap_or_default(),
            is_overdue: view.overdue,
        }),
    }
}

/// Whether it is done, on its way, or over without being done.
fn class_of(state: &str) -> &'static str {
    match state {
        "delivered" | "read" | "accepted" | "attested-posted" => "good",
        "planned" | "quiet-hours" | "retrying" | "handed-over" | "on-hold" => "open",
        // Something newer was told in its place, or the group is not to be told: nothing is wrong.
        "superseded" | "gate" => "open",
        _ => "bad",
    }
}

fn rank(class: &str) -> u8 {
    match class {
        "good" => 0,
        "open" => 1,
        _ => 2,
    }
}
