//! What preflight looks at, gathered from map and directory: for each commune its roster, its
//! province's desk, and its groups with the channels that work as far as is known.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    directory::ChannelUse,
    fatigue::{Fatigue, FatigueBudget, REMEMBERED_PER_GROUP_MAX, Told},
    gate::may_be_told,
    ids::{AlertId, ChannelId, CommuneCode, GroupId, Home, Millis, OfficerId, ProvinceCode},
    preflight::{CommuneOutlook, DrillOutlook, GroupOutlook, Outlook, Preflight, preflight},
    roster::Roster,
    values::{AlertStatus, GroupKind},
};

use crate::{directory::Directory, group::Group, map::Map};

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// When.
    pub now: Millis,
    /// CAP's status: an exercise reaches fewer groups.
    pub status: AlertStatus,
    /// The communes in reach.
    pub communes: &'a [Home],
    /// The commune with which its province's own groups are told; `None` where they are not.
    pub province_groups_with: Option<Home>,
    /// Who is about to send, and when their last drill was; `None` where nobody sends.
    pub sender: Option<(&'a OfficerId, Option<Millis>)>,
    /// Channels whose targets were found gone, or that had no account, and took nothing since.
    pub gone: &'a BTreeSet<(GroupId, ChannelId)>,
    /// Whether the communes' last measured drills are looked at: of an installation, and not
    /// before a raise.
    pub drills: bool,
}

/// One commune in reach, in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub home: Home,
    /// The groups that may be told and have a working channel.
    pub groups: Vec<GroupId>,
    /// Their people, as far as is known.
    pub people: u64,
    /// Whether somebody is on duty whom something reaches.
    pub on_duty: bool,
}

/// What was found, and each commune in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Counts and findings.
    pub preflight: Preflight,
    /// In the order that was asked for.
    pub places: Vec<Place>,
}

/// Looks before anybody is told.
#[must_use]
pub fn look(directory: &Directory, map: &Map, look: &Look<'_>) -> Looked {
    let rosters = directory.rosters();
    let provinces: BTreeSet<ProvinceCode> = look.communes.iter().map(|it| it.province).collect();
    let manned = |province: &ProvinceCode| {
        let desk = rosters.of(Home::of_province(*province));
        desk.is_some_and(|desk| is_manned(desk, look.now))
    };
    let desks: BTreeSet<ProvinceCode> = provinces.into_iter().filter(manned).collect();
    let groups = |home: &Home| groups_of(directory, *home, look);
    let groups: Vec<Vec<GroupOutlook<'_>>> = look.communes.iter().map(groups).collect();
    let types: Vec<BTreeSet<Arc<str>>> = look
        .communes
        .iter()
        .map(|home| if look.drills { types_of(directory, *home) } else { BTreeSet::new() })
        .collect();
    let drill = |home: &Home, channel_types| {
        let last = directory.drills().last(home.commune).map(|last| &last.result);
        look.drills.then_some(DrillOutlook { last, channel_types })
    };
    let outlook = |((home, groups), types): ((&Home, _), _)| CommuneOutlook {
        home: *home,
        // What is in reach is on the map.
        name: map.commune(home.commune).map_or("?", |commune| &*commune.name),
        roster: rosters.of(*home),
        province_desk: desks.contains(&home.province),
        groups,
        drill: drill(home, types),
    };
    let groups_of = groups.iter().map(Vec::as_slice);
    let communes: Vec<CommuneOutlook<'_>> =
        look.communes.iter().zip(groups_of).zip(&types).map(outlook).collect();
    let places = communes.iter().map(|commune| place(commune, look)).collect();
    let preflight = preflight(&Outlook {
        now: look.now,
        status: look.status,
        communes: &communes,
        drills_answered: directory.drills().answered(),
        sender: look.sender,
    });
    Looked { preflight, places }
}

/// An alert that a commune was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldOf {
    /// Which.
    pub alert: AlertId,
    /// CAP's status: an exercise reached fewer groups.
    pub status: AlertStatus,
    /// The commune.
    pub commune: CommuneCode,
    /// When.
    pub at: Millis,
}

/// Groups of a commune that are told of the same alerts: by their kind, and by whether they take
/// part in exercises. There may be thousands of groups, and there are a few of these.
type Audience = (CommuneCode, GroupKind, bool);

/// How often groups were told in the last week, and what one more alert would be to them (R16).
#[must_use]
pub fn fatigue(
    groups: &BTreeMap<CommuneCode, Vec<Arc<Group>>>,
    of_late: impl IntoIterator<Item = ToldOf>,
    budget: FatigueBudget,
    now: Millis,
) -> Fatigue {
    let audience_of =
        |commune: CommuneCode, group: &Group| (commune, group.facts.kind, group.facts.exercises);
    let audiences: BTreeMap<CommuneCode, BTreeSet<Audience>> = groups
        .iter()
        .map(|(commune, here)| {
            (*commune, here.iter().map(|it| audience_of(*commune, it)).collect())
        })
        .collect();
    let of_late = of_late.into_iter().filter(|told| groups.contains_key(&told.commune));
    let mut told = Told::default();
    for ToldOf { alert, status, commune, at } in newest(of_late) {
        for audience in audiences.get(&commune).into_iter().flatten() {
            let (_, kind, exercises) = *audience;
            // What exercises did not reach is no burden.
            if may_be_told(status, kind, exercises) {
                told.note(*audience, alert, at);
            }
        }
    }
    let each = groups.iter().flat_map(|(commune, here)| {
        here.iter().map(|group| (audience_of(*commune, group), &group.facts.id))
    });
    told.fatigue(each, budget, now)
}

