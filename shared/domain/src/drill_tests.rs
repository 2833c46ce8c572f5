//! Given / when / then for measured drills.

use super::*;
use crate::{
    delivery::{Audience, DeliveryEvent, Plan, StopReason, Target},
    ids::{Home, RecordId},
    lane::{Outcome, Receipt},
};

const RAISED: Millis = Millis(1_000_000);

fn target(group: &str, channel: &str) -> Target {
    let (channel_type, _) = channel.rsplit_once('-').unwrap();
    Target {
        group: group.parse().unwrap(),
        channel: channel.parse().unwrap(),
        channel_type: channel_type.into(),
    }
}

fn alert(purpose: &str) -> AlertId {
    AlertId::raised_by(RecordId::of_purpose(purpose))
}

fn plan(news: News, revision: u64, targets: &[(&str, &str)]) -> DeliveryEvent {
    let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
    let plan = Plan {
        alert: alert("drill"),
        alert_home: home,
        commune: home.commune,
        revision,
        news,
        cause: RecordId::of_purpose("cause"),
        instance: "one".to_owned(),
        give_up_at: RAISED.plus_ms(3_600_000),
        not_before: None,
        audience: Audience::Named,
        targets: targets.iter().map(|(group, channel)| target(group, channel)).collect(),
    };
    DeliveryEvent::Planned { plan, lease_until: RAISED.plus_ms(10_000) }
}

fn receipt(of: (&str, &str), outcome: Outcome, after_ms: i64, trouble: &str) -> Receipt {
    Receipt {
        target: target(of.0, of.1),
        revision: 1,
        attempt: 1,
        outcome,
        at: RAISED.plus_ms(after_ms),
        took_ms: 1,
        status: 0,
        trouble: trouble.to_owned(),
        next_attempt_at: None,
        provider_id: String::new(),
    }
}

/// Seven groups over four types of channel; two more are told nothing.
fn lanes() -> Lanes {
    let mut lanes = Lanes::default();
    let targets = [
        ("a", "webhook-1"),
        ("a", "sms-1"),
        ("b", "webhook-1"),
        ("b", "webhook-2"),
        ("c", "webhook-1"),
        ("d", "poster-1"),
        ("e", "sms-1"),
        ("f", "webhook-1"),
        ("g", "webhook-1"),
    ];
    lanes.apply(&plan(News::Issued, 1, &targets), RAISED);
    for (of, outcome, after_ms, trouble) in [
        (("a", "webhook-1"), Outcome::Delivered, 40, ""),
        (("a", "sms-1"), Outcome::Accepted, 900, ""),
        (("b", "webhook-1"), Outcome::Gone, 30, "gone"),
        (("b", "webhook-2"), Outcome::Delivered, 60, ""),
        (("c", "webhook-1"), Outcome::Unknown, 5_000, "timeout"),
        (("d", "poster-1"), Outcome::HandedOver, 80, ""),
        (("e", "sms-1"), Outcome::Refused, 70, "number"),
        (("f", "webhook-1"), Outcome::Delivered, 500, ""),
    ] {
        lanes.receive(&receipt(of, outcome, after_ms, trouble));
    }
    lanes
}

fn groups() -> impl Iterator<Item = GroupId> {
    ["a", "b", "c", "d", "e", "f", "g", "mute"].into_iter().map(|id| id.parse().unwrap())
}

fn measured(lanes: &Lanes) -> DrillResult {
    let stands = stands(lanes, RAISED, groups());
    DrillResult::of((alert("drill"), "25126".parse().unwrap(), RAISED), &stands, 2)
}

#[test]
fn each_group_counts_once_a_type_by_the_best_of_its_channels() {
    let result = measured(&lanes());
    assert_eq!((result.groups, result.groups_apart), (8, 2));
    // Unknown, refused, still under way, and without a channel.
    assert_eq!((result.groups_not_reached, result.groups_reached()), (4, 4));
    let reach = |name: &str, counts: [u32; 5], times: Option<(u64, u64)>| ChannelReach {
        channel_type: name.into(),
        groups: counts[0],
        delivered: counts[1],
        accepted: counts[2],
        handed_over: counts[3],
        not_reached: counts[4],
        median_ms: times.map(|(median, _)| median),
        slowest_ms: times.map(|(_, slowest)| slowest),
    };
    assert_eq!(
        result.channels,
        [
            reach("poster", [1, 0, 0, 1, 0], Some((80, 80))),
            reach("sms", [2, 0, 1, 0, 1], Some((900, 900))),
            reach("webhook", [5, 3, 0, 0, 2], Some((60, 500))),
        ]
    );
}

