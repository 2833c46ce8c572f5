//! Given / when / then for the alert.

use super::*;
use crate::{
    expiry::NotAnExpiry,
    guard::NotShown,
    policy::REVIEW_MS_MAX,
    reach::{
        NoReach,
        tests::{Chain, code},
    },
    values::Role,
};

const HOUR: i64 = 3_600_000;

fn facts(kind: AlertKind) -> AlertFacts {
    AlertFacts {
        kind,
        status: AlertStatus::Actual,
        home: Home { province: "68".parse().unwrap(), commune: code(4) },
        reported_at: None,
        last_seen: Some(LastSeen { at: None, point: None }),
        travel: None,
        person: None,
        legal_basis: (kind == AlertKind::Suspect).then(|| "stated".to_owned()),
        expires_at: Millis(24 * HOUR),
        reach: ReachRequest::Auto,
        dont_know: vec![],
    }
}

fn id(name: &str) -> RecordId {
    RecordId::of_purpose(name)
}

fn by(officer: &str, role: Role, ask: AlertAsk) -> AlertCommand {
    AlertCommand { by: officer.into(), role: Some(role), valid_until: None, sealed: vec![], ask }
}

fn raise_of(facts: AlertFacts) -> AlertCommand {
    let ask = AlertAsk::Raise { facts, code: "0123456789".into(), content: id("raise") };
    by("an", Role::Officer, ask)
}

fn raise(kind: AlertKind) -> AlertCommand {
    raise_of(facts(kind))
}

fn cancel() -> AlertCommand {
    by("an", Role::Officer, AlertAsk::Cancel { note: id("cancel") })
}

fn resolve() -> AlertCommand {
    by("an", Role::Officer, AlertAsk::Resolve { note: id("resolve") })
}

fn approve(officer: &str, role: Role, revision: u64) -> AlertCommand {
    by(officer, role, AlertAsk::Approve { revision })
}

fn expire() -> AlertCommand {
    by("service:alerting", Role::Admin, AlertAsk::Expire { expires_at: Millis(24 * HOUR) })
}

fn known(now: i64) -> AlertKnown {
    AlertKnown {
        now: Millis(now),
        map: Arc::new(Chain::of(400)),
        corridors: Arc::default(),
        policy: Arc::default(),
    }
}

fn given(commands: &[AlertCommand]) -> Alert {
    commands.iter().fold(Alert::default(), |alert, command| {
        let at = if matches!(command.ask, AlertAsk::Expire { .. }) { 24 * HOUR } else { 1 };
        let events = alert.decide(command, &known(at)).unwrap();
        events.iter().fold(alert, Alert::evolve)
    })
}

/// Given these commands, when this one, then this state and revision, or this refusal.
fn check(commands: &[AlertCommand], when: &AlertCommand, then: Result<(&str, u64), NotDone>) {
    let alert = given(commands);
    let at = if matches!(when.ask, AlertAsk::Expire { .. }) { 24 * HOUR } else { 1 };
    let decided = alert.decide(when, &known(at)).map(|events| {
        let after = events.iter().fold(alert, Alert::evolve);
        (after.state(), after.content().map_or(0, |content| content.revision))
    });
    assert_eq!(decided, then, "given {commands:#?} when {when:#?}");
}

#[test]
fn a_lost_child_is_issued_at_once_and_a_suspect_waits_for_a_second_person() {
    use AlertKind::{LostChild, Suspect};
    check(&[], &raise(LostChild), Ok(("active", 1)));
    check(&[], &raise(Suspect), Ok(("awaiting-approval", 1)));
    let waiting = [raise(Suspect)];
    check(&waiting, &approve("binh", Role::Commander, 1), Ok(("active", 2)));
    check(&waiting, &approve("tinh", Role::Province, 1), Ok(("active", 2)));
    check(&waiting, &approve("an", Role::Commander, 1), Err(NotDone::SamePerson));
    check(&waiting, &approve("binh", Role::Officer, 1), Err(NotDone::RoleMissing));
    check(&waiting, &approve("binh", Role::Commander, 2), Err(NotDone::StaleRevision));
    let approved = [raise(Suspect), approve("binh", Role::Commander, 1)];
    check(&approved, &approve("chi", Role::Commander, 1), Ok(("active", 2)));
    check(&approved, &approve("chi", Role::Commander, 2), Err(NotDone::NotAwaiting));
    check(&[raise(LostChild)], &approve("chi", Role::Commander, 1), Err(NotDone::NotAwaiting));
    check(&[], &approve("chi", Role::Commander, 1), Err(NotDone::NotRaised));
}

