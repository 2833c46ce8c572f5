//! Who signed what: each command of a history against the keys as they stand at its place.
//!
//! Pure: from records in their order and nothing else, so that the audit, a verifier and a court
//! come to the same. What only a service attests is said to be no more than that.

use std::collections::HashMap;

use domain::{
    ids::{EntityName, KeyId},
    key::{Holder, KeyEvent, KeyFacts},
};
use event_log::{Class, Kind, Recorded, Signature};
use prost::Message;
use wire::{
    actor,
    key::{key_recalled, recall},
    signing::{is_proven, is_signed_by},
    v1::{Actor, Command, Commit, command::Body, commit::Outcome, event::Event},
};

use crate::{beside::By, leaf::Leaf};

/// How deep a recovered commit may itself stand in a recovered commit.
const RECOVERED_DEPTH_MAX: usize = 8;

/// What is known of who asked for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The person signed it, by a key that is good here.
    Signed {
        /// Who.
        officer: String,
        /// By which key.
        key: KeyId,
    },
    /// A service says who asked; nobody else can.
    Attested {
        /// How it says that the actor was known: `token`, `local`, `service`, `link`.
        how: String,
        /// The service's own key, where it signed.
        by: Option<KeyId>,
    },
    /// It is not what it says.
    Invalid(Flaw),
}

/// Why a command is not what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Its bytes are no command.
    #[error("không đọc được / it cannot be read")]
    Unreadable,
    /// It names a person who signs, and nobody has.
    #[error("thiếu chữ ký / the signature is missing")]
    NotSigned,
    /// Nobody has asked for the key up to here.
    #[error("khóa chưa được đăng ký trước đó / the key is not registered before")]
    UnknownKey,
    /// No second person has confirmed the key up to here.
    #[error("khóa chưa được xác nhận trước đó / the key is not confirmed before")]
    NotConfirmed,
    /// The key was revoked before.
    #[error("khóa đã bị thu hồi trước đó / the key was revoked before")]
    RevokedKey,
    /// The key is somebody else's, or of another role or place.
    #[error("khóa của người khác / the key is somebody else's")]
    OtherHolder,
    /// No service has signed it, though by then services signed whatever no person did.
    #[error(
        "không dịch vụ nào ký, dù lúc đó dịch vụ đã ký / no service signed it, though they did"
    )]
    NotAttested,
    /// A person's signature where a service's must stand, or the other way.
    #[error("chữ ký khác loại / the signature is of another kind")]
    OtherKind,
    /// The key has not signed these bytes.
    #[error("chữ ký không đúng / the signature is not of these bytes")]
    WrongSignature,
}

/// The keys, as they stand at a place of the history.
#[derive(Debug, Default)]
pub struct Signatures {
    keys: HashMap<KeyId, Known>,
    /// Whether a service has made its key known: from then on each command has a signature.
    services_sign: bool,
}

#[derive(Debug)]
struct Known {
    facts: KeyFacts,
    stands: Stands,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Asked,
    Good,
    Revoked,
}

impl Signatures {
    /// No keys: what stands before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What comes is a part of a history only. What it leaves out must not excuse what it shows, so
    /// each command has to be signed.
    pub fn expect_signatures(&mut self) {
        self.services_sign = true;
    }

    /// Takes the next record of the history in: of a command, what is known of who asked.
    pub fn next(&mut self, recorded: &Recorded) -> Option<Verdict> {
        let signature = recorded.signature.as_deref();
        match recorded.kind {
            Kind::Command => match Command::decode(recorded.open.clone()) {
                Ok(command) => Some(self.asked(command, &recorded.open, signature)),
                Err(_) => Some(Verdict::Invalid(Flaw::Unreadable)),
            },
            Kind::Commit { .. } => {
                let entity = &recorded.key.entity;
                if recorded.key.class == Class::Alert
                    && is_key(entity.as_str())
                    && let Ok(commit) = Commit::decode(recorded.open.clone())
                {
                    self.take_in(entity, commit, 0);
                }
                None
            }
        }
    }

    /// The same of a leaf of the signed log, with what lies beside it.
    pub fn next_leaf(
        &mut self,
        leaf: Leaf,
        open: &[u8],
        beside: Option<&(By, Signature)>,
    ) -> Option<Verdict> {
        match leaf {
            Leaf::Command(command) => {
                let is_other = beside.is_some_and(|(by, it)| *by != By::of(&command, it));
                let signature = beside.map(|(_, signature)| signature);
                let verdict = self.asked(*command, open, signature);
                Some(if is_other { Verdict::Invalid(Flaw::OtherKind) } else { verdict })
            }
            Leaf::Commit(commit) => {
                let entity = commit.entity.clone().unwrap_or_default().name;
                if is_key(&entity)
                    && let Ok(entity) = entity.parse()
                {
                    self.take_in(&entity, *commit, 0);
                }
                beside.map(|_| Verdict::Invalid(Flaw::OtherKind))
            }
        }
    }

