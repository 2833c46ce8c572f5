//! A log's signatures as an auditor counts them, and as whoever keeps the log may want them.

use std::sync::Arc;

use domain::{
    ids::{AlertId, EntityName},
    key::{Holder, KeyFacts},
    rights::{Asker, Standing},
    values::{AlertKind, AlertStatus},
};
use event_log::{Class, Key, Record, Signature, command::Draft};
use prost::Message;
use wire::{
    actor::{person, service, signer},
    key::key_said,
    signing::Signer,
    v1::{self, Commit, event::Event},
    values::{kind_said, status_said},
};

use super::*;
use crate::{
    beside::{By, said},
    testing::{alert, commit, events, home},
};

/// Leaves, and what lies beside each.
type Log = Vec<(Bytes, Vec<u8>)>;

struct World {
    an: Asker,
    chief: Asker,
    key: Signer,
    service: Signer,
    log: Log,
}

fn asker(officer: &str, standing: Standing) -> Asker {
    Asker { officer: officer.parse().unwrap(), standing }
}

fn draft(name: &str, entity: EntityName, actor: v1::Actor, at: i64, body: Body) -> Draft {
    Draft {
        id: RecordId::of_purpose(name),
        entity,
        home: home(),
        actor,
        at: Millis(at),
        correlation: Bytes::new(),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body,
    }
}

fn beside(by: By, signer: &Signer, open: &[u8]) -> Vec<u8> {
    let signature = Signature { key: signer.id(), value: signer.sign(open), received: None };
    said(by, &signature)
}

/// 0: the service's key. 1, 2: An's key, asked for and confirmed. 3: An raises by the key.
/// 4: that is decided. 5: An updates by token. 6: An corrects by token.
fn world() -> World {
    let mut world = World {
        an: asker("an", Standing::Officer(home())),
        chief: asker("chief", Standing::Commander(home())),
        key: Signer::of_secret(&[7; 32]),
        service: Signer::of_secret(&[9; 32]),
        log: Vec::new(),
    };
    world.introduces();
    let (an, chief) = (world.an.clone(), world.chief.clone());
    let facts = Some(key_said(&KeyFacts {
        public: world.key.public().into(),
        holder: Holder::Officer(an.clone()),
        proof: world.key.proof("an"),
    }));
    world.decides(Event::KeyAsked(v1::KeyAsked { facts: facts.clone() }), &an);
    world.decides(Event::KeyRegistered(v1::KeyRegistered { facts }), &chief);
    world.asks("raise", signer(&an), 10, raise());
    let entity = EntityName::alert(of_raise());
    let issued = commit(Class::Alert, &entity, 1, "raise", 11, events([]));
    world.log.push((issued.open, Vec::new()));
    world.asks("update", person(&an), 20, change(ChangeHow::Update));
    world.asks("correct", person(&an), 30, change(ChangeHow::Correct));
    world
}

fn of_raise() -> AlertId {
    alert("raise")
}

fn raise() -> Body {
    let facts = v1::AlertFacts {
        kind: kind_said(AlertKind::Suspect),
        status: status_said(AlertStatus::Actual),
        commune: "25126".to_owned(),
        province: "68".to_owned(),
        ..v1::AlertFacts::default()
    };
    Body::RaiseAlert(v1::RaiseAlert { facts: Some(facts) })
}

fn change(how: ChangeHow) -> Body {
    Body::ChangeAlert(v1::ChangeAlert { how: how.into(), ..v1::ChangeAlert::default() })
}

impl World {
    fn introduces(&mut self) {
        let name = "service:keng";
        let facts = KeyFacts {
            public: self.service.public().into(),
            holder: Holder::Service(name.parse().unwrap()),
            proof: self.service.proof(name),
        };
        let entity = EntityName::key(facts.id());
        let body = Body::RegisterKey(v1::RegisterKey { facts: Some(key_said(&facts)) });
        let open = draft("introduction", entity, service("keng"), 1, body).record().open;
        self.log.push((open.clone(), beside(By::Service, &self.service, &open)));
    }