#[test]
fn an_alert_ends_once() {
    let active = [raise(AlertKind::LostChild)];
    check(&active, &cancel(), Ok(("cancelled", 2)));
    check(&active, &resolve(), Ok(("resolved", 2)));
    check(&active, &expire(), Ok(("expired", 2)));
    let cancelled = [active[0].clone(), cancel()];
    check(&cancelled, &cancel(), Ok(("cancelled", 2)));
    check(&cancelled, &resolve(), Err(NotDone::AlreadyCancelled));
    check(&cancelled, &expire(), Ok(("cancelled", 2)));
    let resolved = [active[0].clone(), resolve()];
    check(&resolved, &resolve(), Ok(("resolved", 2)));
    check(&resolved, &cancel(), Err(NotDone::AlreadyResolved));
    // Those who were told a false alarm must hear so, also after it has expired.
    let expired = [active[0].clone(), expire()];
    check(&expired, &cancel(), Ok(("cancelled", 3)));
    check(&expired, &resolve(), Ok(("resolved", 3)));
    for ask in [cancel(), resolve()] {
        check(&[], &ask, Err(NotDone::NotRaised));
    }
}

#[test]
fn what_waits_can_be_taken_back_and_expires() {
    let waiting = [raise(AlertKind::Suspect)];
    check(&waiting, &cancel(), Ok(("cancelled", 2)));
    check(&waiting, &expire(), Ok(("expired", 2)));
    check(&waiting, &resolve(), Err(NotDone::NotIssued));
    assert!(given(&[waiting[0].clone(), cancel()]).communes().is_empty());
}

#[test]
fn what_is_missing_is_said() {
    let mut no_place = facts(AlertKind::LostChild);
    no_place.last_seen = None;
    check(&[], &raise_of(no_place), Err(NotDone::LastSeenMissing));
    let mut no_basis = facts(AlertKind::Suspect);
    no_basis.legal_basis = None;
    check(&[], &raise_of(no_basis), Err(NotDone::NotShown("legal_basis", NotShown::BasisMissing)));
    let mut past = facts(AlertKind::Notice);
    past.expires_at = Millis(1);
    check(&[], &raise_of(past), Err(NotDone::NotAnExpiry(NotAnExpiry::Passed)));
    let mut nowhere = facts(AlertKind::Notice);
    nowhere.reach = ReachRequest::Communes(vec![code(90_000)]);
    let unknown = NotDone::NoReach(NoReach::UnknownNamed(code(90_000)));
    check(&[], &raise_of(nowhere), Err(unknown));
    let raised = raise(AlertKind::Notice);
    check(std::slice::from_ref(&raised), &raised, Err(NotDone::AlreadyRaised));
}

#[test]
fn what_was_held_too_long_is_stale() {
    let held = AlertCommand { valid_until: Some(Millis(0)), ..raise(AlertKind::LostChild) };
    check(&[], &held, Err(NotDone::Stale));
}

#[test]
fn a_later_expiry_makes_an_earlier_one_void() {
    let early = by("service:alerting", Role::Admin, AlertAsk::Expire { expires_at: Millis(5) });
    check(&[raise(AlertKind::LostChild)], &early, Ok(("active", 1)));
}

