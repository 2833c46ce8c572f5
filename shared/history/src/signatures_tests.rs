//! Each command against the keys at its place.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    ids::{AlertId, EntityName, Home, Millis, RecordId},
    rights::{Asker, Standing},
};
use event_log::{Received, Record, command::Draft};
use wire::{
    actor::{person, service, signer},
    key::key_said,
    signing::Signer,
    v1,
};

use super::*;
use crate::testing::{at, commit, events, home};

struct World {
    an: Asker,
    chief: Asker,
    key: Signer,
    signatures: Signatures,
    position: u64,
}

fn asker(officer: &str, standing: Standing) -> Asker {
    Asker { officer: officer.parse().unwrap(), standing }
}

fn world() -> World {
    World {
        an: asker("an", Standing::Officer(home())),
        chief: asker("chief", Standing::Commander(home())),
        key: Signer::of_secret(&[7; 32]),
        signatures: Signatures::new(),
        position: 0,
    }
}

/// A cancel of this actor.
fn cancel(actor: v1::Actor) -> Record {
    let alert = AlertId::raised_by(RecordId::of_purpose("raise"));
    Draft {
        id: RecordId::of_purpose("cancel"),
        entity: EntityName::alert(alert),
        home: home(),
        actor,
        at: Millis(7),
        correlation: Bytes::new(),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body: Body::CancelAlert(v1::CancelAlert {}),
    }
    .record()
}

fn signed(record: Record, key: &Signer) -> Record {
    let received = Some(Received { at: Millis(8), key_version: 2 });
    let signature = Signature { key: key.id(), value: key.sign(&record.open), received };
    Record { signature: Some(Arc::new(signature)), ..record }
}

fn facts(key: &Signer, holder: &Asker) -> KeyFacts {
    let proof = key.proof(holder.officer.as_str());
    KeyFacts { public: key.public().into(), holder: Holder::Officer(holder.clone()), proof }
}

impl World {
    fn sees(&mut self, record: Record) -> Option<Verdict> {
        self.position += 1;
        self.signatures.next(&at(self.position, record))
    }

    /// A commit of the key, decided for this person.
    fn records(&mut self, event: Event, by: &Asker) {
        let entity = EntityName::key(self.key.id());
        let version = self.position + 1;
        let record = commit(Class::Alert, &entity, version, "c", 0, events([event]));
        let mut decided = Commit::decode(record.open.clone()).unwrap();
        decided.actor = Some(person(by));
        let open = decided.encode_to_vec().into();
        assert_eq!(self.sees(Record { open, ..record }), None);
    }

    fn asks(&mut self) {
        let (facts, an) = (Some(key_said(&facts(&self.key, &self.an))), self.an.clone());
        self.records(Event::KeyAsked(v1::KeyAsked { facts }), &an);
    }

    fn confirms(&mut self, by: &Asker) {
        let facts = Some(key_said(&facts(&self.key, &self.an)));
        self.records(Event::KeyRegistered(v1::KeyRegistered { facts }), by);
    }

    fn revokes(&mut self) {
        let (id, an) = (self.key.id().to_string(), self.an.clone());
        self.records(Event::KeyRevoked(v1::KeyRevoked { id }), &an);
    }

    fn good() -> Self {
        let mut world = world();
        world.asks();
        let chief = world.chief.clone();
        world.confirms(&chief);
        world
    }

    /// What An signs, by the own key.
    fn ours(&self) -> Record {
        signed(cancel(signer(&self.an)), &self.key)
    }
}

fn invalid(flaw: Flaw) -> Option<Verdict> {
    Some(Verdict::Invalid(flaw))
}

#[test]
fn a_signature_is_good_between_the_second_persons_yes_and_the_revocation() {
    let mut world = world();
    let ours = world.ours();
    let good = Some(Verdict::Signed { officer: "an".to_owned(), key: world.key.id() });
    let chief = world.chief.clone();
    assert_eq!(world.sees(ours.clone()), invalid(Flaw::UnknownKey), "registered after");
    world.asks();
    assert_eq!(world.sees(ours.clone()), invalid(Flaw::NotConfirmed));
    let an = world.an.clone();
    world.confirms(&an);
    assert_eq!(world.sees(ours.clone()), invalid(Flaw::NotConfirmed), "not a second person");
    world.confirms(&chief);
    assert_eq!(world.sees(ours.clone()), good);
    world.revokes();
    assert_eq!(world.sees(ours.clone()), invalid(Flaw::RevokedKey), "revoked before");
    world.confirms(&chief);
    assert_eq!(world.sees(ours), invalid(Flaw::RevokedKey), "for ever");
}

