//! Lanes, told as small stories.

use super::*;
use crate::{
    ids::{AlertId, Home, RecordId},
    values::News,
};

fn target(n: usize) -> Target {
    Target {
        group: format!("g-{n}").parse().unwrap(),
        channel: "webhook-1".parse().unwrap(),
        channel_type: "webhook".into(),
    }
}

fn planned(revision: u64, news: News, targets: &[usize]) -> DeliveryEvent {
    DeliveryEvent::Planned {
        plan: Plan {
            alert: AlertId::raised_by(RecordId::of_purpose("a")),
            alert_home: Home::NATION,
            commune: "25126".parse().unwrap(),
            revision,
            news,
            cause: RecordId::of_purpose("c"),
            instance: "one".into(),
            give_up_at: Millis(100_000),
            not_before: None,
            audience: crate::delivery::Audience::Named,
            targets: targets.iter().copied().map(target).collect(),
        },
        lease_until: Millis(10_000),
    }
}

fn receipt(n: usize, attempt: u32, outcome: Outcome, next: Option<i64>) -> Receipt {
    Receipt {
        target: target(n),
        revision: 1,
        attempt,
        outcome,
        at: Millis(5),
        took_ms: 1,
        status: 0,
        trouble: String::new(),
        next_attempt_at: next.map(Millis),
        provider_id: String::new(),
    }
}

#[test]
fn who_may_have_been_reached_is_known_for_each_target() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned(1, News::Issued, &[0, 1, 2, 3, 4, 5]), Millis(0));
    lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
    lanes.receive(&receipt(2, 1, Outcome::NotReached, Some(50_000)));
    lanes.receive(&receipt(3, 1, Outcome::Unknown, Some(50_000)));
    lanes.receive(&receipt(4, 1, Outcome::Gone, None));
    lanes.receive(&receipt(5, 1, Outcome::NotReached, Some(10_400)));
    let not_reached: Vec<_> =
        lanes.not_reached(Millis(10_000), ABOUT_TO_LEAVE_MS).map(|(t, _)| t.clone()).collect();
    // 0 may be under way, and the retry of 5 may have left already.
    assert_eq!(not_reached, [target(2), target(4)]);
}

#[test]
fn what_waits_for_the_morning_has_reached_nobody() {
    let mut lanes = Lanes::default();
    let DeliveryEvent::Planned { mut plan, lease_until } = planned(1, News::Issued, &[0]) else {
        panic!("a plan")
    };
    plan.not_before = Some(Millis(60_000));
    lanes.apply(&DeliveryEvent::Planned { plan, lease_until }, Millis(0));
    let lane = lanes.get(&target(0), 1).unwrap();
    assert_eq!((lane.state(), lane.due_at()), ("quiet-hours", Some(Millis(60_000))));
    let told = |at: i64| lanes.not_reached(Millis(at), ABOUT_TO_LEAVE_MS).count() == 0;
    assert_eq!([59_000, 60_000].map(told), [false, true]);
}

#[test]
fn a_later_revision_takes_the_place_of_what_has_not_ended() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned(1, News::Issued, &[0, 1]), Millis(0));
    lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
    lanes.apply(&planned(2, News::Cancelled, &[0, 1]), Millis(9));
    let open: Vec<_> = lanes.open().map(|(t, d)| (t.clone(), d.revision)).collect();
    assert_eq!(open, [(target(0), 2), (target(1), 2)]);
    // What was in flight is still taken in.
    lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
    assert_eq!(lanes.get(&target(1), 1).unwrap().state(), "delivered");
}

#[test]
fn an_update_in_the_place_of_a_correction_is_one() {
    let told = |correction: Outcome, next: Option<i64>| {
        let mut lanes = Lanes::default();
        lanes.apply(&planned(1, News::Issued, &[0]), Millis(0));
        lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
        lanes.apply(&planned(2, News::Corrected, &[0]), Millis(5));
        lanes.receive(&Receipt { revision: 2, ..receipt(0, 1, correction, next) });
        lanes.apply(&planned(3, News::Updated, &[0]), Millis(9));
        lanes.get(&target(0), 3).unwrap().news
    };
    assert_eq!(told(Outcome::NotReached, Some(7)), News::Corrected);
    assert_eq!(told(Outcome::Delivered, None), News::Updated);
    let mut lanes = Lanes::default();
    lanes.apply(&planned(2, News::Resolved, &[0]), Millis(0));
    lanes.apply(&planned(3, News::Updated, &[0]), Millis(9));
    // Opened again: nobody is to hear of an end that was none.
    assert_eq!(lanes.get(&target(0), 3).unwrap().news, News::Updated);
}

