//! Preflight: what the officer sees before sending, and the approver before approving.
//!
//! How many communes, groups and people will be reached, and what will not work (R29): nobody on
//! duty, groups without a working channel, contacts and officers without a drill. It advises and
//! stops nothing. Installations (`keng preflight`) show the same for every commune, and what its
//! last measured drill reached.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    drill::{ChannelReach, DrillResult},
    gate::may_be_told,
    ids::{CommuneCode, GroupId, Home, Millis, OfficerId},
    roster::Roster,
    sentence::Sentence,
    values::{AlertStatus, GroupKind},
};

/// An officer without a drill for longer is warned, and the approver sees it (R13).
pub const DRILL_DAYS_MAX: u64 = 90;
/// More groups than this that the last drill did not reach are told of; in per cent.
pub const NOT_REACHED_PERCENT_MAX: u32 = 10;
/// The most groups or contacts that one finding names; its count is of all.
pub const NAMED_MAX: usize = 8;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What preflight looks at.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'a> {
    /// When.
    pub now: Millis,
    /// CAP's status: an exercise reaches fewer groups.
    pub status: AlertStatus,
    /// The communes in reach.
    pub communes: &'a [CommuneOutlook<'a>],
    /// When each contact last answered a drill; whoever never did is not named.
    pub drills_answered: &'a BTreeMap<OfficerId, Millis>,
    /// Who is about to send, and when their last drill was; `None` where nobody sends.
    pub sender: Option<(&'a OfficerId, Option<Millis>)>,
}

/// One commune in reach.
#[derive(Debug, Clone, Copy)]
pub struct CommuneOutlook<'a> {
    /// Which.
    pub home: Home,
    /// Its name, as people know it.
    pub name: &'a str,
    /// Who is asked there; `None` where the directory has no roster.
    pub roster: Option<&'a Roster>,
    /// Whether somebody is on duty at its province's desk: silence ends there.
    pub province_desk: bool,
    /// Its groups.
    pub groups: &'a [GroupOutlook<'a>],
    /// Its last measured drill; `None` where nobody asks for it, as before a raise.
    pub drill: Option<DrillOutlook<'a>>,
}

/// What is known of a commune's measured drills.
#[derive(Debug, Clone, Copy)]
pub struct DrillOutlook<'a> {
    /// What was measured last; `None` where nothing ever was.
    pub last: Option<&'a DrillResult>,
    /// The types of channel that its groups use.
    pub channel_types: &'a BTreeSet<Arc<str>>,
}

/// One group of a commune in reach.
#[derive(Debug, Clone, Copy)]
pub struct GroupOutlook<'a> {
    /// Which.
    pub id: &'a GroupId,
    /// What holds its people together.
    pub kind: GroupKind,
    /// How many people.
    pub members: u32,
    /// Whether it takes part in drills.
    pub exercises: bool,
    /// How many of its channels work, as far as is known: an adapter and an address, and the last
    /// attempt did not find the target gone, or no account for it.
    pub channels_working: u32,
}

/// How grave a finding is; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Somebody will not be told, or nobody will answer.
    Alarm,
    /// It may go wrong.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Nobody at the commune can be asked, and nobody is on duty at its province's desk.
    NobodyAnswers,
    /// Nobody is on duty.
    NobodyOnDuty {
        /// How many contacts can be asked all the same.
        contacts: usize,
        /// Whether the province's desk stands in.
        province_desk: bool,
    },
    /// The commune has no group that may be told.
    NoGroups,
    /// Groups that will not be told, because no channel of theirs works.
    NoChannel {
        /// How many.
        groups: usize,
        /// How many people, as far as is known.
        people: u64,
        /// At most [`NAMED_MAX`] of them.
        named: Vec<GroupId>,
    },
    /// Contacts that never answered a drill.
    NeverDrilled {
        /// How many.
        contacts: usize,
        /// At most [`NAMED_MAX`] of them.
        named: Vec<OfficerId>,
    },
    /// The sender's last drill is too long ago.
    SenderNotDrilled {
        /// How many days; `None` for never.
        days: Option<u64>,
    },
    /// The commune's last measured drill is too long ago.
    NotMeasured {
        /// How many days; `None` for never.
        days: Option<u64>,
    },
    /// The last drill reached nobody over types of channel that the commune's groups use.
    ChannelsNotReached {
        /// Which.
        types: Vec<Arc<str>>,
    },
    /// The last drill did not reach too many groups.
    FellShort {
        /// How many.
        groups_not_reached: u32,
        /// Of how many.
        groups: u32,
    },
}

