//! Who asked, on the wire.

use domain::{
    ids::Home,
    rights::{Asker, Standing},
    values::Role,
};

use crate::{
    NotDecodable,
    spoken::home_recalled,
    v1,
    values::{role_recalled, role_said},
};

const SERVICE: &str = "service";
const KEY: &str = "key";

/// A person who asked, known by a bearer token or as the owner of the server's machine.
#[must_use]
pub fn person(asker: &Asker) -> v1::Actor {
    let text = |code: Option<&str>| code.unwrap_or_default().to_owned();
    let local = matches!(asker.standing, Standing::Local);
    v1::Actor {
        officer: asker.officer.to_string(),
        role: role_said(asker.standing.role()),
        commune: text(asker.standing.commune().as_ref().map(|code| code.as_str())),
        province: text(asker.standing.province().as_ref().map(|code| code.as_str())),
        attested: if local { "local" } else { "token" }.to_owned(),
    }
}

/// A person who signs the command with an own key.
#[must_use]
pub fn signer(asker: &Asker) -> v1::Actor {
    v1::Actor { attested: KEY.to_owned(), ..person(asker) }
}

/// Whether the command is to be signed by the person's own key.
#[must_use]
pub fn signs(actor: &v1::Actor) -> bool {
    actor.attested == KEY
}

/// Who asked; `None` for a service.
///
/// # Errors
/// Nobody with a role: somebody who has a link.
pub fn asker(actor: &v1::Actor) -> Result<Option<Asker>, NotDecodable> {
    if is_service(actor) {
        return Ok(None);
    }
    let officer = actor.officer.parse().map_err(|_| NotDecodable("an officer"))?;
    let role = role_recalled(actor.role)?;
    Ok(Some(Asker { officer, standing: standing(role, &actor.province, &actor.commune)? }))
}

/// Whether a service asked, by itself.
#[must_use]
pub fn is_service(actor: &v1::Actor) -> bool {
    actor.attested == SERVICE
}

/// A service of the system.
#[must_use]
pub fn service(name: &str) -> v1::Actor {
    v1::Actor {
        officer: format!("service:{name}"),
        role: i32::from(v1::Role::Service),
        commune: String::new(),
        province: String::new(),
        attested: SERVICE.to_owned(),
    }
}

/// Somebody who has a link, and is known by nothing else: the beginning of its hash, in hex.
#[must_use]
pub fn link(hash: &str, home: Home) -> v1::Actor {
    v1::Actor {
        officer: format!("link:{hash}"),
        role: i32::from(v1::Role::Unspecified),
        commune: home.commune.to_string(),
        province: home.province.to_string(),
        attested: "link".to_owned(),
    }
}

/// The role of a person; `None` for a service.
pub(crate) fn role_of(actor: Option<&v1::Actor>) -> Option<Role> {
    actor.and_then(|actor| role_recalled(actor.role).ok())
}

/// The standing that role and place give.
///
/// # Errors
/// The role is not known, or its place is missing.
pub fn standing(role: Role, province: &str, commune: &str) -> Result<Standing, NotDecodable> {
    let home = || -> Result<Home, NotDecodable> { home_recalled(province, commune) };
    Ok(match role {
        Role::Officer => Standing::Officer(home()?),
        Role::Commander => Standing::Commander(home()?),
        Role::Province => {
            Standing::Province(province.parse().map_err(|_| NotDecodable("a province"))?)
        }
        Role::Auditor => Standing::Auditor,
        Role::Admin => Standing::Admin,
    })
}