#[test]
fn the_officer_is_asked_once_before_each_expiry() {
    let near = |hours: i64| {
        let expires_at = Millis(hours * HOUR);
        by("service:alerting", Role::Admin, AlertAsk::NearExpiry { expires_at })
    };
    let child = raise(AlertKind::LostChild);
    let later = AlertFacts { expires_at: Millis(30 * HOUR), ..facts(AlertKind::LostChild) };
    let prolonged = change_of(later, ChangeHow::Update, &["expires"]);
    for (commands, when, is_asked, is_near) in [
        (vec![], near(24), true, true),
        (vec![near(24)], near(24), false, true),
        // Another expiry was meant.
        (vec![], near(30), false, false),
        (vec![near(24), prolonged.clone()], near(24), false, false),
        (vec![near(24), prolonged.clone()], near(30), true, true),
        (vec![near(24), prolonged, near(30)], near(30), false, true),
        (vec![resolve()], near(24), false, false),
        (vec![near(24), resolve()], near(24), false, false),
    ] {
        let commands = [vec![child.clone()], commands].concat();
        let alert = given(&commands);
        let events = alert.decide(&when, &known(1)).unwrap();
        assert_eq!(!events.is_empty(), is_asked, "given {commands:#?} when {when:#?}");
        let after = events.iter().fold(alert, Alert::evolve);
        assert_eq!(after.is_expiry_near(), is_near, "given {commands:#?} when {when:#?}");
    }
}

#[test]
fn when_the_officer_is_asked_counts_from_when_the_expiry_came_to_be_in_force() {
    let mut question = NearExpiry::default();
    let mut alert = Alert::default();
    let mut stands = |alert: &Alert, hour: i64| {
        question.stands(alert, Millis(hour * HOUR));
        question.due_at().map(|at| at.0 / 60_000)
    };
    let then = |alert: &Alert, event: AlertEvent| alert.clone().evolve(&event);
    assert_eq!(stands(&alert, 0), None);
    // Of a day and of two hours: a tenth, and half an hour.
    alert = given(&[raise(AlertKind::LostChild)]);
    assert_eq!(stands(&alert, 0), Some(24 * 60 - 144));
    alert = then(&alert, AlertEvent::Held { by: "an".into() });
    assert_eq!(stands(&alert, 9), Some(24 * 60 - 144));
    alert = then(&alert, AlertEvent::ExpiryNear { expires_at: Millis(24 * HOUR) });
    assert_eq!(stands(&alert, 22), None);
    alert = then(
        &alert,
        AlertEvent::Changed {
            revision: 2,
            how: ChangeHow::Update,
            facts: AlertFacts { expires_at: Millis(25 * HOUR), ..facts(AlertKind::LostChild) },
            content: id("more"),
            by: "an".into(),
        },
    );
    assert_eq!(stands(&alert, 23), Some(24 * 60 + 30));
    alert = then(&alert, AlertEvent::Resolved { revision: 3, note: id("note") });
    assert_eq!(stands(&alert, 24), None);
}

#[test]
fn more_communes_than_one_commit_names_follow_step_by_step() {
    let mut wide = facts(AlertKind::Hazard);
    wide.reach = ReachRequest::Province;
    let mut alert = given(&[raise_of(wide), approve("binh", Role::Commander, 1)]);
    let mut steps = 0;
    while let Alert::Active(Live { to_follow, .. }) = &alert {
        if to_follow.is_empty() {
            break;
        }
        steps += 1;
        let ask = AlertAsk::RelayFurther { step: steps };
        let events = alert.decide(&by("service:alerting", Role::Admin, ask), &known(2)).unwrap();
        alert = events.iter().fold(alert, Alert::evolve);
    }
    assert_eq!((steps, alert.communes().len()), (3, 400));
    let again = by("service:alerting", Role::Admin, AlertAsk::RelayFurther { step: steps });
    assert_eq!(alert.decide(&again, &known(2)), Ok(vec![]));
}

fn asked(ask: AlertAsk) -> AlertCommand {
    by("an", Role::Officer, ask)
}

fn change(how: ChangeHow, set: &[&str]) -> AlertCommand {
    change_of(facts(AlertKind::LostChild), how, set)
}

