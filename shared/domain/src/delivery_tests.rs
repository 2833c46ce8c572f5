//! Plans, leases, stops and attempts: given, when, then.

use super::*;
use crate::ids::{AlertId, Home, RecordId};

fn target(n: usize) -> Target {
    Target {
        group: format!("g-{n}").parse().unwrap(),
        channel: "webhook-1".parse().unwrap(),
        channel_type: "webhook".into(),
    }
}

fn plan(revision: u64, news: News, targets: usize) -> DeliveryCommand {
    let alert = AlertId::raised_by(RecordId::of_purpose("a"));
    DeliveryCommand::Plan(Plan {
        alert,
        alert_home: Home::NATION,
        commune: "25126".parse().unwrap(),
        revision,
        news,
        cause: RecordId::of_purpose("c"),
        instance: "one".into(),
        give_up_at: Millis(1_000),
        not_before: None,
        audience: match news {
            News::Issued => Audience::Named,
            _ => Audience::MayHaveBeenReached,
        },
        targets: (0..targets).map(target).collect(),
    })
}

fn known(now: i64, not_reached: &[usize]) -> DeliveryKnown {
    let not_reached = not_reached.iter().map(|n| (target(*n), 0)).collect();
    DeliveryKnown { now: Millis(now), not_reached }
}

fn given(commands: &[DeliveryCommand]) -> Delivery {
    commands.iter().fold(Delivery::default(), |delivery, command| {
        let events = delivery.decide(command, &known(0, &[])).unwrap();
        events.iter().fold(delivery, Delivery::evolve)
    })
}

fn told(events: &[DeliveryEvent]) -> Vec<usize> {
    let size = |event: &DeliveryEvent| match event {
        DeliveryEvent::Planned { plan, .. } => plan.targets.len(),
        _ => panic!("no plan: {event:?}"),
    };
    events.iter().map(size).collect()
}

#[test]
fn a_plan_is_cut_into_records_and_made_once() {
    let fresh = Delivery::default();
    let events = fresh.decide(&plan(1, News::Issued, 300), &known(0, &[])).unwrap();
    assert_eq!(told(&events), [128, 128, 44]);
    let planned = events.iter().fold(fresh, Delivery::evolve);
    assert_eq!(planned.decide(&plan(1, News::Issued, 300), &known(0, &[])), Ok(vec![]));
}

#[test]
fn a_cancel_goes_to_those_who_may_have_been_reached() {
    let delivery = given(&[plan(1, News::Issued, 5)]);
    let events = delivery.decide(&plan(2, News::Cancelled, 0), &known(0, &[1, 3])).unwrap();
    assert_eq!(told(&events), [3]);
}

#[test]
fn a_cancel_that_was_planned_first_keeps_the_alert_from_leaving_after_it() {
    let delivery = given(&[plan(2, News::Cancelled, 0)]);
    assert_eq!(delivery.decide(&plan(1, News::Issued, 5), &known(0, &[])), Ok(vec![]));
}

#[test]
fn a_refusal_stops_what_has_not_left_but_not_the_cancel() {
    let refuse = DeliveryCommand::Stop {
        reason: StopReason::Refused,
        revision: 1,
        targets: vec![],
        never_left: false,
    };
    let before = given(std::slice::from_ref(&refuse));
    let events = before.decide(&plan(1, News::Issued, 5), &known(0, &[])).unwrap();
    assert_eq!(told(&events), [0]);
    let after = given(&[plan(1, News::Issued, 5), refuse]);
    let events = after.decide(&plan(2, News::Cancelled, 0), &known(0, &[])).unwrap();
    assert_eq!(told(&events), [5]);
}

#[test]
fn only_the_holder_sends_until_the_lease_has_run_out() {
    let take = DeliveryCommand::TakeLease { instance: "two".into() };
    let delivery = given(&[plan(1, News::Issued, 1)]);
    assert_eq!(delivery.decide(&take, &known(1, &[])), Err(NotDelivered::LeaseHeld));
    assert_eq!(delivery.decide(&take, &known(LEASE_MS, &[])).unwrap().len(), 1);
    // The holder that restarts goes on at once.
    let again = DeliveryCommand::TakeLease { instance: "one".into() };
    assert_eq!(delivery.decide(&again, &known(1, &[])).unwrap().len(), 1);
}

