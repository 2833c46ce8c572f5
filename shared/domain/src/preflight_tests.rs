//! Given / when / then for preflight.

use proptest::prelude::*;

use super::*;
use crate::{
    dated::Validity,
    reach::tests::code,
    roster::{Contact, Duty, Hours},
};

const DAY: i64 = 24 * 3_600_000;
const NOW: Millis = Millis(1_000 * DAY);

fn officer(name: &str) -> OfficerId {
    name.parse().unwrap()
}

/// These contacts; the first of them is on duty, or nobody is.
fn roster(names: &[&str], on_duty: bool) -> Roster {
    let contact =
        |name: &&str| Contact { officer: officer(name), valid: Validity::ALWAYS, reachable: true };
    let duty =
        |name: &&str| Duty { officer: officer(name), hours: Hours::Whole, valid: Validity::ALWAYS };
    let duties = names.iter().take(usize::from(on_duty)).map(duty).collect();
    Roster::of(names.iter().map(contact).collect(), duties).unwrap()
}

fn group(id: &GroupId, kind: GroupKind, channels_working: u32) -> GroupOutlook<'_> {
    GroupOutlook { id, kind, members: 100, exercises: false, channels_working }
}

fn commune<'a>(
    number: usize,
    roster: Option<&'a Roster>,
    groups: &'a [GroupOutlook<'a>],
) -> CommuneOutlook<'a> {
    let home = Home { province: "68".parse().unwrap(), commune: code(number) };
    CommuneOutlook { home, name: "Đạ Tẻh", roster, province_desk: true, groups, drill: None }
}

fn outlook<'a>(
    communes: &'a [CommuneOutlook<'a>],
    drills_answered: &'a BTreeMap<OfficerId, Millis>,
) -> Outlook<'a> {
    let status = AlertStatus::Actual;
    Outlook { now: NOW, status, communes, drills_answered, sender: None }
}

fn findings(outlook: &Outlook<'_>) -> Vec<Finding> {
    preflight(outlook).found.into_iter().map(|found| found.finding).collect()
}

#[test]
fn who_will_be_reached_is_counted_and_who_will_not_is_named() {
    let ids: Vec<GroupId> = (0..3).map(|n| format!("g-{n}").parse().unwrap()).collect();
    let groups = [
        group(&ids[0], GroupKind::Hamlet, 2),
        group(&ids[1], GroupKind::School, 0),
        group(&ids[2], GroupKind::Officers, 1),
    ];
    let roster = roster(&["an", "binh"], true);
    let drills = BTreeMap::from([(officer("an"), NOW), (officer("binh"), NOW)]);
    let communes = [commune(4, Some(&roster), &groups), commune(5, Some(&roster), &groups[..1])];
    let seen = outlook(&communes, &drills);
    let preflight = preflight(&seen);
    let counts = Counts { communes: 2, communes_on_duty: 2, groups: 3, people: 300 };
    assert_eq!(preflight.counts, counts);
    let silent = Finding::NoChannel { groups: 1, people: 100, named: vec![ids[1].clone()] };
    assert_eq!(findings(&seen), [silent]);
    assert_eq!(preflight.found[0].commune, Some(code(4)));
    let sentence = preflight.found[0].sentence.to_string();
    assert!(sentence.starts_with("Đạ Tẻh: 1 nhóm (100 người)"), "{sentence}");
    // An exercise reaches the officers alone, and misses nobody else.
    let drill = Outlook { status: AlertStatus::Exercise, ..seen };
    assert_eq!((super::preflight(&drill).counts.groups, findings(&drill)), (1, vec![]));
}

#[test]
fn whoever_is_not_there_is_said_with_who_stands_in() {
    let id: GroupId = "g".parse().unwrap();
    let groups = [group(&id, GroupKind::Hamlet, 1)];
    let empty = roster(&["an"], false);
    let drills = BTreeMap::from([(officer("an"), NOW)]);
    let one = |commune: CommuneOutlook<'_>| findings(&outlook(&[commune], &drills));
    let nobody = |contacts, province_desk| Finding::NobodyOnDuty { contacts, province_desk };
    assert_eq!(one(commune(4, Some(&empty), &groups)), [nobody(1, true)]);
    assert_eq!(one(commune(4, None, &groups)), [nobody(0, true)]);
    let alone = |roster| CommuneOutlook { province_desk: false, ..commune(4, roster, &groups) };
    assert_eq!(one(alone(Some(&empty))), [nobody(1, false)]);
    assert_eq!(one(alone(None)), [Finding::NobodyAnswers]);
    assert_eq!(one(commune(4, None, &[])), [Finding::NoGroups, nobody(0, true)]);
    let communes = [commune(4, Some(&empty), &groups), commune(5, None, &groups)];
    let summary = preflight(&outlook(&communes, &drills)).summary();
    assert!(summary.vi.contains("2/2 xã không có người trực"), "{}", summary.vi);
}