impl Finding {
    /// How grave it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::NobodyAnswers | Self::NoGroups | Self::NoChannel { .. } => Severity::Alarm,
            Self::NobodyOnDuty { .. }
            | Self::SenderNotDrilled { .. }
            | Self::NotMeasured { .. }
            | Self::ChannelsNotReached { .. }
            | Self::FellShort { .. } => Severity::Warning,
            Self::NeverDrilled { .. } => Severity::Note,
        }
    }

    /// The finding as people read it; `place` is the commune's name.
    #[must_use]
    pub fn sentence(&self, place: &str) -> Sentence {
        match self {
            Self::NobodyAnswers => Sentence::of(
                format!("{place}: không liên hệ được ai, trực ban tỉnh cũng không có người."),
                format!("{place}: nobody can be asked, and the province's desk is not manned."),
            ),
            Self::NobodyOnDuty { contacts, province_desk } => {
                let (vi, en) = if *province_desk {
                    ("trực ban tỉnh sẽ được báo", "the province's desk will be asked")
                } else {
                    ("trực ban tỉnh cũng không có người", "the province's desk is not manned")
                };
                Sentence::of(
                    format!("{place}: không có người trực; còn {contacts} đầu mối; {vi}."),
                    format!("{place}: nobody is on duty; {contacts} contacts are left; {en}."),
                )
            }
            Self::NoGroups => Sentence::of(
                format!("{place}: không có nhóm nào để báo."),
                format!("{place}: there is no group to tell."),
            ),
            Self::NoChannel { groups, people, named } => {
                let named = listed(named.iter().map(GroupId::as_str), *groups);
                Sentence::of(
                    format!(
                        "{place}: {groups} nhóm ({people} người) không có kênh hoạt động: {named}."
                    ),
                    format!(
                        "{place}: {groups} groups ({people} people) without a working channel: \
                         {named}."
                    ),
                )
            }
            Self::NeverDrilled { contacts, named } => {
                let named = listed(named.iter().map(OfficerId::as_str), *contacts);
                Sentence::of(
                    format!("{place}: {contacts} đầu mối chưa từng trả lời diễn tập: {named}."),
                    format!("{place}: {contacts} contacts never answered a drill: {named}."),
                )
            }
            Self::SenderNotDrilled { days: Some(days) } => Sentence::of(
                format!("Người gửi diễn tập lần cuối cách đây {days} ngày (quá {DRILL_DAYS_MAX})."),
                format!(
                    "The sender's last drill was {days} days ago (more than {DRILL_DAYS_MAX})."
                ),
            ),
            Self::SenderNotDrilled { days: None } => Sentence::of(
                "Người gửi chưa từng diễn tập.",
                "The sender has never taken part in a drill.",
            ),
            Self::NotMeasured { .. } | Self::ChannelsNotReached { .. } | Self::FellShort { .. } => {
                self.of_drill(place)
            }
        }
    }

    /// What a measured drill, or none, says.
    fn of_drill(&self, place: &str) -> Sentence {
        match self {
            Self::ChannelsNotReached { types } => {
                let listed = types.join(", ");
                Sentence::of(
                    format!("{place}: diễn tập lần cuối không đến được ai qua: {listed}."),
                    format!("{place}: the last drill reached nobody over: {listed}."),
                )
            }
            Self::FellShort { groups_not_reached, groups } => Sentence::of(
                format!(
                    "{place}: diễn tập lần cuối không đến {groups_not_reached}/{groups} nhóm \
                     (quá {NOT_REACHED_PERCENT_MAX} %)."
                ),
                format!(
                    "{place}: the last drill did not reach {groups_not_reached} of {groups} \
                     groups (more than {NOT_REACHED_PERCENT_MAX} %)."
                ),
            ),
            Self::NotMeasured { days: Some(days) } => Sentence::of(
                format!(
                    "{place}: diễn tập có đo lần cuối cách đây {days} ngày (quá {DRILL_DAYS_MAX})."
                ),
                format!(
                    "{place}: the last measured drill was {days} days ago (more than \
                     {DRILL_DAYS_MAX})."
                ),
            ),
            _ => Sentence::of(
                format!("{place}: chưa từng diễn tập có đo."),
                format!("{place}: no drill was ever measured."),
            ),
        }
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>, all: usize) -> String {
    let names: Vec<_> = names.collect();
    let more = if names.len() < all { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}

/// A finding, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The commune; `None` where it is about the sender.
    pub commune: Option<CommuneCode>,
    /// What.
    pub finding: Finding,
    /// For people.
    pub sentence: Sentence,
}

/// Who will be reached: what the approver approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// The communes in reach.
    pub communes: usize,
    /// Those of them with somebody on duty.
    pub communes_on_duty: usize,
    /// The groups that may be told and have a working channel.
    pub groups: usize,
    /// Their people, as far as is known; whoever is of two groups counts twice.
    pub people: u64,
}

/// What the officer and the approver see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Who will be reached.
    pub counts: Counts,
    /// What will not work: the gravest first, then by commune.
    pub found: Vec<Found>,
}

impl Preflight {
    /// One sentence for the confirmation.
    #[must_use]
    pub fn summary(&self) -> Sentence {
        let Counts { communes, communes_on_duty, groups, people } = self.counts;
        let absent = communes - communes_on_duty.min(communes);
        Sentence::of(
            format!(
                "Sẽ báo {communes} xã, {groups} nhóm, khoảng {people} người; {absent}/{communes} \
                 xã không có người trực."
            ),
            format!(
                "{communes} communes, {groups} groups and about {people} people will be told; \
                 {absent} of {communes} communes have nobody on duty."
            ),
        )
    }
}

