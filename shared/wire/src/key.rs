//! Keys that sign, on the wire.

use bytes::Bytes;
use domain::{
    ids::{KeyId, OfficerId},
    key::{Holder, KeyAsk, KeyCommand, KeyEvent, KeyFacts, Passkey, PublicKey},
    rights::Asker,
};

use crate::{
    NotDecodable,
    actor::{asker, standing},
    signing::ED25519_BYTES,
    v1::{self, command::Body, event::Event},
    values::{role_recalled, role_said},
};

/// What is known of a key, on the wire.
#[must_use]
pub fn key_said(facts: &KeyFacts) -> v1::KeyFacts {
    let (role, commune, province) = match &facts.holder {
        Holder::Officer(Asker { standing, .. }) => (
            role_said(standing.role()),
            standing.commune().map(|code| code.to_string()),
            standing.province().map(|code| code.to_string()),
        ),
        Holder::Service(_) => (i32::from(v1::Role::Service), None, None),
    };
    let passkey = facts.public.passkey();
    v1::KeyFacts {
        public: Bytes::copy_from_slice(facts.public.bytes()),
        officer: facts.holder.id().to_string(),
        role,
        commune: commune.unwrap_or_default(),
        province: province.unwrap_or_default(),
        proof: Bytes::copy_from_slice(&facts.proof),
        credential: passkey.map(|it| Bytes::copy_from_slice(&it.credential)).unwrap_or_default(),
        rp: passkey.map(|it| it.rp.clone()).unwrap_or_default(),
    }
}

fn public_recalled(facts: &v1::KeyFacts) -> Result<PublicKey, NotDecodable> {
    let public = facts.public.as_ref();
    if facts.credential.is_empty() && facts.rp.is_empty() {
        let public = public.try_into().map_err(|_| NotDecodable("a public key"))?;
        return Ok(PublicKey::Ed25519(public));
    }
    let (credential, rp) = (facts.credential.to_vec(), facts.rp.clone());
    Ok(PublicKey::Passkey(Passkey { credential, public: public.to_vec(), rp }))
}

/// What is known of a key, from the wire.
///
/// # Errors
/// Something of it is newer than this program.
pub fn key_recalled(facts: Option<&v1::KeyFacts>) -> Result<KeyFacts, NotDecodable> {
    let facts = facts.ok_or(NotDecodable("facts"))?;
    let officer: OfficerId = facts.officer.parse().map_err(|_| NotDecodable("an officer"))?;
    let holder = if facts.role == i32::from(v1::Role::Service) {
        Holder::Service(officer)
    } else {
        let role = role_recalled(facts.role)?;
        let standing = standing(role, &facts.province, &facts.commune)?;
        Holder::Officer(Asker { officer, standing })
    };
    let public = public_recalled(facts)?;
    let proof = facts.proof.to_vec();
    if public.passkey().is_none() && proof.len() != ED25519_BYTES {
        return Err(NotDecodable("a proof"));
    }
    Ok(KeyFacts { public, holder, proof })
}

/// What a command asks of a key; `None` where it asks something else.
pub(crate) fn hear(command: &v1::Command) -> Result<Option<KeyCommand>, NotDecodable> {
    let (id, ask) = match command.body.as_ref() {
        Some(Body::RegisterKey(register)) => {
            let facts = key_recalled(register.facts.as_ref())?;
            (facts.id(), KeyAsk::Register(facts))
        }
        Some(Body::ConfirmKey(confirm)) => (key_id(&confirm.id)?, KeyAsk::Confirm),
        Some(Body::RevokeKey(revoke)) => (key_id(&revoke.id)?, KeyAsk::Revoke),
        _ => return Ok(None),
    };
    let by = asker(command.actor.as_ref().ok_or(NotDecodable("an actor"))?)?;
    Ok(Some(KeyCommand { by, id, ask }))
}

