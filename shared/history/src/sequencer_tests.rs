//! The rules of the order, by examples and by a property.

use std::{collections::HashMap, sync::Arc};

use domain::ids::{EntityName, KeyId, Millis, RecordId};
use event_log::{Class, Kind, Received, Recorded, Signature, follower::Cursor};
use proptest::prelude::*;
use wire::v1;

use crate::{
    reading::Reading,
    sequencer::{Placed, Sequencer, WAITING_RECORDS_MAX},
    testing::{alert, at, cancel, command, commit, events, true_already},
};

fn offer(order: &mut Sequencer, recorded: &Arc<Recorded>) -> Vec<Placed> {
    order.offer(Reading::of(Arc::clone(recorded)), 0)
}

fn ids(placed: &[Placed]) -> Vec<RecordId> {
    placed.iter().map(|placed| placed.recorded.id).collect()
}

struct Case {
    entity: EntityName,
    commands: Vec<Arc<Recorded>>,
    commits: Vec<Arc<Recorded>>,
}

/// Three commands to one alert, and their commits.
fn case() -> Case {
    let entity = EntityName::alert(alert("a"));
    let name = |n: u64| format!("c{n}");
    let command = |n: u64| at(n, command(&name(n), &entity, 0, cancel()));
    let commit = |n: u64| at(n, commit(Class::Alert, &entity, n, &name(n), 0, true_already()));
    let (commands, commits) = (1..=3).map(|n| (command(n), commit(n))).unzip();
    Case { entity, commands, commits }
}

