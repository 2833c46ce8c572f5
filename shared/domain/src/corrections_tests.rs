//! Given / when / then for the list of the uncorrected, and its honesty over random histories.

use proptest::prelude::*;

use super::*;
use crate::{
    delivery::{DeliveryEvent, Plan},
    ids::{AlertId, Home, RecordId},
    lane::{Outcome, Receipt},
};

const LATE: Millis = Millis(1_000_000);

/// Two channels a group: targets 0 and 1 are of one group.
fn target(n: usize) -> Target {
    Target {
        group: format!("g-{}", n / 2).parse().unwrap(),
        channel: format!("webhook-{}", n % 2).parse().unwrap(),
        channel_type: "webhook".into(),
    }
}

fn planned(revision: u64, targets: Vec<Target>) -> DeliveryEvent {
    DeliveryEvent::Planned {
        plan: Plan {
            alert: AlertId::raised_by(RecordId::of_purpose("a")),
            alert_home: Home::NATION,
            commune: "25126".parse().unwrap(),
            revision,
            news: if revision == 1 { News::Issued } else { News::Corrected },
            cause: RecordId::of_purpose("c"),
            instance: "one".into(),
            not_before: None,
            give_up_at: Millis(100_000),
            audience: crate::delivery::Audience::Named,
            targets,
        },
        lease_until: Millis(10_000),
    }
}

/// A retry that is due by the time of the next plan, and one that is not.
const SOON: Millis = Millis(8);
const MUCH_LATER: Millis = Millis(LATE.0 + 60_000);

fn receipt(
    n: usize,
    revision: u64,
    attempt: u32,
    outcome: Outcome,
    retry: Option<Millis>,
) -> Receipt {
    Receipt {
        target: target(n),
        revision,
        attempt,
        outcome,
        at: Millis(5),
        took_ms: 1,
        status: 0,
        trouble: String::new(),
        provider_id: String::new(),
        next_attempt_at: retry,
    }
}

/// The alert goes to 0 … 5, then these receipts, then the correction to these, then these.
fn lanes(told: &[(usize, Outcome)], to: &[usize], corrected: &[(usize, Outcome)]) -> Lanes {
    let mut lanes = Lanes::default();
    lanes.apply(&planned(1, (0..6).map(target).collect()), Millis(0));
    for (n, outcome) in told {
        lanes.receive(&receipt(*n, 1, 1, *outcome, None));
    }
    lanes.apply(&planned(2, to.iter().copied().map(target).collect()), Millis(10));
    for (n, outcome) in corrected {
        lanes.receive(&receipt(*n, 2, 1, *outcome, None));
    }
    lanes
}

fn open(lanes: &Lanes) -> Vec<(usize, &'static str)> {
    let list = uncorrected(lanes, 2, &BTreeSet::new(), LATE);
    let number = |of: &Target| (0..6).find(|n| target(*n) == *of).unwrap();
    list.iter().map(|one| (number(&one.target), one.stands.as_str())).collect()
}

#[test]
fn whoever_may_have_heard_is_on_the_list_until_the_correction_is_confirmed() {
    use Outcome::{Delivered, Gone, NotReached, Unknown};
    let told =
        [(0, Delivered), (1, Unknown), (2, NotReached), (3, Gone), (4, Delivered), (5, Delivered)];
    let all = [0, 1, 4, 5];
    let under_way: Vec<_> = all.map(|n| (n, "under-way")).into();
    assert_eq!(open(&lanes(&told, &all, &[])), under_way);
    // Nobody planned for 5: the list says so, and does not forget it.
    let some = lanes(&told, &[0, 1, 4], &[(0, Delivered), (1, Unknown), (4, Gone)]);
    assert_eq!(open(&some), [(1, "unknown"), (4, "not-reached"), (5, "not-planned")]);
    let done = all.map(|n| (n, Delivered));
    assert_eq!(open(&lanes(&told, &all, &done)), []);
}

#[test]
fn what_was_under_way_when_it_was_corrected_may_have_arrived() {
    assert_eq!(open(&lanes(&[], &[0], &[])).len(), 6);
}

#[test]
fn another_channel_or_another_way_counts_only_as_what_it_is() {
    let lanes = lanes(&[], &[0, 1, 2], &[(0, Outcome::Delivered)]);
    let list = uncorrected(&lanes, 2, &[target(2)].into(), LATE);
    assert_eq!(list[0].target, target(1));
    assert!(list[0].group_told, "the group's other channel has it");
    assert!(list.iter().all(|one| one.target != target(2)), "attested");
}

#[test]
fn a_newer_revision_corrects_as_well() {
    let mut lanes = lanes(&[], &[0, 1], &[]);
    lanes.apply(&planned(3, vec![target(0), target(1)]), Millis(20));
    lanes.receive(&receipt(0, 3, 1, Outcome::Delivered, None));
    let open = open(&lanes);
    assert_eq!(open[0], (1, "under-way"));
    // Of what 0 and 1 heard, revision 3 alone may leave now.
    assert!(may_leave(&lanes, &target(1), 3) && !may_leave(&lanes, &target(1), 2));
}