#[test]
fn a_later_plan_leaves_the_lease_where_it_is() {
    let delivery = given(&[plan(1, News::Issued, 1)]);
    let DeliveryCommand::Plan(mut other) = plan(2, News::Cancelled, 0) else { panic!() };
    other.instance = "two".into();
    let events = delivery.decide(&DeliveryCommand::Plan(other), &known(5, &[])).unwrap();
    let DeliveryEvent::Planned { plan, lease_until } = &events[0] else { panic!() };
    assert_eq!((plan.instance.as_str(), *lease_until), ("one", Millis(LEASE_MS)));
}

/// A plan for revision 1 that was lost, and is back behind the end as revision 2.
fn behind_the_end() -> Delivery {
    let issued = Delivery::default().decide(&plan(1, News::Issued, 5), &known(0, &[])).unwrap();
    let ended = given(&[plan(2, News::Cancelled, 0)]);
    issued.iter().fold(ended, Delivery::evolve)
}

#[test]
fn who_was_told_by_a_plan_that_was_lost_hears_of_the_end_when_it_is_back() {
    let catch_up = DeliveryCommand::CatchUp { instance: "one".into() };
    let delivery = behind_the_end();
    let events = delivery.decide(&catch_up, &known(9, &[1])).unwrap();
    let DeliveryEvent::Planned { plan: told, .. } = &events[0] else { panic!() };
    assert_eq!((told.revision, told.news), (2, News::Cancelled));
    assert_eq!(told.targets, [target(0), target(2), target(3), target(4)]);
    // Once, and who was certainly not reached hears of nothing.
    let after = events.iter().fold(delivery, Delivery::evolve);
    assert_eq!(after.decide(&catch_up, &known(9, &[1])), Ok(vec![]));
    // Where no plan was lost there is nobody to tell.
    let whole = given(&[plan(1, News::Issued, 5), plan(2, News::Cancelled, 0)]);
    assert_eq!(whole.decide(&catch_up, &known(9, &[])), Ok(vec![]));
}

#[test]
fn news_that_follows_a_plan_that_is_back_is_for_everybody() {
    let delivery = behind_the_end();
    let events = delivery.decide(&plan(3, News::Corrected, 0), &known(9, &[])).unwrap();
    assert_eq!(told(&events), [5]);
    let after = events.iter().fold(delivery, Delivery::evolve);
    let catch_up = DeliveryCommand::CatchUp { instance: "one".into() };
    assert_eq!(after.decide(&catch_up, &known(9, &[])), Ok(vec![]));
}

#[test]
fn after_a_refusal_a_plan_that_is_back_brings_the_end_alone() {
    let refuse = DeliveryCommand::Stop {
        reason: StopReason::Refused,
        revision: 2,
        targets: vec![],
        never_left: false,
    };
    let issued = Delivery::default().decide(&plan(1, News::Issued, 2), &known(0, &[])).unwrap();
    let catch_up = DeliveryCommand::CatchUp { instance: "one".into() };
    for (news, planned) in [(News::Updated, vec![]), (News::Resolved, vec![2])] {
        let before = given(&[refuse.clone(), plan(2, news, 0)]);
        let delivery = issued.iter().fold(before, Delivery::evolve);
        assert_eq!(told(&delivery.decide(&catch_up, &known(9, &[])).unwrap()), planned);
    }
}

fn begin(attempts: &[(usize, u64)]) -> DeliveryCommand {
    let begun = |(n, revision): &(usize, u64)| Begun {
        target: target(*n),
        revision: *revision,
        attempt: 1,
    };
    DeliveryCommand::Begin {
        instance: "one".into(),
        attempts: attempts.iter().map(begun).collect(),
    }
}

fn begun(events: &[DeliveryEvent]) -> Vec<Target> {
    let of = |event: &DeliveryEvent| match event {
        DeliveryEvent::Begun(begun) => begun.clone(),
        _ => panic!("nothing begun: {event:?}"),
    };
    events.iter().flat_map(of).map(|begun| begun.target).collect()
}