fn change_of(facts: AlertFacts, how: ChangeHow, set: &[&str]) -> AlertCommand {
    let set = set.iter().map(|field| (*field).to_owned()).collect();
    asked(AlertAsk::Change(Change { how, facts, content: id("change"), set }))
}

fn review(officer: &str) -> AlertCommand {
    by(officer, Role::Commander, AlertAsk::Review)
}

fn reopen() -> AlertCommand {
    asked(AlertAsk::Reopen { note: id("reopen") })
}

fn decline(officer: &str) -> AlertCommand {
    by(officer, Role::Commander, AlertAsk::Decline { note: id("no") })
}

fn live(commands: &[AlertCommand]) -> Live {
    given(commands).live().expect("it was never in force").clone()
}

#[test]
fn what_is_actual_and_goes_far_needs_a_second_person() {
    use AlertKind::{FoundChild, Hazard, MissingPerson, Notice};
    for kind in [MissingPerson, Hazard, Notice] {
        check(&[], &raise(kind), Ok(("awaiting-approval", 1)));
        let mut here = facts(kind);
        here.reach = ReachRequest::Rings(0);
        check(&[], &raise_of(here), Ok(("active", 1)));
        let drill = AlertFacts { status: AlertStatus::Exercise, ..facts(kind) };
        check(&[], &raise_of(drill), Ok(("active", 1)));
    }
    check(&[], &raise(FoundChild), Ok(("active", 1)));
}

#[test]
fn who_breaks_the_glass_owes_a_review_and_reaches_the_bordering_communes_only() {
    let mut wide = facts(AlertKind::LostChild);
    wide.reach = ReachRequest::Rings(3);
    let sent = raise_of(wide);
    let alone = live(std::slice::from_ref(&sent));
    let owed =
        Review::Owed { due: Millis(1 + REVIEW_MS_MAX), by: vec!["an".into()], missed: false };
    assert_eq!((alone.review, alone.communes.len()), (owed, 3));
    let sent = [sent];
    check(&sent, &review("an"), Err(NotDone::SamePerson));
    check(&sent, &by("binh", Role::Officer, AlertAsk::Review), Err(NotDone::RoleMissing));
    check(&sent, &review("binh"), Ok(("active", 1)));
    let reviewed = live(&[sent[0].clone(), review("binh")]);
    assert_eq!(reviewed.review, Review::Done { by: "binh".into() });
    // Communes 1 to 7: three rings around 4.
    assert_eq!(reviewed.communes.len(), 7);
    check(&[sent[0].clone(), review("binh")], &review("chi"), Ok(("active", 1)));
    let drill = AlertFacts { status: AlertStatus::Exercise, ..facts(AlertKind::LostChild) };
    check(&[raise_of(drill)], &review("binh"), Err(NotDone::NoReviewOwed));
}

#[test]
fn a_review_that_does_not_come_is_missed_and_may_still_come() {
    let alert = given(&[raise(AlertKind::LostChild)]);
    let due = Millis(1 + REVIEW_MS_MAX);
    let miss = by("service:alerting", Role::Admin, AlertAsk::MissReview { due });
    assert_eq!(alert.decide(&miss, &known(due.0 - 1)), Ok(vec![]));
    let events = alert.decide(&miss, &known(due.0)).unwrap();
    assert_eq!(events, [AlertEvent::ReviewMissed { due }]);
    let missed = events.iter().fold(alert, Alert::evolve);
    assert_eq!(missed.live().unwrap().review.as_str(), "missed");
    assert_eq!(missed.decide(&miss, &known(due.0)), Ok(vec![]));
    let events = missed.decide(&review("binh"), &known(due.0)).unwrap();
    assert_eq!(events.first(), Some(&AlertEvent::Reviewed { by: "binh".into() }));
}