#[test]
fn what_is_altered_or_somebody_elses_is_invalid() {
    let mut world = World::good();
    let other = Signer::of_secret(&[8; 32]);
    let altered = Record { open: cancel(person(&world.an)).open, ..world.ours() };
    let promoted = Asker { standing: Standing::Commander(home()), ..world.an.clone() };
    let resigned = |record: Record, key: &Signer, named: KeyId| {
        let mut signature =
            Signature::clone(signed(record.clone(), key).signature.as_ref().unwrap());
        signature.key = named;
        Record { signature: Some(Arc::new(signature)), ..record }
    };
    let binh = asker("binh", Standing::Officer(home()));
    let unsigned = Record { signature: None, ..world.ours() };
    let broken = Record { open: Bytes::from_static(&[0xff; 5]), ..world.ours() };
    let mine = world.key.id();
    for (record, flaw) in [
        (unsigned, Flaw::NotSigned),
        (broken, Flaw::Unreadable),
        (resigned(cancel(signer(&world.an)), &other, mine), Flaw::WrongSignature),
        (signed(cancel(signer(&world.an)), &other), Flaw::UnknownKey),
        // By the own key, in the name of another; with another role.
        (signed(cancel(signer(&binh)), &world.key), Flaw::OtherHolder),
        (signed(cancel(signer(&promoted)), &world.key), Flaw::OtherHolder),
        // A person's key attests for nobody.
        (altered, Flaw::OtherHolder),
        (signed(cancel(service("keng")), &world.key), Flaw::OtherHolder),
    ] {
        assert_eq!(world.sees(record), invalid(flaw));
    }
    let mut open = world.ours().open.to_vec();
    // The time within, one bit of it.
    let place = open.windows(2).position(|pair| pair == [0x18, 7]).unwrap();
    open[place + 1] = 6;
    let later = Record { open: open.into(), ..world.ours() };
    assert_eq!(world.sees(later), invalid(Flaw::WrongSignature));
}

#[test]
fn what_a_service_attests_is_said_to_be_no_more() {
    let mut world = World::good();
    let by_token = cancel(person(&world.an));
    let attested = |by| Some(Verdict::Attested { how: "token".to_owned(), by });
    assert_eq!(world.sees(by_token.clone()), attested(None));
    let own = Signer::of_secret(&[9; 32]);
    let by_service = signed(by_token, &own);
    assert_eq!(world.sees(by_service.clone()), invalid(Flaw::UnknownKey));
    let name = "service:keng";
    let facts = KeyFacts {
        public: own.public().into(),
        holder: Holder::Service(name.parse().unwrap()),
        proof: own.proof(name),
    };
    let register = |actor| Record {
        key: event_log::Key {
            class: Class::Command,
            home: Home::NATION,
            entity: EntityName::key(own.id()),
        },
        open: Command {
            actor: Some(actor),
            body: Some(Body::RegisterKey(v1::RegisterKey { facts: Some(key_said(&facts)) })),
            ..Command::default()
        }
        .encode_to_vec()
        .into(),
        ..cancel(service("keng"))
    };
    // Nobody introduces a service's key but the service.
    let by_an = signed(register(person(&world.an)), &own);
    assert_eq!(world.sees(by_an), invalid(Flaw::UnknownKey));
    let introduced = signed(register(service("keng")), &own);
    let how = "service".to_owned();
    let by = Some(own.id());
    assert_eq!(world.sees(introduced), Some(Verdict::Attested { how, by }));
    assert_eq!(world.sees(by_service.clone()), attested(by));
    // It signs for nobody who signs.
    let forged = signed(cancel(signer(&world.an)), &own);
    assert_eq!(world.sees(forged), invalid(Flaw::OtherHolder));
    let altered = Record { open: cancel(person(&world.chief)).open, ..by_service };
    assert_eq!(world.sees(altered), invalid(Flaw::WrongSignature));
}