#[test]
fn an_attempt_begins_for_what_is_newest_and_not_stopped() {
    let delivery = given(&[plan(1, News::Issued, 3)]);
    let events = delivery.decide(&begin(&[(0, 1), (1, 1)]), &known(1, &[])).unwrap();
    assert_eq!(begun(&events), [target(0), target(1)]);
    // Not for whom nothing is planned, not an older revision, not what was stopped, and only for
    // who holds the lease.
    assert_eq!(delivery.decide(&begin(&[(7, 1)]), &known(1, &[])), Ok(vec![]));
    let ended = given(&[plan(1, News::Issued, 3), plan(2, News::Cancelled, 0)]);
    assert_eq!(ended.decide(&begin(&[(0, 1)]), &known(1, &[])), Ok(vec![]));
    let hold = DeliveryCommand::Stop {
        reason: StopReason::Held,
        revision: 1,
        targets: vec![],
        never_left: false,
    };
    let held = given(&[plan(1, News::Issued, 3), hold]);
    assert_eq!(held.decide(&begin(&[(0, 1)]), &known(1, &[])), Ok(vec![]));
    let late = delivery.decide(&begin(&[(0, 1)]), &known(LEASE_MS, &[]));
    assert_eq!(late, Err(NotDelivered::LeaseHeld));
}

#[test]
fn who_says_that_nobody_was_reached_must_know_of_every_attempt() {
    let delivery = given(&[plan(1, News::Issued, 3), begin(&[(0, 1), (1, 1)])]);
    let cancel = plan(2, News::Cancelled, 0);
    // Whoever looked before the attempts were begun knows of none.
    let events = delivery.decide(&cancel, &known(1, &[0, 1, 2])).unwrap();
    assert_eq!(told(&events), [2]);
    let mut knows = known(1, &[0, 1, 2]);
    knows.not_reached.insert(target(0), 1);
    assert_eq!(told(&delivery.decide(&cancel, &knows).unwrap()), [1]);
}

#[test]
fn another_way_is_tried_once_for_what_is_newest() {
    let fall_back = |revision, n| DeliveryCommand::FallBack {
        instance: "one".into(),
        revision,
        targets: vec![target(n)],
    };
    let delivery = given(&[plan(1, News::Issued, 3)]);
    let events = delivery.decide(&fall_back(1, 7), &known(1, &[])).unwrap();
    assert_eq!(told(&events), [1]);
    let after = events.iter().fold(delivery.clone(), Delivery::evolve);
    assert_eq!(after.decide(&fall_back(1, 7), &known(1, &[])), Ok(vec![]));
    assert_eq!(delivery.decide(&fall_back(2, 7), &known(1, &[])), Ok(vec![]));
    // Who may have heard of it another way hears of its end.
    let events = after.decide(&plan(2, News::Cancelled, 0), &known(1, &[])).unwrap();
    assert_eq!(told(&events), [4]);
    let refuse = DeliveryCommand::Stop {
        reason: StopReason::Refused,
        revision: 1,
        targets: vec![],
        never_left: false,
    };
    let refused = given(&[plan(1, News::Issued, 3), refuse]);
    assert_eq!(refused.decide(&fall_back(1, 7), &known(1, &[])), Ok(vec![]));
}

#[test]
fn a_person_attests_once_and_only_what_was_planned() {
    let attest = |n, revision| DeliveryCommand::AttestPosted { target: target(n), revision };
    let delivery = given(&[plan(1, News::Issued, 3)]);
    let missing = Err(NotDelivered::NoSuchDelivery);
    assert_eq!(delivery.decide(&attest(7, 1), &known(1, &[])), missing);
    assert_eq!(delivery.decide(&attest(0, 2), &known(1, &[])), missing);
    let posted = given(&[plan(1, News::Issued, 3), attest(0, 1)]);
    assert_eq!(posted.decide(&attest(0, 1), &known(1, &[])), Ok(vec![]));
    assert_eq!(delivery.decide(&attest(0, 1), &known(1, &[])).unwrap().len(), 1);
}

