//! Tickets: what a person's passkey answers to at a sign-in.
//!
//! The server keeps nothing of those that it has given out, so that nobody can use its memory up
//! and keep others from signing in. It keeps those that have been answered, until they end.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::ids::Millis;
use ring::hmac;

/// So long a ticket is good.
pub(crate) const TICKET_MS: i64 = 5 * 60_000;
const ENDS_BYTES: usize = 8;
const RANDOM_BYTES: usize = 16;

/// The tickets of this process. Another one does not know them.
pub(crate) struct Tickets {
    key: hmac::Key,
    /// When each that was answered ends.
    used: Mutex<HashMap<Vec<u8>, Millis>>,
}

impl Tickets {
    /// No tickets, under a key that nobody else has.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Ok(Self { key, used: Mutex::default() })
    }

    /// A new one: when it ends, chance, and the seal. Longer than a hash: no command's challenge is
    /// a ticket, and no ticket a command's challenge.
    pub(crate) fn give(&self, now: Millis) -> Result<Vec<u8>, getrandom::Error> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random)?;
        let ends = now.plus_ms(TICKET_MS).0.to_be_bytes();
        let head = [ends.as_slice(), &random].concat();
        let seal = hmac::sign(&self.key, &head);
        Ok([head.as_slice(), seal.as_ref()].concat())
    }

    /// Whether it is one of ours and has not ended.
    pub(crate) fn is_good(&self, ticket: &[u8], now: Millis) -> bool {
        let Some((head, seal)) = ticket.split_at_checked(ENDS_BYTES + RANDOM_BYTES) else {
            return false;
        };
        hmac::verify(&self.key, head, seal).is_ok() && now < ends(ticket)
    }

    /// Takes it: whether it is good, and nobody has before.
    pub(crate) fn take(&self, ticket: &[u8], now: Millis) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, ends| now < *ends);
        self.is_good(ticket, now) && used.insert(ticket.to_vec(), ends(ticket)).is_none()
    }
}

fn ends(ticket: &[u8]) -> Millis {
    ticket.first_chunk().map_or(Millis(0), |ends| Millis(i64::from_be_bytes(*ends)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_taken_once_and_in_time() {
        let (tickets, now) = (Tickets::new().unwrap(), Millis(1_000));
        let ticket = tickets.give(now).unwrap();
        let last = now.plus_ms(TICKET_MS - 1);
        assert!(
            tickets.is_good(&ticket, last) && !tickets.is_good(&ticket, now.plus_ms(TICKET_MS))
        );
        assert!(tickets.take(&ticket, last));
        assert!(!tickets.take(&ticket, last), "taken before");
        assert!(!tickets.take(&ticket, now.plus_ms(TICKET_MS)), "at its end");
        assert_ne!(tickets.give(now).unwrap(), tickets.give(now).unwrap());
    }

    #[test]
    fn what_was_made_up_is_no_ticket() {
        let (tickets, now) = (Tickets::new().unwrap(), Millis(1_000));
        let ticket = tickets.give(now).unwrap();
        for place in 0..ticket.len() {
            let mut other = ticket.clone();
            other[place] ^= 1;
            assert!(!tickets.take(&other, now), "{place}");
        }
        assert!(!tickets.take(b"", now) && !tickets.take(&ticket[..30], now));
        assert!(!Tickets::new().unwrap().is_good(&ticket, now), "another process'");
    }

    #[test]
    fn what_was_answered_is_kept_until_it_ends() {
        let tickets = Tickets::new().unwrap();
        for minute in 0..60 {
            let now = Millis(minute * 60_000);
            assert!(tickets.take(&tickets.give(now).unwrap(), now));
        }
        assert_eq!(tickets.used.lock().unwrap().len(), 5);
    }
}