    fn decides(&mut self, event: Event, by: &Asker) {
        let entity = EntityName::key(self.key.id());
        let version = self.log.len() as u64;
        let record = commit(Class::Alert, &entity, version, "c", 2, events([event]));
        let mut decided = Commit::decode(record.open).unwrap();
        decided.actor = Some(person(by));
        self.log.push((decided.encode_to_vec().into(), Vec::new()));
    }

    fn asks(&mut self, name: &str, actor: v1::Actor, at: i64, body: Body) {
        let signs = actor::signs(&actor);
        let open = draft(name, EntityName::alert(of_raise()), actor, at, body).record().open;
        let beside = match signs {
            true => beside(By::Person, &self.key, &open),
            false => beside(By::Service, &self.service, &open),
        };
        self.log.push((open, beside));
    }
}

fn tallied(log: &Log, demand: Option<Demand>) -> Tally {
    let mut tally = Tally::demanding(demand);
    for (index, (open, beside)) in (0..).zip(log) {
        tally.next(index, open, beside);
    }
    tally
}

/// What is wrong with which leaf.
fn wrong(log: &Log) -> Vec<(u64, Why)> {
    tallied(log, None).wrong.into_iter().map(|wrong| (wrong.index, wrong.why)).collect()
}

#[test]
fn a_log_is_counted_by_who_signed() {
    let World { log, key, .. } = world();
    let tally = tallied(&log, None);
    assert_eq!((tally.nobody, tally.wrong_count), (0, 0));
    assert_eq!(tally.persons, BTreeMap::from([(("an".to_owned(), key.id()), 1)]));
    let services: Vec<(&str, u64)> =
        tally.services.iter().map(|(how, count)| (how.as_str(), *count)).collect();
    assert_eq!(services, [("service", 1), ("token", 2)]);
}

#[test]
fn what_is_older_than_the_services_keys_is_counted_as_nobodys() {
    let mut log = world().log;
    let first = log.remove(5);
    log.insert(0, (first.0, Vec::new()));
    let tally = tallied(&log, None);
    assert_eq!((tally.nobody, tally.wrong_count), (1, 0));
}

#[test]
fn a_part_of_a_log_excuses_nobody() {
    // The service's key is left out, and with it every signature of its.
    let World { log, .. } = world();
    let mut tally = Tally::default();
    tally.expect_signatures();
    tally.next(5, &log[5].0, b"");
    assert_eq!(tally.wrong[0].why, Flaw::NotAttested.into());
}

#[test]
fn whoever_drops_a_signature_is_found_out() {
    let world = world();
    for (index, flaw) in [
        (0, Flaw::NotAttested),
        (3, Flaw::NotSigned),
        (5, Flaw::NotAttested),
        (6, Flaw::NotAttested),
    ] {
        let mut log = world.log.clone();
        log[index].1.clear();
        let found = wrong(&log);
        assert!(found.contains(&(index as u64, flaw.into())), "{index}: {found:?}");
    }
    // Every one of them: as if services had never signed.
    let none: Log = world.log.iter().map(|(open, _)| (open.clone(), Vec::new())).collect();
    let found: Vec<u64> = wrong(&none).into_iter().map(|(index, _)| index).collect();
    assert_eq!(found, [0, 3, 5, 6]);
}