#[test]
fn who_was_not_reached_is_said_with_the_reason() {
    let stands = stands(&lanes(), RAISED, groups());
    let of = |group: &str| stands.iter().find(|stand| stand.group.as_str() == group).unwrap();
    let best = |group: &str| of(group).best().map(|it| (it.reach, it.state, &*it.trouble));
    assert_eq!(best("a"), Some((Reach::Delivered, "delivered", "")));
    assert_eq!(best("b"), Some((Reach::Delivered, "delivered", "")));
    assert_eq!(best("c"), Some((Reach::NotReached, "unknown", "timeout")));
    assert_eq!(best("d"), Some((Reach::HandedOver, "handed-over", "")));
    assert_eq!(best("g"), Some((Reach::NotReached, "planned", "")));
    assert_eq!((best("mute"), of("mute").reach()), (None, Reach::NotReached));
}

#[test]
fn it_is_over_when_every_delivery_has_ended_or_is_in_a_hand() {
    let mut lanes = Lanes::default();
    assert!(!is_over(&lanes), "nothing was planned yet");
    lanes.apply(&plan(News::Issued, 1, &[("a", "webhook-1"), ("d", "poster-1")]), RAISED);
    assert!(!is_over(&lanes));
    lanes.receive(&receipt(("d", "poster-1"), Outcome::HandedOver, 5, ""));
    assert!(!is_over(&lanes));
    lanes.receive(&receipt(("a", "webhook-1"), Outcome::NotReached, 5, "connect"));
    assert!(is_over(&lanes));
    let mut nobody = Lanes::default();
    nobody.apply(&plan(News::Issued, 1, &[]), RAISED);
    assert!(is_over(&nobody), "an empty plan has nobody to wait for");
}

#[test]
fn the_end_of_the_exercise_is_no_part_of_it() {
    let mut lanes = lanes();
    let before = measured(&lanes);
    lanes.apply(&plan(News::Resolved, 2, &[("a", "webhook-1"), ("c", "webhook-1")]), RAISED);
    let told =
        Receipt { revision: 2, ..receipt(("c", "webhook-1"), Outcome::Delivered, 60_000, "") };
    lanes.receive(&told);
    assert_eq!(measured(&lanes), before);
}

#[test]
fn whom_the_gate_kept_out_took_no_part() {
    let mut lanes = Lanes::default();
    lanes.apply(&plan(News::Issued, 1, &[("left", "webhook-1"), ("a", "webhook-1")]), RAISED);
    let gate = DeliveryEvent::Stopped {
        reason: StopReason::Gate,
        revision: 1,
        targets: vec![target("left", "webhook-1")],
        never_left: true,
    };
    lanes.apply(&gate, RAISED);
    let stands = stands(&lanes, RAISED, ["a".parse().unwrap()]);
    assert_eq!(stands.iter().map(|stand| stand.group.as_str()).collect::<Vec<_>>(), ["a"]);
}

fn keep(state: &Drill, result: &DrillResult) -> Result<Vec<DrillEvent>, NotMeasured> {
    state.decide(&DrillCommand { role: Some(Role::Officer), result: result.clone() }, &())
}

#[test]
fn the_last_drill_counts_and_the_same_is_already_so() {
    let first = measured(&lanes());
    let event = DrillEvent::Measured(first.clone());
    assert_eq!(keep(&Drill::default(), &first), Ok(vec![event.clone()]));
    let state = Drill::default().evolve(&event);
    assert_eq!(keep(&state, &first), Ok(vec![]));
    // The same exercise, measured again a little later.
    let again = DrillResult { groups_not_reached: 1, ..first.clone() };
    assert_eq!(keep(&state, &again), Ok(vec![DrillEvent::Measured(again.clone())]));
    let before =
        DrillResult { alert: alert("before"), raised_at: RAISED.plus_ms(-1), ..first.clone() };
    assert_eq!(keep(&state, &before), Err(NotMeasured::Older));
}

#[test]
fn what_is_no_measurement_is_not_kept() {
    let good = measured(&lanes());
    let mut wrong = good.clone();
    wrong.channels[0].delivered += 1;
    let nobody = DrillResult { groups: 0, groups_not_reached: 0, channels: vec![], ..good.clone() };
    let more = DrillResult { groups_not_reached: good.groups + 1, ..good.clone() };
    for (result, not) in [
        (&wrong, NotMeasured::NotFigures),
        (&more, NotMeasured::NotFigures),
        (&nobody, NotMeasured::NobodyTookPart),
    ] {
        assert_eq!(keep(&Drill::default(), result), Err(not));
    }
    for role in [None, Some(Role::Auditor), Some(Role::Admin)] {
        let command = DrillCommand { role, result: good.clone() };
        assert_eq!(Drill::default().decide(&command, &()), Err(NotMeasured::RoleMissing));
    }
}
