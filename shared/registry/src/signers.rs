//! The keys by which persons and services sign, as the log has recorded them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::{KeyId, Millis},
    key::{Key, KeyEvent, KeyFacts},
};

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It waits for a second person.
    Asked,
    /// It is good.
    Registered,
    /// It is good no longer.
    Revoked,
}

impl KeyState {
    /// The state's word in the interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Registered => "registered",
            Self::Revoked => "revoked",
        }
    }
}

/// A key that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// What was recorded when it was asked for.
    pub facts: KeyFacts,
    /// How it stands.
    pub state: KeyState,
    /// When it was asked for, or confirmed, whichever was last.
    pub at: Millis,
    /// The ordinal of the record that says so.
    pub version: u64,
}

impl SigningKey {
    /// The key as its decider knows it.
    #[must_use]
    pub fn decided(&self) -> Key {
        match self.state {
            KeyState::Asked => Key::Asked(self.facts.clone()),
            KeyState::Registered => Key::Registered(self.facts.clone()),
            KeyState::Revoked => Key::Revoked,
        }
    }
}

/// All keys.
#[derive(Debug, Default)]
pub struct Signers {
    keys: BTreeMap<KeyId, SigningKey>,
    /// Also of keys whose making was lost with a broker's tail.
    revoked: BTreeSet<KeyId>,
}

impl Signers {
    /// A key, revoked ones too.
    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<&SigningKey> {
        self.keys.get(&id)
    }

    /// The passkey that an authenticator knows by this id: a good one, otherwise a revoked one.
    #[must_use]
    pub fn of_credential(&self, credential: &[u8]) -> Option<(KeyId, &SigningKey)> {
        let is_it = |key: &SigningKey| {
            key.facts.public.passkey().is_some_and(|passkey| passkey.credential == credential)
        };
        let found = || self.keys.iter().filter(|(_, key)| is_it(key));
        let good = found().find(|(_, key)| key.state == KeyState::Registered);
        good.or_else(|| found().next()).map(|(id, key)| (*id, key))
    }

    /// All keys, sorted by id.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (&KeyId, &SigningKey)> {
        self.keys.iter()
    }

    /// Refuses a key from now on, wherever its record is.
    pub(crate) fn revoke(&mut self, id: KeyId) {
        self.revoked.insert(id);
        if let Some(key) = self.keys.get_mut(&id) {
            key.state = KeyState::Revoked;
        }
    }

    /// Takes an event in. What was revoked stays so, whatever comes back later.
    pub(crate) fn apply(&mut self, event: KeyEvent, (version, at): (u64, Millis)) {
        let (facts, state) = match event {
            KeyEvent::Asked(facts) => (facts, KeyState::Asked),
            KeyEvent::Registered(facts) => (facts, KeyState::Registered),
            KeyEvent::Revoked(id) => {
                self.revoke(id);
                return;
            }
        };
        let id = facts.id();
        let state = if self.revoked.contains(&id) { KeyState::Revoked } else { state };
        self.keys.insert(id, SigningKey { facts, state, at, version });
    }
}
