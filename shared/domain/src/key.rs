//! Keys by which persons and services sign commands: asked for by whoever holds it, good from the
//! yes of a second person on, until somebody revokes it. Who revokes is one: a telephone is lost
//! faster than two persons meet.
//!
//! No cryptography: that the holder has the key is checked where it is asked for.

use crate::{
    decider::Refusal,
    ids::{KeyId, OfficerId},
    rights::{Asker, Standing},
};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyFacts {
    /// What its signatures are verified by.
    pub public: PublicKey,
    /// Who signs by it.
    pub holder: Holder,
    /// The key's own signature that it is for this holder.
    pub proof: Vec<u8>,
}

impl KeyFacts {
    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::of(self.public.bytes())
    }
}

/// A public key, by where its secret is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// In a file of the holder's: Ed25519, over the very bytes.
    Ed25519([u8; 32]),
    /// In a browser's authenticator (W3C Web Authentication, level 2).
    Passkey(Passkey),
}

impl PublicKey {
    /// The bytes that the key's id derives from.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(public) => public,
            Self::Passkey(passkey) => &passkey.public,
        }
    }

    /// The passkey, where it is one.
    #[must_use]
    pub fn passkey(&self) -> Option<&Passkey> {
        match self {
            Self::Ed25519(_) => None,
            Self::Passkey(passkey) => Some(passkey),
        }
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(public: [u8; 32]) -> Self {
        Self::Ed25519(public)
    }
}

/// A key that an authenticator keeps, for one place of the web.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Passkey {
    /// By which the authenticator knows it; at most 1,023 bytes.
    pub credential: Vec<u8>,
    /// A `COSE_Key`, as the authenticator gave it: ES256, EdDSA or RS256.
    pub public: Vec<u8>,
    /// The place: a host's name, as `keng.example.vn`.
    pub rp: String,
}

/// Who signs by a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holder {
    /// An officer, with this role at this place.
    Officer(Asker),
    /// A process, for what it takes from people without keys: `service:<name>`.
    Service(OfficerId),
}

impl Holder {
    /// The holder's id.
    #[must_use]
    pub fn id(&self) -> &OfficerId {
        match self {
            Self::Officer(asker) => &asker.officer,
            Self::Service(name) => name,
        }
    }

    /// Whether this person may hold a key of this kind: whoever signs in may have a passkey, and
    /// only who has something to sign another one.
    fn may_hold(&self, public: &PublicKey) -> bool {
        match (self, public) {
            (Self::Service(_), PublicKey::Ed25519(_)) => true,
            (Self::Service(_), PublicKey::Passkey(_)) => false,
            (Self::Officer(asker), PublicKey::Ed25519(_)) => asker.standing.reads_alerts(),
            (Self::Officer(asker), PublicKey::Passkey(_)) => asker.standing != Standing::Local,
        }
    }

    /// Whether this person may end the holder's keys: the holder, and who answers for the place.
    fn is_ended_by(&self, asker: &Asker) -> bool {
        *self.id() == asker.officer || self.is_answered_for_by(asker)
    }

    /// Whether this person answers for the holder's place, and so confirms and revokes.
    fn is_answered_for_by(&self, asker: &Asker) -> bool {
        if asker.standing.administers() {
            return true;
        }
        match self {
            Self::Service(_) => false,
            Self::Officer(holder) => match holder.standing {
                Standing::Officer(home) | Standing::Commander(home) => {
                    asker.standing.approves_for(home)
                }
                Standing::Province(_) => asker.standing == holder.standing,
                Standing::Auditor | Standing::Admin | Standing::Local => false,
            },
        }
    }
}

/// Something asked of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCommand {
    /// Who asks; `None` for a service.
    pub by: Option<Asker>,
    /// Which key.
    pub id: KeyId,
    /// What.
    pub ask: KeyAsk,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAsk {
    /// To sign by it.
    Register(KeyFacts),
    /// A second person's yes.
    Confirm,
    /// To end it.
    Revoke,
}

/// What is recorded of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyEvent {
    /// Its holder asked for it; nothing is signed by it yet.
    Asked(KeyFacts),
    /// It is good from here on.
    Registered(KeyFacts),
    /// It is no longer good, from here on.
    Revoked(KeyId),
}

impl KeyEvent {
    /// Which key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        match self {
            Self::Asked(facts) | Self::Registered(facts) => facts.id(),
            Self::Revoked(id) => *id,
        }
    }
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOfKey {
    /// Only who raises, approves or answers has a key in a file; only who answers for the place
    /// confirms.
    #[error("the role does not do this")]
    RoleMissing,
    /// A key takes two persons.
    #[error("another person must confirm")]
    SamePerson,
    /// Somebody else's, or with another role or place: that takes another key.
    #[error("the key is taken")]
    Taken,
    /// Nobody asked for it.
    #[error("no such key")]
    NoSuchKey,
    /// It was revoked, for ever.
    #[error("the key was revoked")]
    Revoked,
}