pub(crate) fn say(event: &KeyEvent) -> Event {
    match event {
        KeyEvent::Asked(facts) => Event::KeyAsked(v1::KeyAsked { facts: Some(key_said(facts)) }),
        KeyEvent::Registered(facts) => {
            Event::KeyRegistered(v1::KeyRegistered { facts: Some(key_said(facts)) })
        }
        KeyEvent::Revoked(id) => Event::KeyRevoked(v1::KeyRevoked { id: id.to_string() }),
    }
}

/// What an event says of a key; `None` where it says something else.
///
/// # Errors
/// Something of it is newer than this program.
pub fn recall(event: &Event) -> Result<Option<KeyEvent>, NotDecodable> {
    Ok(Some(match event {
        Event::KeyAsked(asked) => KeyEvent::Asked(key_recalled(asked.facts.as_ref())?),
        Event::KeyRegistered(registered) => {
            KeyEvent::Registered(key_recalled(registered.facts.as_ref())?)
        }
        Event::KeyRevoked(revoked) => KeyEvent::Revoked(key_id(&revoked.id)?),
        _ => return Ok(None),
    }))
}

fn key_id(id: &str) -> Result<KeyId, NotDecodable> {
    id.parse().map_err(|_| NotDecodable("a key's id"))
}

#[cfg(test)]
mod tests {
    use domain::{ids::Home, rights::Standing};

    use super::*;
    use crate::actor::{person, service};

    #[test]
    fn what_is_asked_and_recorded_of_a_key_comes_back_as_it_was() {
        let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
        let officer = |standing| Asker { officer: "an".parse().unwrap(), standing };
        let holders = [
            Holder::Officer(officer(Standing::Officer(home))),
            Holder::Officer(officer(Standing::Province(home.province))),
            Holder::Service("service:keng".parse().unwrap()),
        ];
        for holder in holders {
            let (public, proof) = ([7; 32].into(), vec![9; 64]);
            let facts = KeyFacts { public, holder: holder.clone(), proof };
            let id = facts.id();
            for event in [
                KeyEvent::Asked(facts.clone()),
                KeyEvent::Registered(facts.clone()),
                KeyEvent::Revoked(id),
            ] {
                assert_eq!(recall(&say(&event)), Ok(Some(event)));
            }
            let (by, actor) = match holder {
                Holder::Officer(asker) => (Some(asker.clone()), person(&asker)),
                Holder::Service(_) => (None, service("keng")),
            };
            let register = v1::RegisterKey { facts: Some(key_said(&facts)) };
            let text = id.to_string();
            for (body, ask) in [
                (Body::RegisterKey(register), KeyAsk::Register(facts)),
                (Body::ConfirmKey(v1::ConfirmKey { id: text.clone() }), KeyAsk::Confirm),
                (Body::RevokeKey(v1::RevokeKey { id: text }), KeyAsk::Revoke),
            ] {
                let (actor, body) = (Some(actor.clone()), Some(body));
                let heard = hear(&v1::Command { actor, body, ..v1::Command::default() });
                assert_eq!(heard, Ok(Some(KeyCommand { by: by.clone(), id, ask })));
            }
        }
        let passkey = Passkey { credential: vec![1], public: vec![2; 77], rp: "a.vn".to_owned() };
        let holder = Holder::Officer(officer(Standing::Auditor));
        let facts = KeyFacts { public: PublicKey::Passkey(passkey), holder, proof: vec![3; 300] };
        assert_eq!(key_recalled(Some(&key_said(&facts))), Ok(facts));
        assert!(key_recalled(Some(&v1::KeyFacts::default())).is_err());
        let confirm = Some(Body::ConfirmKey(v1::ConfirmKey { id: "x".to_owned() }));
        assert!(hear(&v1::Command { body: confirm, ..v1::Command::default() }).is_err());
        assert_eq!(hear(&v1::Command::default()), Ok(None));
    }
}