#[test]
fn a_second_person_may_say_no() {
    let waiting = [raise(AlertKind::Suspect)];
    check(&waiting, &decline("binh"), Ok(("declined", 1)));
    check(&waiting, &decline("an"), Err(NotDone::SamePerson));
    let declined = [waiting[0].clone(), decline("binh")];
    check(&declined, &decline("binh"), Ok(("declined", 1)));
    check(&declined, &cancel(), Err(NotDone::Declined));
    check(&declined, &approve("binh", Role::Commander, 1), Err(NotDone::NotAwaiting));
    check(&[raise(AlertKind::LostChild)], &decline("binh"), Err(NotDone::NotAwaiting));
}

#[test]
fn a_change_needs_what_raising_needs_and_taking_back_does_not() {
    use ChangeHow::{Correct, Update};
    let child = [raise(AlertKind::LostChild)];
    check(&child, &change(Update, &["headline"]), Ok(("active", 2)));
    let suspect = facts(AlertKind::Suspect);
    let active = [raise(AlertKind::Suspect), approve("binh", Role::Commander, 1)];
    let more = change_of(suspect.clone(), Update, &["person.description"]);
    // The revision stays until a second person has read it.
    check(&active, &more, Ok(("active", 2)));
    let asked = [active[0].clone(), active[1].clone(), more.clone()];
    assert!(matches!(live(&asked).pending, Some((3, Pending::Change { .. }, _))));
    check(&asked, &more, Err(NotDone::ChangeWaits));
    check(&asked, &approve("an", Role::Commander, 3), Err(NotDone::SamePerson));
    check(&asked, &approve("binh", Role::Commander, 2), Err(NotDone::StaleRevision));
    check(&asked, &approve("binh", Role::Commander, 3), Ok(("active", 3)));
    check(&asked, &decline("binh"), Ok(("active", 2)));
    check(&asked, &cancel(), Ok(("cancelled", 4)));
    // A number that was asked under is never used again.
    let declined = [&asked[..], &[decline("binh"), more.clone()]].concat();
    check(&declined, &approve("binh", Role::Commander, 3), Err(NotDone::StaleRevision));
    check(&declined, &approve("binh", Role::Commander, 4), Ok(("active", 4)));
    check(&active, &change_of(suspect, Correct, &[]), Ok(("active", 3)));
    check(&active, &change(Update, &["kind"]), Err(NotDone::AnotherAlert));
}

#[test]
fn what_was_wrong_is_corrected_also_when_it_is_over() {
    use ChangeHow::{Correct, Update};
    for end in [cancel(), resolve(), expire()] {
        let over = [raise(AlertKind::LostChild), end];
        let state = given(&over).state();
        check(&over, &change(Correct, &[]), Ok((state, 3)));
        check(&over, &change(Correct, &["description"]), Ok((state, 3)));
        check(&over, &change(Update, &["description"]), Err(NotDone::Closed));
    }
    check(&[], &change(Correct, &[]), Err(NotDone::NotRaised));
    check(&[raise(AlertKind::Suspect)], &change(Correct, &[]), Err(NotDone::NotIssued));
}

#[test]
fn a_mistaken_resolve_is_undone() {
    let resolved = [raise(AlertKind::LostChild), resolve()];
    check(&resolved, &reopen(), Ok(("active", 3)));
    check(&[resolved[0].clone(), cancel()], &reopen(), Err(NotDone::NotResolved));
    check(&[resolved[0].clone()], &reopen(), Err(NotDone::NotResolved));
    let late = given(&resolved).decide(&reopen(), &known(24 * HOUR));
    assert_eq!(late, Err(NotDone::NotAnExpiry(NotAnExpiry::Passed)));
}

#[test]
fn what_is_on_hold_neither_grows_nor_goes_further() {
    let mut wide = facts(AlertKind::Hazard);
    wide.reach = ReachRequest::Province;
    let hold = asked(AlertAsk::Hold);
    let release = asked(AlertAsk::Release);
    let held = [raise_of(wide), approve("binh", Role::Commander, 1), hold.clone()];
    let further = by("service:alerting", Role::Admin, AlertAsk::RelayFurther { step: 1 });
    assert_eq!(given(&held).decide(&further, &known(2)), Ok(vec![]));
    check(&held, &hold, Ok(("active", 2)));
    check(&held, &release, Ok(("active", 3)));
    check(&[raise(AlertKind::LostChild)], &release, Err(NotDone::NotHeld));
    check(&[], &hold, Err(NotDone::NotRaised));
    let released = [held[0].clone(), held[1].clone(), hold, release];
    assert_eq!(given(&released).decide(&further, &known(2)).unwrap().len(), 1);
    assert_eq!((live(&released).holds, live(&released).on_hold), (1, false));
}

