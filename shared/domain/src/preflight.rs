//! Preflight: what the officer sees before sending, and the approver before approving.
//!
//! How many communes, groups and people will be reached, and what will not work (R29): nobody on
//! duty, groups without a working channel, contacts and officers without a drill. It advises and
//! stops nothing. Installations (`keng preflight`) show the same for every commune.

use std::collections::BTreeMap;

use crate::{
    gate::may_be_told,
    ids::{CommuneCode, GroupId, Home, Millis, OfficerId},
    roster::Roster,
    sentence::Sentence,
    values::{AlertStatus, GroupKind},
};

/// An officer without a drill for longer is warned, and the approver sees it (R13).
pub const DRILL_DAYS_MAX: u64 = 90;
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
    /// attempt did not find the target gone.
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
}

impl Finding {
    /// How grave it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::NobodyAnswers | Self::NoGroups | Self::NoChannel { .. } => Severity::Alarm,
            Self::NobodyOnDuty { .. } | Self::SenderNotDrilled { .. } => Severity::Warning,
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
    let ago_ms = drilled_at.map(|at| outlook.now.since_ms(at));
    let is_fit = ago_ms.is_some_and(|ago_ms| ago_ms <= DRILL_DAYS_MAX * DAY_MS);
    (!is_fit).then(|| Finding::SenderNotDrilled { days: ago_ms.map(|ago_ms| ago_ms / DAY_MS) })
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