#[test]
fn drills_that_are_missing_are_said() {
    let id: GroupId = "g".parse().unwrap();
    let groups = [group(&id, GroupKind::Hamlet, 1)];
    let names: Vec<String> = (0..NAMED_MAX + 2).map(|n| format!("o-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = roster(&names, true);
    let (none, an) = (BTreeMap::new(), officer("an"));
    let communes = [commune(4, Some(&many), &groups)];
    let sender = |at: Option<i64>| {
        let drilled_at = at.map(|days| NOW.plus_ms(-days * DAY));
        let sender = Some((&an, drilled_at));
        preflight(&Outlook { sender, ..outlook(&communes, &none) })
    };
    let preflight = sender(Some(90));
    let [Found { finding: Finding::NeverDrilled { contacts, named }, sentence, .. }] =
        preflight.found.as_slice()
    else {
        panic!("{preflight:?}")
    };
    assert_eq!((*contacts, named.len()), (NAMED_MAX + 2, NAMED_MAX));
    assert!(sentence.en.ends_with(", …."), "{}", sentence.en);
    for (at, days) in [(Some(91), Some(91)), (None, None)] {
        let found = &sender(at).found[0];
        assert_eq!((&found.finding, found.commune), (&Finding::SenderNotDrilled { days }, None));
    }
}

#[test]
fn what_the_last_drill_did_not_reach_is_said_and_that_there_was_none() {
    let types = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    let (used, quiet): (BTreeSet<Arc<str>>, _) = (types(&["sms", "webhook"]), ["sms".into()]);
    let result = |days_ago: i64, groups: u32, groups_not_reached: u32| DrillResult {
        alert: crate::ids::AlertId::raised_by(crate::ids::RecordId::of_purpose("drill")),
        commune: code(4),
        raised_at: NOW.plus_ms(-days_ago * DAY),
        groups,
        groups_not_reached,
        groups_apart: 0,
        channels: vec![ChannelReach {
            channel_type: "webhook".into(),
            groups,
            delivered: groups - groups_not_reached,
            accepted: 0,
            handed_over: 0,
            not_reached: groups_not_reached,
            median_ms: Some(1),
            slowest_ms: Some(2),
        }],
    };
    let none = BTreeMap::new();
    let said = |last: Option<&DrillResult>, channel_types| {
        let drill = Some(DrillOutlook { last, channel_types });
        let communes = [CommuneOutlook { drill, ..commune(4, None, &[]) }];
        let mut found = findings(&outlook(&communes, &none));
        found
            .retain(|finding| !matches!(finding, Finding::NobodyOnDuty { .. } | Finding::NoGroups));
        found
    };
    let (webhook, all): (BTreeSet<Arc<str>>, _) = (types(&["webhook"]), &used);
    assert_eq!(said(Some(&result(90, 10, 1)), &webhook), []);
    assert_eq!(said(None, all), [Finding::NotMeasured { days: None }]);
    assert_eq!(said(Some(&result(91, 10, 0)), &webhook), [Finding::NotMeasured { days: Some(91) }]);
    let short = Finding::FellShort { groups_not_reached: 2, groups: 19 };
    assert_eq!(said(Some(&result(1, 19, 2)), &webhook), std::slice::from_ref(&short));
    let nowhere = Finding::ChannelsNotReached { types: quiet.to_vec() };
    assert_eq!(said(Some(&result(1, 19, 2)), all), [nowhere.clone(), short.clone()]);
    for (finding, words) in [
        (short, "did not reach 2 of 19 groups"),
        (nowhere, "không đến được ai qua: sms."),
        (Finding::NotMeasured { days: None }, "no drill was ever measured"),
        (Finding::NotMeasured { days: Some(91) }, "cách đây 91 ngày"),
    ] {
        let sentence = finding.sentence("Đạ Tẻh").to_string();
        assert!(sentence.contains(words), "{sentence}");
        assert_eq!(finding.severity(), Severity::Warning);
    }
}

proptest! {
    #[test]
    fn everybody_who_may_be_told_is_counted_or_named(
        communes in prop::collection::vec(
            (prop::collection::vec((0u32..3, any::<bool>(), any::<u32>()), 0..12), any::<bool>()),
            0..6,
        ),
        status in prop::sample::select(AlertStatus::ALL),
    ) {
        let ids: Vec<GroupId> = (0..12).map(|n| format!("g-{n}").parse().unwrap()).collect();
        let roster = roster(&["an"], true);
        let groups: Vec<Vec<GroupOutlook<'_>>> = communes
            .iter()
            .map(|(groups, _)| {
                let of = |(n, (working, exercises, members)): (usize, &(u32, bool, u32))| {
                    let group = group(&ids[n], GroupKind::Hamlet, *working);
                    GroupOutlook { exercises: *exercises, members: *members, ..group }
                };
                groups.iter().enumerate().map(of).collect()
            })
            .collect();
        let views: Vec<_> = communes
            .iter()
            .zip(&groups)
            .enumerate()
            .map(|(n, ((_, manned), groups))| {
                commune(n, manned.then_some(&roster), groups)
            })
            .collect();
        let none = BTreeMap::new();
        let seen = preflight(&Outlook { status, ..outlook(&views, &none) });
        let silent: usize = seen
            .found
            .iter()
            .map(|found| match &found.finding {
                Finding::NoChannel { groups, .. } => *groups,
                _ => 0,
            })
            .sum();
        let may = groups.iter().flatten().filter(|it| may_be_told(status, it.kind, it.exercises));
        prop_assert_eq!(may.count(), seen.counts.groups + silent);
        let absent = seen.found.iter().filter(|found| {
            matches!(found.finding, Finding::NobodyOnDuty { .. } | Finding::NobodyAnswers)
        });
        prop_assert_eq!(absent.count(), seen.counts.communes - seen.counts.communes_on_duty);
        let key = |found: &Found| (found.finding.severity(), found.commune);
        prop_assert!(seen.found.is_sorted_by_key(key));
    }
}