/// Nobody says since when: the raising counts, at every reckoning, and after a reopening too.
#[test]
fn the_time_of_a_reach_runs_on_from_the_raising() {
    let child = raise(AlertKind::LostChild);
    let since = |commands: &[AlertCommand]| {
        let (live, known) = (live(commands), known(4 * HOUR));
        let facts = &live.content.facts;
        let reached = reached(facts, Some(&live), &facts.reach, &known, false).unwrap();
        reached.figures.unwrap().t0
    };
    let grow = by("service:alerting", Role::Admin, AlertAsk::Grow { step: 1 });
    let lost_again = [child, review("binh"), grow, resolve(), reopen()];
    for so_far in [1, 2, 3, 5] {
        assert_eq!(since(&lost_again[..so_far]), Millis(1), "after {so_far}");
    }
}

#[test]
fn an_officer_fixes_or_widens_the_reach() {
    let widen = |reach| asked(AlertAsk::Widen { reach });
    let drill = AlertFacts { status: AlertStatus::Exercise, ..facts(AlertKind::LostChild) };
    let raised = raise_of(drill);
    let wider = live(&[raised.clone(), widen(ReachRequest::Rings(2))]);
    assert_eq!((wider.communes.len(), wider.grown), (5, 1));
    // Narrower: who was told stays told, and nobody is added.
    let narrower = live(&[raised.clone(), widen(ReachRequest::Rings(0))]);
    assert_eq!(narrower.communes.len(), 3);
    assert_eq!(narrower.content.facts.reach, ReachRequest::Rings(0));
    let far = widen(ReachRequest::Rings(6));
    check(&[raised], &far, Err(NotDone::NoReach(NoReach::TooManyRings)));
    let hazard = [raise(AlertKind::Hazard), approve("binh", Role::Commander, 1)];
    let asked = [hazard[0].clone(), hazard[1].clone(), widen(ReachRequest::Rings(2))];
    assert_eq!(live(&asked).communes.len(), 3);
    let approved = [&asked[..], &[approve("binh", Role::Commander, 3)]].concat();
    assert_eq!(live(&approved).communes.len(), 5);
}

#[test]
fn a_commune_relays_onward_to_whom_nobody_has_told() {
    let home = |n| Home { province: "68".parse().unwrap(), commune: code(n) };
    let to = vec![home(4), home(5), home(90)];
    let onward = by("service:alerting", Role::Admin, AlertAsk::TakeOnward { to });
    let after = live(&[raise(AlertKind::LostChild), onward.clone()]);
    let last = after.communes.last().unwrap();
    assert_eq!((after.communes.len(), last.home, last.reason.as_str()), (4, home(90), "onward"));
    check(&[raise(AlertKind::LostChild), onward.clone()], &onward, Ok(("active", 1)));
}

#[test]
fn what_is_missing_is_recorded_with_the_alert() {
    let checked = given(&[raise(AlertKind::LostChild)]).content().unwrap().checked.clone();
    assert!(checked.completeness_percent < 100 && !checked.missing.is_empty());
    let first = checked.missing[0].clone();
    let mut asked = facts(AlertKind::LostChild);
    asked.dont_know = vec![first.clone()];
    let checked = given(&[raise_of(asked)]).content().unwrap().checked.clone();
    assert!(!checked.missing.contains(&first));
}

fn instruct(words: &str) -> AlertAsk {
    AlertAsk::TakeInstruction { commune: code(3), content: id(words) }
}