#[test]
fn receipts_may_come_before_their_plan() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned(1, News::Issued, &[0]), Millis(0));
    lanes.receive(&Receipt { revision: 2, ..receipt(0, 1, Outcome::Delivered, None) });
    lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
    lanes.apply(&planned(1, News::Issued, &[1]), Millis(0));
    lanes.apply(&planned(2, News::Cancelled, &[0, 1]), Millis(9));
    assert_eq!(lanes.get(&target(1), 1).unwrap().state(), "delivered");
    assert_eq!(lanes.get(&target(0), 2).unwrap().state(), "delivered");
}

#[test]
fn a_plan_that_comes_after_a_newer_one_is_over() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned(2, News::Cancelled, &[]), Millis(0));
    lanes.apply(&planned(1, News::Issued, &[0]), Millis(1));
    assert_eq!(lanes.open().count(), 0);
    assert_eq!(lanes.not_reached(Millis(9), 0).count(), 0);
}

#[test]
fn who_may_have_been_told_by_a_plan_that_was_lost_is_behind_until_told() {
    let behind = |lanes: &Lanes| lanes.behind(Millis(99), 0).cloned().collect::<Vec<_>>();
    let mut lanes = Lanes::default();
    lanes.apply(&planned(2, News::Cancelled, &[3]), Millis(0));
    lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
    lanes.receive(&receipt(1, 1, Outcome::NotReached, None));
    lanes.apply(&planned(1, News::Issued, &[0, 1, 2, 3]), Millis(1));
    // 1 was certainly not reached, and 3 is planned for.
    assert_eq!(behind(&lanes), [target(0), target(2)]);
    lanes.receive(&receipt(1, 2, Outcome::Unknown, None));
    assert_eq!(behind(&lanes), [target(0), target(1), target(2)]);
    lanes.apply(&planned(2, News::Cancelled, &[0, 1]), Millis(2));
    assert_eq!(behind(&lanes), [target(2)]);
    lanes.apply(&planned(3, News::Corrected, &[2]), Millis(3));
    assert_eq!(behind(&lanes), []);
}

#[test]
fn a_plan_that_is_back_behind_a_refusal_is_stopped() {
    let refused = DeliveryEvent::Stopped {
        reason: StopReason::Refused,
        revision: 1,
        targets: vec![],
        never_left: false,
    };
    let mut lanes = Lanes::default();
    lanes.apply(&refused, Millis(3));
    lanes.receive(&receipt(0, 1, Outcome::NotReached, Some(2_000)));
    lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
    lanes.apply(&planned(1, News::Issued, &[0, 1, 2]), Millis(0));
    let states = |lanes: &Lanes| lanes.iter().map(|(_, d)| d.state()).collect::<Vec<_>>();
    assert_eq!(states(&lanes), ["refused", "delivered", "refused"]);
    // How it ended is told all the same.
    lanes.apply(&planned(2, News::Resolved, &[1, 2]), Millis(9));
    assert_eq!(lanes.open().count(), 2);
}

#[test]
fn a_retry_under_way_when_it_is_stopped_may_arrive() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned(1, News::Issued, &[0]), Millis(0));
    lanes.receive(&receipt(0, 1, Outcome::NotReached, Some(2_000)));
    let stop = DeliveryEvent::Stopped {
        reason: StopReason::Refused,
        revision: 1,
        targets: vec![],
        never_left: false,
    };
    lanes.apply(&stop, Millis(2_100));
    assert_eq!(lanes.not_reached(Millis(9_000), ABOUT_TO_LEAVE_MS).count(), 0);
}

