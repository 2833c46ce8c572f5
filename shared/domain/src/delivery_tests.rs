//! Plans, leases, stops and attempts: given, when, then.

use super::*;

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
