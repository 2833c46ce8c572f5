//! The state hash: what an entity has become, in 32 bytes, so that two who folded the same history
//! can be compared.
//!
//! Canonical form: the fields of the state in the order of their definition; numbers in 8 bytes,
//! big-endian (one byte alone as itself); of a list or text first how long it is; of a choice first
//! which. It holds within one version of the program, and whoever compares is one.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use sha2::{Digest, Sha256};

use crate::ids::EntityName;

/// SHA-256 of a state's canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateHash([u8; 32]);

impl StateHash {
    /// Of this state.
    #[must_use]
    pub fn of(state: &impl Hash) -> Self {
        let mut canonical = Canonical(Sha256::new());
        state.hash(&mut canonical);
        Self(canonical.0.finalize().into())
    }

    /// Of many entities at once, each at its version; whoever gives them gives them in the order
    /// of their names.
    #[must_use]
    pub fn of_all<'a>(all: impl IntoIterator<Item = (&'a EntityName, u64, Self)>) -> Self {
        let mut canonical = Canonical(Sha256::new());
        for (entity, version, state) in all {
            entity.hash(&mut canonical);
            version.hash(&mut canonical);
            canonical.0.update(state.0);
        }
        Self(canonical.0.finalize().into())
    }
}

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex::hex(&self.0))
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes a state's fields, alike on every machine.
struct Canonical(Sha256);

impl Canonical {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }
}

impl Hasher for Canonical {
    /// The first 8 bytes so far; who wants the state hash takes all of them.
    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |so_far, byte| (so_far << 8) | u64::from(*byte))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn write_u8(&mut self, number: u8) {
        self.0.update([number]);
    }

    fn write_u16(&mut self, number: u16) {
        self.number(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.number(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.number(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.number(number as u64);
    }

    fn write_i32(&mut self, number: i32) {
        self.number(i64::from(number).cast_unsigned());
    }

    fn write_i64(&mut self, number: i64) {
        self.number(number.cast_unsigned());
    }

    fn write_isize(&mut self, number: isize) {
        self.number((number as i64).cast_unsigned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alert::Alert, ids::Millis, relay::protocol::RelayProtocol};

    #[test]
    fn a_number_has_one_form_and_a_text_its_length() {
        let of_bytes = |bytes: &[u8]| StateHash(Sha256::digest(bytes).into());
        assert_eq!(StateHash::of(&7_u64), of_bytes(&[0, 0, 0, 0, 0, 0, 0, 7]));
        assert_eq!(StateHash::of(&7_usize), StateHash::of(&7_u64));
        assert_eq!(StateHash::of(&Millis(-1)), of_bytes(&[0xff; 8]));
        assert_eq!(StateHash::of(&7_u8), of_bytes(&[7]));
        assert_eq!(StateHash::of(&vec![7_u8]), of_bytes(&[0, 0, 0, 0, 0, 0, 0, 1, 7]));
        assert_ne!(StateHash::of(&("ab", "c")), StateHash::of(&("a", "bc")));
    }

    #[test]
    fn what_differs_anywhere_has_another_hash() {
        let (a, b): (EntityName, EntityName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let state = StateHash::of(&Alert::default());
        assert_ne!(state, StateHash::of(&RelayProtocol { instructions: 1, ..Default::default() }));
        let of = |all: &[(&EntityName, u64, StateHash)]| StateHash::of_all(all.iter().copied());
        assert_ne!(of(&[(&a, 1, state)]), of(&[(&a, 2, state)]));
        assert_ne!(of(&[(&a, 1, state)]), of(&[(&b, 1, state)]));
        assert_ne!(of(&[(&a, 1, state)]), of(&[]));
        assert_eq!(state.to_string().len(), 64);
    }
}