#[test]
fn a_receipt_counts_once() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned(1, News::Issued, &[0]), Millis(0));
    lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
    lanes.receive(&receipt(0, 1, Outcome::NotReached, Some(7)));
    assert_eq!(lanes.get(&target(0), 1).unwrap().state(), "delivered");
}

fn sms(n: usize) -> Target {
    Target { channel: "sms-1".parse().unwrap(), channel_type: "sms".into(), ..target(n) }
}

fn planned_sms(revision: u64, news: News, n: usize) -> DeliveryEvent {
    let DeliveryEvent::Planned { mut plan, lease_until } = planned(revision, news, &[]) else {
        panic!("a plan")
    };
    plan.targets = vec![sms(n)];
    DeliveryEvent::Planned { plan, lease_until }
}

fn begun(n: usize, attempt: u32) -> DeliveryEvent {
    DeliveryEvent::Begun(vec![Begun { target: sms(n), revision: 1, attempt }])
}

fn told(n: usize, attempt: u32, outcome: Outcome, next: Option<i64>) -> Receipt {
    Receipt { target: sms(n), ..receipt(n, attempt, outcome, next) }
}

fn state(lanes: &Lanes, n: usize) -> &'static str {
    lanes.get(&sms(n), 1).unwrap().state()
}

#[test]
fn where_attempts_have_records_a_plan_alone_reaches_nobody() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned_sms(1, News::Issued, 0), Millis(0));
    let not_reached = |lanes: &Lanes| lanes.not_reached(Millis(9), ABOUT_TO_LEAVE_MS).count();
    assert_eq!(not_reached(&lanes), 1);
    lanes.apply(&begun(0, 1), Millis(1));
    assert_eq!(not_reached(&lanes), 0, "it may be under way");
    assert!(lanes.get(&sms(0), 1).unwrap().is_under_way());
    lanes.receive(&told(0, 1, Outcome::NotReached, Some(10)));
    assert_eq!(not_reached(&lanes), 1, "also where the retry is due at once");
    let known: Vec<u32> = lanes.not_reached(Millis(9), 0).map(|(_, begun)| begun).collect();
    assert_eq!(known, [1]);
}

#[test]
fn what_was_taken_is_accepted_and_a_receipt_makes_more_of_it() {
    for (later, becomes) in [
        (Outcome::Delivered, "delivered"),
        (Outcome::Read, "read"),
        (Outcome::Refused, "failed"),
        (Outcome::Unknown, "accepted"),
        (Outcome::NotReached, "accepted"),
    ] {
        let mut lanes = Lanes::default();
        lanes.apply(&planned_sms(1, News::Issued, 0), Millis(0));
        lanes.receive(&told(0, 1, Outcome::Accepted, None));
        assert_eq!(state(&lanes, 0), "accepted");
        lanes.receive(&told(0, 1, later, None));
        assert_eq!(state(&lanes, 0), becomes, "{later:?}");
        assert_eq!(lanes.get(&sms(0), 1).unwrap().maybe_arrived, later != Outcome::Refused);
    }
}

#[test]
fn what_was_unknown_may_turn_out_or_goes_to_a_person_who_has_it_tried_again() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned_sms(1, News::Issued, 0), Millis(0));
    lanes.receive(&told(0, 1, Outcome::Unknown, Some(30_000)));
    assert_eq!(state(&lanes, 0), "retrying");
    lanes.receive(&told(0, 1, Outcome::NeedsPerson, None));
    assert_eq!(state(&lanes, 0), "needs-person");
    assert!(lanes.get(&sms(0), 1).unwrap().is_dead());
    let again = DeliveryEvent::Requeued { target: sms(0), revision: 1, give_up_at: Millis(90_000) };
    lanes.apply(&again, Millis(40_000));
    let lane = lanes.get(&sms(0), 1).unwrap();
    assert_eq!((lane.state(), lane.due_at(), lane.attempts), ("retrying", Some(Millis(40_000)), 1));
    lanes.receive(&told(0, 2, Outcome::Accepted, None));
    // Twice asked is once done.
    lanes.apply(&again, Millis(50_000));
    assert_eq!(state(&lanes, 0), "accepted");
}