#[test]
fn a_communes_instructions_are_a_revision_while_the_alert_is_in_force() {
    let by_service = |ask| by("service:alerting", Role::Admin, ask);
    let instruct = |words| by_service(instruct(words));
    let child = raise(AlertKind::LostChild);
    let told = |commands: &[AlertCommand]| live(commands).instructions;
    check(std::slice::from_ref(&child), &instruct("a"), Ok(("active", 2)));
    assert_eq!(told(&[child.clone(), instruct("a")]), [(code(3), (2, id("a")))].into());
    check(&[child.clone(), instruct("a")], &instruct("a"), Ok(("active", 2)));
    let newer = [child.clone(), instruct("a"), instruct("b")];
    assert_eq!(told(&newer), [(code(3), (3, id("b")))].into());
    check(&[child.clone(), resolve()], &instruct("a"), Ok(("resolved", 2)));
    let nobody = by_service(AlertAsk::TakeInstruction { commune: code(9), content: id("a") });
    check(&[child], &nobody, Ok(("active", 1)));
}

/// The approval is of what was asked for; people are told it under a revision of its own.
#[test]
fn what_was_approved_is_told_after_what_became_a_revision_meanwhile() {
    let hazard = [raise(AlertKind::Hazard), approve("binh", Role::Commander, 1)];
    let change = change(ChangeHow::Update, &["headline"]);
    let change = AlertCommand {
        ask: match change.ask {
            AlertAsk::Change(change) => {
                let facts = facts(AlertKind::Hazard);
                AlertAsk::Change(Change { facts, ..change })
            }
            ask => ask,
        },
        ..change
    };
    let meanwhile = by("service:alerting", Role::Admin, instruct("a"));
    let waits = [&hazard[..], &[change, meanwhile]].concat();
    // Revision 3 waits; the instructions are revision 4.
    check(&waits, &approve("binh", Role::Commander, 3), Ok(("active", 5)));
}

#[test]
fn who_was_told_another_way_is_attested_up_to_a_revision() {
    let target = |group: &str| Target {
        group: group.parse().unwrap(),
        channel: "webhook-1".parse().unwrap(),
        channel_type: "webhook".into(),
    };
    let attest = |revision, commune, groups: &[&str]| {
        let targets = groups.iter().copied().map(target).collect();
        asked(AlertAsk::Attest { revision, commune, targets, note: id("how") })
    };
    let child = raise(AlertKind::LostChild);
    let over = [child.clone(), resolve()];
    check(&[], &attest(1, code(4), &["g"]), Err(NotDone::NotIssued));
    check(&over, &attest(3, code(4), &["g"]), Err(NotDone::StaleRevision));
    check(&over, &attest(2, code(9), &["g"]), Err(NotDone::NotRelayed));
    // Also after the end: that is when most are told so.
    check(&over, &attest(2, code(4), &["g"]), Ok(("resolved", 2)));
    let told = [&over[..], &[attest(2, code(4), &["g"])]].concat();
    assert_eq!(live(&told).attested, [(target("g"), 2)].into());
    let again = given(&told).decide(&attest(2, code(4), &["g", "h"]), &known(1)).unwrap();
    assert!(matches!(&again[..],
        [AlertEvent::CorrectionAttested { targets, .. }] if *targets == [target("h")]));
}

#[test]
fn an_exceeded_budget_is_noted_once() {
    let highest = crate::fatigue::Count { in_day: 4, in_week: 5 };
    let budget = crate::fatigue::FatigueBudget::default();
    let exceeded = Exceeded { groups: 9, groups_over: 2, highest, budget };
    let note = by("service:alerting", Role::Admin, AlertAsk::NoteBudget(exceeded));
    let alert = given(&[raise(AlertKind::LostChild)]);
    let events = alert.decide(&note, &known(2)).unwrap();
    assert_eq!(events, [AlertEvent::BudgetExceeded(exceeded)]);
    let noted = events.iter().fold(alert, Alert::evolve);
    assert_eq!(noted.decide(&note, &known(3)), Ok(vec![]));
    assert_eq!(given(&[]).decide(&note, &known(2)), Ok(vec![]));
}

#[path = "alert_history_tests.rs"]
mod history;