/// Looks before anybody is told.
#[must_use]
pub fn preflight(outlook: &Outlook<'_>) -> Preflight {
    let mut counts = Counts::default();
    let mut found = Vec::new();
    for commune in outlook.communes {
        let findings = of_commune(outlook, commune, &mut counts);
        found.extend(findings.into_iter().map(|finding| Found {
            commune: Some(commune.home.commune),
            sentence: finding.sentence(commune.name),
            finding,
        }));
    }
    found.extend(of_sender(outlook).map(|finding| Found {
        commune: None,
        sentence: finding.sentence(""),
        finding,
    }));
    found.sort_by_key(|found| (found.finding.severity(), found.commune));
    Preflight { counts, found }
}

fn of_sender(outlook: &Outlook<'_>) -> Option<Finding> {
    let (_, drilled_at) = outlook.sender?;
    let days = too_long_ago(drilled_at, outlook.now)?;
    Some(Finding::SenderNotDrilled { days })
}

/// How many days ago a drill was that is too long ago, or that there was none; `None` where it is
/// recent.
fn too_long_ago(drilled_at: Option<Millis>, now: Millis) -> Option<Option<u64>> {
    let ago_ms = drilled_at.map(|at| now.since_ms(at));
    let is_recent = ago_ms.is_some_and(|ago_ms| ago_ms <= DRILL_DAYS_MAX * DAY_MS);
    (!is_recent).then(|| ago_ms.map(|ago_ms| ago_ms / DAY_MS))
}

fn of_drill(drill: DrillOutlook<'_>, now: Millis) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(days) = too_long_ago(drill.last.map(|last| last.raised_at), now) {
        findings.push(Finding::NotMeasured { days });
    }
    // Without a drill there is nothing that it did not reach.
    let Some(last) = drill.last else { return findings };
    let is_reached = |used: &&Arc<str>| {
        let of_type = |channel: &&ChannelReach| channel.channel_type == **used;
        last.channels.iter().find(of_type).is_some_and(|channel| channel.reached() > 0)
    };
    let types: Vec<Arc<str>> =
        drill.channel_types.iter().filter(|used| !is_reached(used)).cloned().collect();
    if !types.is_empty() {
        findings.push(Finding::ChannelsNotReached { types });
    }
    let DrillResult { groups, groups_not_reached, .. } = *last;
    let most = u64::from(groups) * u64::from(NOT_REACHED_PERCENT_MAX);
    if u64::from(groups_not_reached) * 100 > most {
        findings.push(Finding::FellShort { groups_not_reached, groups });
    }
    findings
}

fn of_commune(
    outlook: &Outlook<'_>,
    commune: &CommuneOutlook<'_>,
    counts: &mut Counts,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    counts.communes += 1;
    let on_duty = commune.roster.map_or_else(Vec::new, |roster| roster.on_duty(outlook.now));
    if on_duty.iter().any(|contact| contact.reachable) {
        counts.communes_on_duty += 1;
    } else {
        let contacts = commune.roster.map_or(0, |roster| roster.in_order(outlook.now).len());
        let province_desk = commune.province_desk;
        findings.push(if contacts == 0 && !province_desk {
            Finding::NobodyAnswers
        } else {
            Finding::NobodyOnDuty { contacts, province_desk }
        });
    }
    findings.extend(of_groups(outlook.status, commune.groups, counts));
    let never: Vec<&OfficerId> = commune
        .roster
        .into_iter()
        .flat_map(|roster| roster.contacts(outlook.now))
        .map(|contact| &contact.officer)
        .filter(|officer| !outlook.drills_answered.contains_key(*officer))
        .collect();
    if !never.is_empty() {
        let named = never.iter().copied().take(NAMED_MAX).cloned().collect();
        findings.push(Finding::NeverDrilled { contacts: never.len(), named });
    }
    findings.extend(commune.drill.into_iter().flat_map(|drill| of_drill(drill, outlook.now)));
    findings
}

fn of_groups(
    status: AlertStatus,
    groups: &[GroupOutlook<'_>],
    counts: &mut Counts,
) -> Option<Finding> {
    let may_be_told = |group: &&GroupOutlook<'_>| may_be_told(status, group.kind, group.exercises);
    let told: Vec<_> = groups.iter().filter(may_be_told).collect();
    // Where nobody takes part in drills, a drill has nobody to miss.
    if told.is_empty() {
        return status.is_actual().then_some(Finding::NoGroups);
    }
    let (working, silent): (Vec<_>, Vec<_>) =
        told.into_iter().partition(|group| group.channels_working > 0);
    let people = |groups: &[&GroupOutlook<'_>]| -> u64 {
        groups.iter().map(|group| u64::from(group.members)).sum()
    };
    counts.groups += working.len();
    counts.people = counts.people.saturating_add(people(&working));
    (!silent.is_empty()).then(|| Finding::NoChannel {
        groups: silent.len(),
        people: people(&silent),
        named: silent.iter().take(NAMED_MAX).map(|group| group.id.clone()).collect(),
    })
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