#[test]
fn what_a_person_has_in_hand_is_handed_over_and_never_delivered() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned_sms(1, News::Issued, 0), Millis(0));
    lanes.receive(&told(0, 1, Outcome::HandedOver, Some(60_000)));
    let lane = lanes.get(&sms(0), 1).unwrap();
    assert_eq!((lane.state(), lane.due_at()), ("handed-over", Some(Millis(60_000))));
    assert!(!lane.ended() && !lane.has_succeeded());
    // A reminder that failed takes nothing out of the hand; the last one has no next.
    lanes.receive(&told(0, 2, Outcome::NotReached, Some(62_000)));
    assert_eq!(state(&lanes, 0), "handed-over");
    lanes.receive(&told(0, 3, Outcome::HandedOver, None));
    let lane = lanes.get(&sms(0), 1).unwrap();
    assert_eq!((lane.due_at(), lane.handed_over_at), (None, Some(Millis(5))));
    // A cancel takes its place; that it was posted is said all the same.
    lanes.apply(&planned_sms(2, News::Cancelled, 0), Millis(70_000));
    assert_eq!(state(&lanes, 0), "superseded");
    let posted = DeliveryEvent::PostAttested { target: sms(0), revision: 1 };
    lanes.apply(&posted, Millis(80_000));
    assert_eq!(state(&lanes, 0), "attested-posted");
    assert_eq!(lanes.reached_at(&sms(0)), Some(Millis(5)));
    assert_eq!(lanes.first_revision(&sms(0)), Some(1));
}

#[test]
fn what_never_came_into_the_hand_has_failed_and_a_lost_reminder_has_not() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned_sms(1, News::Issued, 0), Millis(0));
    let told = |attempt, at, outcome, next| Receipt {
        target: sms(0),
        at: Millis(at),
        ..receipt(0, attempt, outcome, next)
    };
    let state = |lanes: &Lanes| lanes.get(&sms(0), 1).unwrap().state();
    lanes.receive(&told(1, 5, Outcome::HandedOver, Some(60_000)));
    assert_eq!(state(&lanes), "handed-over");
    let mut lost = lanes.clone();
    // The provider says later that it could not be delivered to the person.
    lost.receive(&told(1, 9, Outcome::Refused, None));
    assert_eq!((state(&lost), lost.open().count()), ("failed", 0));
    assert_eq!(lost.not_reached(Millis(99_000), 0).count(), 1);
    // The same of a reminder leaves the task where it is.
    lanes.receive(&told(2, 60_005, Outcome::HandedOver, None));
    lanes.receive(&told(2, 60_009, Outcome::Refused, None));
    assert_eq!(state(&lanes), "handed-over");
}

#[test]
fn a_correction_that_is_still_to_be_told_gives_way_only_to_what_tells_its_target() {
    let mut lanes = Lanes::default();
    lanes.apply(&planned(1, News::Issued, &[0, 1]), Millis(0));
    lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
    lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
    lanes.apply(&planned(2, News::Corrected, &[0, 1]), Millis(5));
    lanes.apply(&planned(3, News::Updated, &[1]), Millis(9));
    let open: Vec<_> = lanes.open().map(|(t, d)| (t.clone(), d.revision)).collect();
    assert_eq!(open, [(target(0), 2), (target(1), 3)]);
}

#[test]
fn an_attempt_may_be_begun_before_its_plan_is_read() {
    let mut lanes = Lanes::default();
    lanes.apply(&begun(0, 1), Millis(1));
    lanes.apply(&planned_sms(1, News::Issued, 0), Millis(0));
    assert!(lanes.get(&sms(0), 1).unwrap().is_under_way());
    lanes.apply(&begun(0, 1), Millis(1));
    let known: Vec<u32> = lanes.not_reached(Millis(9), 0).map(|(_, begun)| begun).collect();
    assert_eq!(known, Vec::<u32>::new());
    lanes.receive(&told(0, 1, Outcome::NotReached, None));
    let known: Vec<u32> = lanes.not_reached(Millis(9), 0).map(|(_, begun)| begun).collect();
    assert_eq!(known, [1]);
}