#[test]
fn whoever_alters_or_swaps_a_signature_is_found_out() {
    let World { log, key, service, .. } = world();
    for index in [0, 3, 5, 6] {
        for at in 0..log[index].1.len() {
            let mut altered = log.clone();
            altered[index].1[at] ^= 0x10;
            assert!(!wrong(&altered).is_empty(), "{index}: byte {at}");
        }
    }
    let mut swapped = log.clone();
    (swapped[5].1, swapped[6].1) = (log[6].1.clone(), log[5].1.clone());
    let flaw = Why::from(Flaw::WrongSignature);
    assert_eq!(wrong(&swapped), [(5, flaw), (6, flaw)]);
    // The service signs for the person, says that it is the person, or the other way.
    let open = log[3].0.clone();
    let with = |index: usize, beside: Vec<u8>| {
        let mut log = log.clone();
        log[index].1 = beside;
        wrong(&log).first().map(|(at, why)| (*at, *why))
    };
    let other = |flaw: Flaw| Some((3, Why::from(flaw)));
    assert_eq!(with(3, beside(By::Service, &service, &open)), other(Flaw::OtherKind));
    assert_eq!(with(3, beside(By::Person, &service, &open)), other(Flaw::OtherHolder));
    assert_eq!(with(3, beside(By::Service, &key, &open)), other(Flaw::OtherKind));
    let own = Signer::of_secret(&[1; 32]);
    assert_eq!(with(3, beside(By::Person, &own, &open)), other(Flaw::UnknownKey));
    // Something beside a decision, which nobody signs.
    let open = log[4].0.clone();
    let beside_commit = with(4, beside(By::Service, &service, &open));
    assert_eq!(beside_commit, Some((4, Flaw::OtherKind.into())));
    assert_eq!(with(5, vec![3; 80]), Some((5, NotASignature.into())));
}

#[test]
fn what_is_wrong_is_named() {
    let mut log = world().log;
    log[3].1.clear();
    let said = tallied(&log, None).wrong[0].to_string();
    let id = RecordId::of_purpose("raise");
    let entity = EntityName::alert(of_raise());
    let named = format!("bản ghi / entry 3 RaiseAlert {id} ({entity}, an): thiếu chữ ký");
    assert!(said.starts_with(&named), "{said}");
    let read = Tally { wrong_count: 0, ..tallied(&vec![(Bytes::from("x"), vec![])], None) };
    assert_eq!(read.wrong[0].why, NotALeaf::Neither.into());
}

#[test]
fn what_the_auditors_policy_wants_signed_and_is_not_is_named() {
    let demanded = |log: &Log, since: i64, kind: AlertKind| {
        let wants = move |commune: CommuneCode, of: AlertKind, status: AlertStatus| {
            commune.as_str() == "25126" && of == kind && status == AlertStatus::Actual
        };
        let demand = Demand { wants: Box::new(wants), since: Millis(since) };
        let tally = tallied(log, Some(demand));
        tally.wrong.into_iter().map(|wrong| (wrong.index, wrong.why)).collect::<Vec<_>>()
    };
    let World { log, an, .. } = &mut world();
    let any = i64::MIN;
    assert_eq!(demanded(log, any, AlertKind::Suspect), [(5, Why::Wanted)], "a correction is free");
    assert_eq!(demanded(log, any, AlertKind::Hazard), []);
    assert_eq!(demanded(log, 21, AlertKind::Suspect), [], "the policy came later");
    // Dated back behind a record that says a later time.
    let mut late = world();
    late.asks("late", person(an), 3, change(ChangeHow::Update));
    assert_eq!(demanded(&late.log, 21, AlertKind::Suspect), [(7, Why::Wanted)]);
}

#[test]
fn a_record_and_its_leaf_have_the_same_beside_them() {
    let world = world();
    let open = world.log[5].0.clone();
    let value = world.service.sign(&open);
    let signature = Some(Arc::new(Signature { key: world.service.id(), value, received: None }));
    let key = Key { class: Class::Command, home: home(), entity: EntityName::alert(of_raise()) };
    let record = Record {
        id: RecordId::of_purpose("update"),
        key,
        kind: Kind::Command,
        open,
        sealed: None,
        signature,
    };
    let recorded = crate::testing::at(1, record);
    assert_eq!(beside::beside_of(&recorded), world.log[5].1);
    assert_eq!(KeyId::from_slice(&world.log[5].1[1..17]), Some(world.service.id()));
}