#[test]
fn a_commit_waits_for_its_command_and_for_the_version_before_it() {
    let (mut order, case) = (Sequencer::new(), case());
    assert!(offer(&mut order, &case.commits[0]).is_empty());
    assert!(offer(&mut order, &case.commits[1]).is_empty());
    assert_eq!(ids(&offer(&mut order, &case.commands[1])), [case.commands[1].id]);
    assert_eq!(order.waiting(), 2);
    let placed = offer(&mut order, &case.commands[0]);
    let wanted = [case.commands[0].id, case.commits[0].id, case.commits[1].id];
    assert_eq!(ids(&placed), wanted);
    assert_eq!(placed.iter().map(|placed| placed.number).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!((order.waiting(), order.placed()), (0, 4));
    assert_eq!(order.place_of(case.commits[1].id), Some(4));
}

#[test]
fn a_signed_command_has_its_place_behind_its_key() {
    let (mut order, case) = (Sequencer::new(), case());
    let key = KeyId::of(&[7; 32]);
    let entity = EntityName::key(key);
    let asked = |n| at(n, command(&format!("k{n}"), &entity, 0, cancel()));
    let of_key = |n| at(n, commit(Class::Alert, &entity, n, &format!("k{n}"), 0, true_already()));
    let received = Some(Received { at: Millis(9), key_version: 2 });
    let signature = Some(Arc::new(Signature { key, value: vec![0; 64].into(), received }));
    let signed = Arc::new(Recorded { signature, ..(*case.commands[0]).clone() });
    assert_eq!(Reading::of(Arc::clone(&signed)).at, Some(Millis(9)), "when it came");
    offer(&mut order, &asked(1));
    offer(&mut order, &of_key(1));
    assert!(offer(&mut order, &signed).is_empty());
    assert!(offer(&mut order, &case.commits[0]).is_empty());
    assert!(order.late(5, 5).iter().any(|late| late.why.contains("which signs it")));
    // It comes again where its class begins anew.
    order.begin_anew(Class::Command);
    assert_eq!(order.waiting(), 1);
    assert!(offer(&mut order, &signed).is_empty());
    // Another command of the same key is held up no more than another's is.
    assert_eq!(ids(&offer(&mut order, &asked(2))), [asked(2).id]);
    let placed = ids(&offer(&mut order, &of_key(2)));
    assert_eq!(placed, [of_key(2).id, signed.id, case.commits[0].id]);
    assert_eq!(order.waiting(), 0);
}

#[test]
fn following_goes_on_before_what_waits() {
    let (mut order, case) = (Sequencer::new(), case());
    let other = EntityName::alert(alert("b"));
    let command = |name: &str| at(9, command(name, &other, 0, cancel()));
    let commit = |position, version, cause: &str| {
        at(position, commit(Class::Alert, &other, version, cause, 0, true_already()))
    };
    let (first, second) = (commit(1, 1, "x"), commit(3, 2, "y"));
    offer(&mut order, &command("x"));
    offer(&mut order, &command("y"));
    let on_first = Some(Cursor::on(&first));
    assert_eq!(offer(&mut order, &first)[0].resume, on_first);
    // Another entity waits between the two, and holds nobody else up.
    let waits = Arc::new(Recorded { position: 2, ..(*case.commits[0]).clone() });
    assert!(offer(&mut order, &waits).is_empty());
    assert_eq!(offer(&mut order, &second)[0].resume, on_first);
    let freed = offer(&mut order, &case.commands[0]);
    assert_eq!(freed[1].resume, Some(Cursor::on(&second)));
    assert_eq!(order.cursor(Class::Alert), Some(Cursor::on(&second)));
}

#[test]
fn what_comes_again_is_placed_once() {
    let (mut order, case) = (Sequencer::new(), case());
    offer(&mut order, &case.commits[0]);
    assert!(offer(&mut order, &case.commits[0]).is_empty());
    assert_eq!(offer(&mut order, &case.commands[0]).len(), 2);
    assert!(offer(&mut order, &case.commits[0]).is_empty());
    assert!(offer(&mut order, &case.commands[0]).is_empty());
    // After a restart, too, and after the log began anew.
    let mut restored = Sequencer::new();
    for recorded in [&case.commands[0], &case.commits[0]] {
        let resume = Some(Cursor::on(recorded));
        restored.restore(recorded.id, &recorded.key, recorded.kind, resume);
    }
    assert_eq!(restored.cursor(Class::Alert), Some(Cursor::on(&case.commits[0])));
    restored.begin_anew(Class::Alert);
    assert_eq!(restored.cursor(Class::Alert), None);
    assert!(offer(&mut restored, &case.commits[0]).is_empty());
    offer(&mut restored, &case.commands[1]);
    assert_eq!(offer(&mut restored, &case.commits[1])[0].number, 4);
}

#[test]
fn what_waited_when_its_class_begins_anew_comes_again() {
    let (mut order, case) = (Sequencer::new(), case());
    offer(&mut order, &case.commits[0]);
    order.begin_anew(Class::Alert);
    assert_eq!(order.waiting(), 0);
    assert_eq!(offer(&mut order, &case.commands[0]).len(), 1);
    assert_eq!(offer(&mut order, &case.commits[0]).len(), 1);
}

#[test]
fn observations_wait_for_their_version_only() {
    let mut order = Sequencer::new();
    let entity = EntityName::delivery(alert("a"), "25126".parse().unwrap());
    let plan = |n| at(n, commit(Class::Delivery, &entity, n, "never seen", 0, true_already()));
    assert!(offer(&mut order, &plan(2)).is_empty());
    assert_eq!(offer(&mut order, &plan(1)).len(), 2);
}

#[test]
fn a_recovered_commit_waits_for_the_command_of_the_lost_one() {
    let (mut order, case) = (Sequencer::new(), case());
    let lost = v1::Recovered { original: case.commits[0].open.clone() };
    let outcome = events([v1::event::Event::Recovered(lost)]);
    let again = at(1, commit(Class::Alert, &case.entity, 1, "the lost one", 0, outcome));
    assert!(offer(&mut order, &again).is_empty());
    assert_eq!(offer(&mut order, &case.commands[0]).len(), 2);
}

#[test]
fn what_is_late_is_told_once_and_goes_on_waiting() {
    let (mut order, case) = (Sequencer::new(), case());
    order.offer(Reading::of(Arc::clone(&case.commits[1])), 1_000);
    assert!(order.late(60_999, 60_000).is_empty());
    let late = order.late(61_000, 60_000);
    assert_eq!((late.len(), late[0].id), (1, case.commits[1].id));
    assert!(late[0].why.contains(&case.commands[1].id.to_string()), "{}", late[0].why);
    assert!(order.late(200_000, 60_000).is_empty());
    assert_eq!(order.waiting(), 1);
}

#[test]
fn what_waits_is_bounded() {
    let mut order = Sequencer::new();
    for n in 0..WAITING_RECORDS_MAX {
        assert!(!order.is_full());
        let entity = EntityName::alert(alert(&n.to_string()));
        let position = u64::try_from(n).unwrap() + 1;
        let commit = commit(Class::Alert, &entity, 1, "never", 0, true_already());
        offer(&mut order, &at(position, commit));
    }
    assert!(order.is_full());
}

/// Logs of three classes: each command with its commit, and observations of it.
fn logs(alerts: &[u8]) -> [Vec<Arc<Recorded>>; 3] {
    let mut logs = [vec![], vec![], vec![]];
    let mut versions: HashMap<EntityName, u64> = HashMap::new();
    let push = |log: &mut Vec<Arc<Recorded>>, record| {
        log.push(at(u64::try_from(log.len()).unwrap() + 1, record));
    };
    for (n, name) in alerts.iter().enumerate() {
        let of_alert = EntityName::alert(alert(&name.to_string()));
        let told = EntityName::delivery(alert(&name.to_string()), "25126".parse().unwrap());
        let version = versions.entry(of_alert.clone()).or_default();
        *version += 1;
        let cause = format!("c{n}");
        push(&mut logs[0], command(&cause, &of_alert, 0, cancel()));
        push(&mut logs[1], commit(Class::Alert, &of_alert, *version, &cause, 0, true_already()));
        push(&mut logs[2], commit(Class::Delivery, &told, *version, &cause, 0, true_already()));
    }
    logs
}

proptest! {
    /// However the classes interleave, and whatever comes twice, the order keeps the rules and
    /// holds each record once; and one who resumes from any of its places misses nothing.
    #[test]
    fn any_interleaving_gives_a_lawful_order(
        alerts in prop::collection::vec(0u8..4, 1..24),
        turns in prop::collection::vec((0usize..3, 0usize..4), 0..200),
        cut in 0usize..72,
    ) {
        let logs = logs(&alerts);
        let mut read = [0usize; 3];
        let mut order = Sequencer::new();
        let mut placed: Vec<Placed> = Vec::new();
        let rest = (0..3).flat_map(|class| std::iter::repeat_n((class, 0), alerts.len()));
        for (class, back) in turns.into_iter().chain(rest) {
            // Sometimes it reads a few again, as after a reconnection.
            read[class] = read[class].saturating_sub(back);
            for _ in 0..=back {
                if let Some(recorded) = logs[class].get(read[class]) {
                    placed.extend(offer(&mut order, recorded));
                    read[class] += 1;
                }
            }
        }
        lawful(&placed, &logs.concat());
        prop_assert_eq!(order.waiting(), 0);

        // A restart after any entry.
        let cut = cut.min(placed.len());
        let mut again = Sequencer::new();
        let mut whole = placed[..cut].to_vec();
        for Placed { recorded, resume, .. } in &whole {
            again.restore(recorded.id, &recorded.key, recorded.kind, *resume);
        }
        for (class, log) in [Class::Command, Class::Alert, Class::Delivery].iter().zip(&logs) {
            let from = again.cursor(*class).map_or(0, |cursor| cursor.position);
            for recorded in log.iter().filter(|recorded| recorded.position > from) {
                whole.extend(offer(&mut again, recorded));
            }
        }
        lawful(&whole, &logs.concat());
    }
}

fn lawful(placed: &[Placed], all: &[Arc<Recorded>]) {
    let numbers: HashMap<RecordId, u64> =
        placed.iter().map(|placed| (placed.recorded.id, placed.number)).collect();
    assert_eq!((numbers.len(), placed.len()), (all.len(), all.len()));
    let mut versions: HashMap<EntityName, u64> = HashMap::new();
    for (at, Placed { number, recorded, .. }) in placed.iter().enumerate() {
        assert_eq!(*number, u64::try_from(at).unwrap() + 1);
        let Kind::Commit { version } = recorded.kind else { continue };
        let last = versions.insert(recorded.key.entity.clone(), version).unwrap_or(0);
        assert_eq!(version, last + 1);
        if let Some(command) = Reading::of(Arc::clone(recorded)).awaits {
            assert!(numbers[&command] < *number);
        }
    }
}