/// Of each commune the newest alerts, as many as are remembered of one of its groups: those before
/// change no count, and a commune that floods its groups has hundreds. Exercises reach fewer
/// groups, and are counted apart.
fn newest(of_late: impl IntoIterator<Item = ToldOf>) -> impl Iterator<Item = ToldOf> {
    let mut of_communes: BTreeMap<(CommuneCode, bool), Vec<ToldOf>> = BTreeMap::new();
    for told in of_late {
        of_communes.entry((told.commune, told.status.is_actual())).or_default().push(told);
    }
    of_communes.into_values().flat_map(|mut told| {
        told.sort_unstable_by_key(|told| (told.alert, told.at));
        told.dedup_by_key(|told| told.alert);
        told.sort_unstable_by_key(|told| (told.at, told.alert));
        let before = told.len().saturating_sub(REMEMBERED_PER_GROUP_MAX);
        told.split_off(before)
    })
}

fn is_manned(roster: &Roster, now: Millis) -> bool {
    roster.on_duty(now).iter().any(|contact| contact.reachable)
}

fn groups_of<'d>(directory: &'d Directory, home: Home, look: &Look<'_>) -> Vec<GroupOutlook<'d>> {
    let of_province = match look.province_groups_with == Some(home) {
        true => directory.groups_of_province(home.province),
        false => &[],
    };
    let groups = directory.groups_of(home.commune).iter().chain(of_province);
    groups
        .map(|group| GroupOutlook {
            id: &group.facts.id,
            kind: group.facts.kind,
            members: group.facts.members,
            exercises: group.facts.exercises,
            channels_working: channels_working(group, look.gone),
        })
        .collect()
}

/// The types of channel that a commune's groups always use.
fn types_of(directory: &Directory, home: Home) -> BTreeSet<Arc<str>> {
    let groups = directory.groups_of(home.commune).iter();
    let channels = groups.flat_map(|group| &group.facts.channels);
    let always = channels.filter(|channel| channel.used == ChannelUse::Always);
    always.map(|channel| Arc::from(channel.channel_type.as_str())).collect()
}

/// Of the channels that are always used, those with an address whose target is not gone.
fn channels_working(group: &Group, gone: &BTreeSet<(GroupId, ChannelId)>) -> u32 {
    let works = group.channels().filter(|(channel, address)| {
        let target = (group.facts.id.clone(), channel.id.clone());
        channel.used == ChannelUse::Always && address.is_some() && !gone.contains(&target)
    });
    u32::try_from(works.count()).unwrap_or(u32::MAX)
}

fn place(commune: &CommuneOutlook<'_>, look: &Look<'_>) -> Place {
    let is_told = |group: &&GroupOutlook<'_>| {
        group.channels_working > 0 && may_be_told(look.status, group.kind, group.exercises)
    };
    let told: Vec<&GroupOutlook<'_>> = commune.groups.iter().filter(is_told).collect();
    Place {
        home: commune.home,
        groups: told.iter().map(|group| group.id.clone()).collect(),
        people: told.iter().map(|group| u64::from(group.members)).sum(),
        on_duty: commune.roster.is_some_and(|roster| is_manned(roster, look.now)),
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::RecordId;

    use super::*;

    #[test]
    fn of_a_flood_no_more_is_looked_at_than_is_remembered() {
        let told = |n: i64, status, commune: &str| ToldOf {
            alert: AlertId::raised_by(RecordId::of_purpose(&n.to_string())),
            status,
            commune: commune.parse().unwrap(),
            at: Millis(n),
        };
        let flood = (0..1_000).map(|n| told(n, AlertStatus::Actual, "15961"));
        let drills = (0..3).map(|n| told(5_000 + n, AlertStatus::Exercise, "15961"));
        let others = (0..2).map(|n| told(9_000 + n, AlertStatus::Actual, "25126"));
        // Told again of an old one: it stays old.
        let again = ToldOf { at: Millis(2_000), ..told(7, AlertStatus::Actual, "15961") };
        let all = drills.clone().chain(flood).chain([again]).chain(others.clone());
        let looked_at: Vec<ToldOf> = newest(all).collect();
        let flood = (936..1_000).map(|n| told(n, AlertStatus::Actual, "15961"));
        assert_eq!(looked_at, drills.chain(flood).chain(others).collect::<Vec<_>>());
    }
}