impl From<NotOfKey> for Refusal {
    fn from(not: NotOfKey) -> Self {
        let (code, field) = match not {
            NotOfKey::RoleMissing => ("role-missing", ""),
            NotOfKey::SamePerson => ("same-person", ""),
            NotOfKey::Taken => ("key-taken", "public"),
            NotOfKey::NoSuchKey => ("not-found", "id"),
            NotOfKey::Revoked => ("key-revoked", "id"),
        };
        Self { code, field }
    }
}

/// A key, as far as it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Key {
    /// Nobody asked for it.
    #[default]
    Unknown,
    /// It waits for a second person.
    Asked(KeyFacts),
    /// It is good.
    Registered(KeyFacts),
    /// It is good no longer.
    Revoked,
}

impl Key {
    /// Decides; an empty vector means: already so.
    ///
    /// # Errors
    /// [`NotOfKey`].
    pub fn decide(&self, command: &KeyCommand) -> Result<Vec<KeyEvent>, NotOfKey> {
        match &command.ask {
            KeyAsk::Register(facts) => self.register(command.by.as_ref(), facts),
            KeyAsk::Confirm => self.confirm(command.by.as_ref()),
            KeyAsk::Revoke => self.revoke(command.by.as_ref(), command.id),
        }
    }

    fn register(&self, by: Option<&Asker>, facts: &KeyFacts) -> Result<Vec<KeyEvent>, NotOfKey> {
        let is_own = match (&facts.holder, by) {
            (Holder::Officer(holder), Some(by)) => holder == by,
            (Holder::Service(_), None) => true,
            _ => false,
        };
        match self {
            _ if !(is_own && facts.holder.may_hold(&facts.public)) => Err(NotOfKey::RoleMissing),
            Self::Unknown if by.is_none() => Ok(vec![KeyEvent::Registered(facts.clone())]),
            Self::Unknown => Ok(vec![KeyEvent::Asked(facts.clone())]),
            Self::Asked(known) | Self::Registered(known) if known.holder == facts.holder => {
                Ok(vec![])
            }
            Self::Asked(_) | Self::Registered(_) => Err(NotOfKey::Taken),
            Self::Revoked => Err(NotOfKey::Revoked),
        }
    }

    fn confirm(&self, by: Option<&Asker>) -> Result<Vec<KeyEvent>, NotOfKey> {
        match (self, by) {
            (Self::Unknown, _) => Err(NotOfKey::NoSuchKey),
            (Self::Revoked, _) => Err(NotOfKey::Revoked),
            (Self::Asked(facts) | Self::Registered(facts), Some(by))
                if *facts.holder.id() == by.officer =>
            {
                Err(NotOfKey::SamePerson)
            }
            (Self::Registered(_), _) => Ok(vec![]),
            (Self::Asked(facts), Some(by)) if facts.holder.is_answered_for_by(by) => {
                Ok(vec![KeyEvent::Registered(facts.clone())])
            }
            (Self::Asked(_), _) => Err(NotOfKey::RoleMissing),
        }
    }

    fn revoke(&self, by: Option<&Asker>, id: KeyId) -> Result<Vec<KeyEvent>, NotOfKey> {
        match (self, by) {
            (Self::Unknown, _) => Err(NotOfKey::NoSuchKey),
            (Self::Revoked, _) => Ok(vec![]),
            (Self::Asked(facts) | Self::Registered(facts), Some(by))
                if facts.holder.is_ended_by(by) =>
            {
                Ok(vec![KeyEvent::Revoked(id)])
            }
            (Self::Asked(_) | Self::Registered(_), _) => Err(NotOfKey::RoleMissing),
        }
    }

