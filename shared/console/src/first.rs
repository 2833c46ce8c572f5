//! The first admin: whoever reads the terminal at the first start, once.
//!
//! Nothing of the link is written down. It is another one at each start, and none as soon as an
//! admin is known.

use std::sync::{Mutex, PoisonError};

use chassis::{
    Host, Kind,
    admin::{ENROLMENT_MS, enrolment_path, hash_of, token_of},
    socket::LocalOwner,
};
use domain::{
    directory::TokenPurpose,
    ids::Millis,
    key::Holder,
    rights::{Asker, Standing},
};
use registry::{Directory, KeyState};

use crate::enrol::Enrolment;

/// The id of the first admin.
const ADMIN: &str = "admin";

/// The link of this start, where there is one.
#[derive(Default)]
pub(crate) struct First(Mutex<Option<Link>>);

#[derive(Clone, Copy)]
struct Link {
    hash: [u8; 32],
    ends: Millis,
}

impl First {
    /// Makes the link, where no admin is known: its path.
    pub(crate) fn invite(&self, host: &Host) -> Option<String> {
        let now = host.clock.now();
        if host.kind != Kind::Real || is_admin_known(&host.directory.read(), now) {
            return None;
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok()?;
        let token = token_of(&secret);
        let link = Link { hash: hash_of(&token), ends: now.plus_ms(ENROLMENT_MS) };
        *self.link() = Some(link);
        Some(enrolment_path(&token))
    }

    /// What this token is good for, if it is that of the link. The machine's owner, in whose
    /// terminal it stands, is the second person.
    pub(crate) fn enrolment(&self, host: &Host, token: &str) -> Option<Enrolment> {
        let (now, hash) = (host.clock.now(), hash_of(token));
        let link = *self.link();
        link.filter(|link| link.hash == hash && now < link.ends)?;
        if is_admin_known(&host.directory.read(), now) {
            return None;
        }
        let asker = Asker { officer: ADMIN.parse().ok()?, standing: Standing::Admin };
        let owner = LocalOwner::of_this_process().to_string().parse().ok()?;
        let by = Asker { officer: owner, standing: Standing::Local };
        Some(Enrolment { asker, by, token: None })
    }

    fn link(&self) -> std::sync::MutexGuard<'_, Option<Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an admin has a passkey, or a token, or was given a link.
fn is_admin_known(directory: &Directory, now: Millis) -> bool {
    let signs_in = |holder: &Holder| {
        matches!(holder, Holder::Officer(Asker { standing: Standing::Admin, .. }))
    };
    let mut keys = directory.signers().all();
    let mut tokens = directory.tokens();
    keys.any(|(_, key)| key.state == KeyState::Registered && signs_in(&key.facts.holder))
        || tokens.any(|token| {
            let is_session = matches!(token.facts.purpose, TokenPurpose::Session { .. });
            token.facts.standing == Standing::Admin && token.is_good(now) && !is_session
        })
}