    fn asked(&mut self, command: Command, open: &[u8], signature: Option<&Signature>) -> Verdict {
        self.introduced(&command, signature);
        self.verdict(&command.actor.unwrap_or_default(), open, signature)
    }

    /// A service's key is known from the moment when the service asks for it: it gives nobody
    /// rights, and what the service writes next may stand before the answer.
    fn introduced(&mut self, command: &Command, signature: Option<&Signature>) {
        let Some(Body::RegisterKey(register)) = &command.body else { return };
        let Ok(facts) = key_recalled(register.facts.as_ref()) else { return };
        let is_service = command.actor.as_ref().is_some_and(actor::is_service);
        let is_own = signature.is_some_and(|by| by.key == facts.id());
        let proven = is_proven(&facts.public, facts.holder.id().as_str(), &facts.proof);
        if !(matches!(facts.holder, Holder::Service(_)) && is_service && proven) {
            return;
        }
        // Read off the leaf alone: who drops every signature, this one too, is found out.
        self.services_sign = true;
        if is_own {
            self.keys.entry(facts.id()).or_insert(Known { facts, stands: Stands::Good });
        }
    }

    fn take_in(&mut self, entity: &EntityName, commit: Commit, depth: usize) {
        let Some(Outcome::Events(events)) = commit.outcome else { return };
        let by = commit.actor.map(|actor| actor.officer).unwrap_or_default();
        for event in events.events.into_iter().filter_map(|event| event.event) {
            if let Event::Recovered(lost) = event {
                if let Ok(lost) = Commit::decode(lost.original)
                    && depth < RECOVERED_DEPTH_MAX
                {
                    self.take_in(entity, lost, depth + 1);
                }
            } else if let Ok(Some(event)) = recall(&event)
                && EntityName::key(event.id()) == *entity
            {
                self.apply(event, &by);
            }
        }
    }

    /// What the decider would not have recorded changes nothing: a key of a person is good where
    /// the holder asked for it and somebody else confirmed exactly that.
    fn apply(&mut self, event: KeyEvent, by: &str) {
        let id = event.id();
        match (event, self.keys.get_mut(&id)) {
            (KeyEvent::Asked(facts), None) => {
                let holder = facts.holder.id().as_str();
                if holder == by && is_proven(&facts.public, holder, &facts.proof) {
                    self.keys.insert(id, Known { facts, stands: Stands::Asked });
                }
            }
            (KeyEvent::Registered(facts), Some(known)) => {
                let is_second = known.facts.holder.id().as_str() != by;
                if known.stands == Stands::Asked && known.facts == facts && is_second {
                    known.stands = Stands::Good;
                }
            }
            (KeyEvent::Revoked(_), Some(known)) => known.stands = Stands::Revoked,
            _ => {}
        }
    }

    fn verdict(&self, actor: &Actor, open: &[u8], signature: Option<&Signature>) -> Verdict {
        let signs = actor::signs(actor);
        let Some(signature) = signature else {
            return match signs {
                true => Verdict::Invalid(Flaw::NotSigned),
                false if self.services_sign => Verdict::Invalid(Flaw::NotAttested),
                false => Verdict::Attested { how: actor.attested.clone(), by: None },
            };
        };
        if let Err(flaw) = self.checked(signs, actor, open, signature) {
            return Verdict::Invalid(flaw);
        }
        match signs {
            true => Verdict::Signed { officer: actor.officer.clone(), key: signature.key },
            false => Verdict::Attested { how: actor.attested.clone(), by: Some(signature.key) },
        }
    }

    fn checked(
        &self,
        signs: bool,
        actor: &Actor,
        open: &[u8],
        signature: &Signature,
    ) -> Result<(), Flaw> {
        let known = self.keys.get(&signature.key).ok_or(Flaw::UnknownKey)?;
        match known.stands {
            Stands::Asked => return Err(Flaw::NotConfirmed),
            Stands::Revoked => return Err(Flaw::RevokedKey),
            Stands::Good => {}
        }
        let is_holder = match &known.facts.holder {
            Holder::Officer(asker) => signs && actor::signer(asker) == *actor,
            Holder::Service(_) => !signs,
        };
        if !is_holder {
            return Err(Flaw::OtherHolder);
        }
        match is_signed_by(&known.facts.public, open, &signature.value) {
            true => Ok(()),
            false => Err(Flaw::WrongSignature),
        }
    }
}

fn is_key(entity: &str) -> bool {
    entity.starts_with("key-")
}

#[cfg(test)]
#[path = "signatures_tests.rs"]
mod tests;