    /// Takes a recorded fact in.
    #[must_use]
    pub fn evolve(self, event: &KeyEvent) -> Self {
        match event {
            KeyEvent::Asked(facts) => Self::Asked(facts.clone()),
            KeyEvent::Registered(facts) => Self::Registered(facts.clone()),
            KeyEvent::Revoked(_) => Self::Revoked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Home;

    fn home(province: &str, commune: &str) -> Home {
        Home { province: province.parse().unwrap(), commune: commune.parse().unwrap() }
    }

    fn asker(officer: &str, standing: Standing) -> Asker {
        Asker { officer: officer.parse().unwrap(), standing }
    }

    fn facts(holder: Holder) -> KeyFacts {
        KeyFacts { public: [7; 32].into(), holder, proof: vec![0; 64] }
    }

    fn own(by: &Asker) -> KeyCommand {
        asked(Some(by), KeyAsk::Register(facts(Holder::Officer(by.clone()))))
    }

    fn asked(by: Option<&Asker>, ask: KeyAsk) -> KeyCommand {
        KeyCommand { by: by.cloned(), id: KeyId::of(&[7; 32]), ask }
    }

    fn check(given: &[KeyCommand], when: &KeyCommand, then: Result<usize, NotOfKey>) {
        let key = given.iter().fold(Key::default(), |key, command| {
            key.decide(command).unwrap().iter().fold(key, Key::evolve)
        });
        assert_eq!(key.decide(when).map(|events| events.len()), then, "{given:?} {when:?}");
    }

    #[test]
    fn a_key_takes_two_persons_and_its_end_one() {
        let here = home("38", "15958");
        let an = asker("an", Standing::Officer(here));
        let chief = asker("chief", Standing::Commander(here));
        let confirm = |by: &Asker| asked(Some(by), KeyAsk::Confirm);
        let revoke = |by: &Asker| asked(Some(by), KeyAsk::Revoke);
        check(&[], &own(&an), Ok(1));
        check(&[own(&an)], &own(&an), Ok(0));
        check(&[], &confirm(&chief), Err(NotOfKey::NoSuchKey));
        check(&[], &revoke(&an), Err(NotOfKey::NoSuchKey));
        // The same person with another token is the same person.
        let an_as_chief = asker("an", Standing::Commander(here));
        check(&[own(&an)], &confirm(&an_as_chief), Err(NotOfKey::SamePerson));
        check(&[own(&an)], &own(&an_as_chief), Err(NotOfKey::Taken));
        for (by, then) in [
            (chief.clone(), Ok(1)),
            (asker("x", Standing::Admin), Ok(1)),
            (asker("x", Standing::Province(here.province)), Ok(1)),
            (asker("x", Standing::Officer(here)), Err(NotOfKey::RoleMissing)),
            (asker("x", Standing::Commander(home("38", "15961"))), Err(NotOfKey::RoleMissing)),
            (asker("x", Standing::Auditor), Err(NotOfKey::RoleMissing)),
        ] {
            check(&[own(&an)], &confirm(&by), then);
            check(&[own(&an), confirm(&chief)], &revoke(&by), then);
        }
        check(&[own(&an), confirm(&chief)], &confirm(&chief), Ok(0));
        check(&[own(&an), confirm(&chief)], &revoke(&an), Ok(1));
        let over = [own(&an), confirm(&chief), revoke(&an)];
        check(&over, &revoke(&an), Ok(0));
        check(&over, &own(&an), Err(NotOfKey::Revoked));
        check(&over, &confirm(&chief), Err(NotOfKey::Revoked));
    }

    #[test]
    fn a_key_is_asked_for_by_who_holds_it() {
        let here = home("38", "15958");
        let (an, binh) =
            (asker("an", Standing::Officer(here)), asker("binh", Standing::Officer(here)));
        let of_an = KeyAsk::Register(facts(Holder::Officer(an.clone())));
        check(&[], &asked(Some(&binh), of_an.clone()), Err(NotOfKey::RoleMissing));
        check(&[], &asked(None, of_an), Err(NotOfKey::RoleMissing));
        check(&[], &own(&asker("x", Standing::Admin)), Err(NotOfKey::RoleMissing));
        check(&[], &own(&asker("x", Standing::Auditor)), Err(NotOfKey::RoleMissing));
        let desk = asker("desk", Standing::Province(here.province));
        check(&[own(&desk)], &asked(Some(&an), KeyAsk::Confirm), Err(NotOfKey::RoleMissing));
        let other = asker("other", Standing::Province(here.province));
        check(&[own(&desk)], &asked(Some(&other), KeyAsk::Confirm), Ok(1));
    }

    #[test]
    fn whoever_signs_in_may_have_a_passkey() {
        let passkey = Passkey { credential: vec![1], public: vec![7; 32], rp: "localhost".into() };
        let own = |by: &Asker| {
            let holder = Holder::Officer(by.clone());
            let public = PublicKey::Passkey(passkey.clone());
            let facts = KeyFacts { public, holder, proof: vec![] };
            asked(Some(by), KeyAsk::Register(facts))
        };
        let here = home("38", "15958");
        for standing in [
            Standing::Officer(here),
            Standing::Commander(here),
            Standing::Province(here.province),
            Standing::Auditor,
            Standing::Admin,
        ] {
            let (by, other) = (asker("an", standing), asker("x", Standing::Admin));
            check(&[], &own(&by), Ok(1));
            check(&[own(&by)], &asked(Some(&by), KeyAsk::Confirm), Err(NotOfKey::SamePerson));
            check(&[own(&by)], &asked(Some(&other), KeyAsk::Confirm), Ok(1));
            // Whoever owns the machine is a second person.
            let owner = asker("local:0", Standing::Local);
            check(&[own(&by)], &asked(Some(&owner), KeyAsk::Confirm), Ok(1));
        }
        check(&[], &own(&asker("local:0", Standing::Local)), Err(NotOfKey::RoleMissing));
    }

    #[test]
    fn a_service_needs_no_second_person_and_gives_nobody_a_key() {
        let service = Holder::Service("service:keng".parse().unwrap());
        let register = KeyAsk::Register(facts(service));
        check(&[], &asked(None, register.clone()), Ok(1));
        check(&[asked(None, register.clone())], &asked(None, register.clone()), Ok(0));
        let admin = asker("x", Standing::Admin);
        check(&[], &asked(Some(&admin), register.clone()), Err(NotOfKey::RoleMissing));
        check(&[asked(None, register)], &asked(Some(&admin), KeyAsk::Revoke), Ok(1));
    }
}