#[test]
fn what_is_tried_again_is_the_newest() {
    let requeue = |n, revision| DeliveryCommand::Requeue { target: target(n), revision };
    let given_up_at = |delivery: &Delivery, revision| match &delivery
        .decide(&requeue(0, revision), &known(9, &[]))
        .unwrap()[..]
    {
        [DeliveryEvent::Requeued { give_up_at, .. }] => *give_up_at,
        other => panic!("{other:?}"),
    };
    let issued = given(&[plan(1, News::Issued, 3)]);
    assert_eq!(given_up_at(&issued, 1), Millis(1_000));
    let ended = given(&[plan(1, News::Issued, 3), plan(2, News::Cancelled, 0)]);
    let superseded = Err(NotDelivered::Superseded);
    assert_eq!(ended.decide(&requeue(0, 1), &known(9, &[])), superseded);
    // What sets right gets its week again.
    assert_eq!(given_up_at(&ended, 2), Millis(9).plus_ms(FOLLOW_UP_MS_MAX));
    let missing = Err(NotDelivered::NoSuchDelivery);
    assert_eq!(ended.decide(&requeue(7, 2), &known(9, &[])), missing);
}

fn stop(reason: StopReason, revision: u64) -> DeliveryCommand {
    DeliveryCommand::Stop { reason, revision, targets: vec![], never_left: false }
}

#[test]
fn a_refusal_of_a_correction_does_not_keep_it_from_those_who_were_told() {
    let delivery = given(&[
        plan(1, News::Issued, 2),
        plan(2, News::Corrected, 0),
        stop(StopReason::Refused, 2),
        stop(StopReason::Held, 2),
    ]);
    let events = delivery.decide(&begin(&[(0, 2)]), &known(1, &[])).unwrap();
    assert_eq!(begun(&events), [target(0)]);
    // What is over is not begun.
    let over = given(&[plan(1, News::Issued, 2), stop(StopReason::Expired, 1)]);
    assert_eq!(over.decide(&begin(&[(0, 1)]), &known(1, &[])), Ok(vec![]));
}

#[test]
fn a_correction_goes_on_for_whom_nothing_newer_is_planned() {
    let mut release = plan(3, News::Issued, 0);
    if let DeliveryCommand::Plan(plan) = &mut release {
        plan.targets = vec![target(1)];
    }
    let delivery = given(&[plan(1, News::Issued, 2), plan(2, News::Corrected, 0), release]);
    let events = delivery.decide(&begin(&[(0, 2), (1, 2)]), &known(1, &[])).unwrap();
    assert_eq!(begun(&events), [target(0)], "1 is told the newer one");
}

#[test]
fn an_attempt_begins_once() {
    let delivery = given(&[plan(1, News::Issued, 3), begin(&[(0, 1)])]);
    assert_eq!(delivery.decide(&begin(&[(0, 1)]), &known(1, &[])), Ok(vec![]));
    // Its record may come again, and counts once.
    let again = DeliveryEvent::Begun(vec![Begun { target: target(0), revision: 1, attempt: 1 }]);
    let twice = delivery.clone().evolve(&again);
    assert_eq!(twice.begun, delivery.begun);
}

#[test]
fn what_was_refused_is_not_requeued() {
    let requeue = DeliveryCommand::Requeue { target: target(0), revision: 1 };
    let refused = given(&[plan(1, News::Issued, 3), stop(StopReason::Refused, 1)]);
    assert_eq!(refused.decide(&requeue, &known(9, &[])), Err(NotDelivered::Stopped));
}

#[test]
fn a_lease_by_a_clock_that_was_ahead_is_nobodys() {
    let far = DeliveryEvent::LeaseTaken { instance: "one".into(), lease_until: Millis(9_000_000) };
    let delivery = given(&[plan(1, News::Issued, 1)]).evolve(&far);
    let take = DeliveryCommand::TakeLease { instance: "two".into() };
    assert_eq!(delivery.decide(&take, &known(1, &[])).unwrap().len(), 1);
}

#[test]
fn machines_hear_of_an_expiry_and_people_do_not() {
    let DeliveryCommand::Plan(mut issued) = plan(1, News::Issued, 1) else { panic!() };
    let people = Target { channel_type: "sms".into(), ..target(7) };
    issued.targets.push(people);
    let delivery = given(&[DeliveryCommand::Plan(issued)]);
    let events = delivery.decide(&plan(2, News::Expired, 0), &known(9, &[])).unwrap();
    assert_eq!(told(&events), [1]);
}