#[test]
fn the_remaining_are_counted_by_commune() {
    let commune = |code: &str| code.parse::<CommuneCode>().unwrap();
    let (some, none) = (lanes(&[], &[0], &[(0, Outcome::Gone)]), Lanes::default());
    let both = [(commune("25126"), &some), (commune("25135"), &none)];
    let remaining = Remaining::of(both, 2, &BTreeSet::new(), LATE);
    assert_eq!((remaining.communes.len(), remaining.targets()), (1, 6));
    assert_eq!(remaining.need_a_person().count(), 1);
    assert!(Remaining::of([(commune("25135"), &none)], 2, &BTreeSet::new(), LATE).is_empty());
}

/// What an attempt did in truth, and what its holder saw of it.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    target: usize,
    outcome: Outcome,
    arrived: bool,
    retry: Option<Millis>,
    receipt_lost: bool,
}

fn any_attempt() -> impl Strategy<Value = Attempt> {
    let seen = prop_oneof![
        Just((Outcome::Delivered, true)),
        Just((Outcome::NotReached, false)),
        Just((Outcome::Gone, false)),
        Just((Outcome::Unknown, false)),
        Just((Outcome::Unknown, true)),
    ];
    let retry = prop::sample::select(&[None, Some(SOON), Some(MUCH_LATER)]);
    (0usize..6, seen, retry, prop::bool::weighted(0.2)).prop_map(
        |(target, (outcome, arrived), retry, receipt_lost)| Attempt {
            target,
            outcome,
            arrived,
            retry: retry.filter(|_| !matches!(outcome, Outcome::Delivered | Outcome::Gone)),
            receipt_lost,
        },
    )
}

/// The truth beside the lanes: the newest revision that each target was really shown.
#[derive(Debug, Default)]
struct Truth {
    shown: BTreeMap<usize, u64>,
    /// Attempts under way when their holder was killed: nobody knows whether they arrived.
    unknown: BTreeSet<(usize, u64)>,
    attempts: BTreeMap<(usize, u64), u32>,
}

impl Truth {
    /// Makes an attempt where one is due, as the holder of the lease would.
    fn attempt(&mut self, lanes: &mut Lanes, revision: u64, attempt: Attempt, now: Millis) {
        let of = target(attempt.target);
        let due_at = lanes.get(&of, revision).and_then(LaneDelivery::due_at);
        if due_at.is_none_or(|at| now < at) {
            return;
        }
        assert!(may_leave(lanes, &of, revision));
        let shown = self.shown.entry(attempt.target).or_default();
        if attempt.arrived {
            assert!(*shown <= revision, "an old revision was shown last");
            *shown = revision;
        }
        if attempt.receipt_lost {
            self.unknown.insert((attempt.target, revision));
            return;
        }
        let number = self.attempts.entry((attempt.target, revision)).or_default();
        *number += 1;
        let Attempt { target, mut outcome, retry, .. } = attempt;
        if outcome != Outcome::Delivered && self.unknown.contains(&(target, revision)) {
            outcome = Outcome::Unknown;
        }
        lanes.receive(&receipt(target, revision, *number, outcome, retry));
    }
}

proptest! {
    #[test]
    fn nobody_who_was_told_is_forgotten_and_the_list_becomes_empty(
        history in prop::collection::vec(prop::collection::vec(any_attempt(), 0..12), 2..5),
    ) {
        let (mut lanes, mut truth) = (Lanes::default(), Truth::default());
        lanes.apply(&planned(1, (0..6).map(target).collect()), Millis(0));
        let mut revision = 1;
        for (round, attempts) in history.iter().enumerate() {
            if round > 0 {
                revision += 1;
                let spared = lanes.not_reached(Millis(10), ABOUT_TO_LEAVE_MS);
                let spared: BTreeSet<_> = spared.map(|(of, _)| of.clone()).collect();
                let to = (0..6).map(target).filter(|of| !spared.contains(of)).collect();
                lanes.apply(&planned(revision, to), Millis(10));
            }
            for attempt in attempts {
                truth.attempt(&mut lanes, revision, *attempt, Millis(10));
                for correction in 2..=revision {
                    let list = uncorrected(&lanes, correction, &BTreeSet::new(), LATE);
                    for (n, shown) in &truth.shown {
                        let wrong = (1..correction).contains(shown);
                        let listed = list.iter().any(|one| one.target == target(*n));
                        prop_assert!(!wrong || listed, "{} saw {} last", n, shown);
                    }
                }
            }
        }
        // Every channel works in the end: whatever is still open is confirmed.
        let open = lanes.open().map(|(of, delivery)| (of.clone(), delivery.revision));
        let open: Vec<_> = open.collect();
        for (of, revision) in open {
            let n = (0..6).find(|n| target(*n) == of).unwrap();
            let end = Attempt {
                target: n,
                outcome: Outcome::Delivered,
                arrived: true,
                retry: None,
                receipt_lost: false,
            };
            truth.attempt(&mut lanes, revision, end, MUCH_LATER);
        }
        for one in uncorrected(&lanes, revision, &BTreeSet::new(), LATE) {
            prop_assert!(one.stands.needs_a_person() || one.stands == Stands::NotPlanned);
        }
    }
}
