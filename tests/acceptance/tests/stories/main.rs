//! The stories. The real cases have the communes and times of the reports.

#![allow(clippy::indexing_slicing, reason = "clippy sees helpers outside of #[test]")]

mod admin;
mod answers;
mod bad_input;
mod cancel;
mod channels;
mod classes;
mod da_teh;
mod doors;
mod drill;
mod erase;
mod exercise;
mod expiry;
mod freeze;
mod hawaii;
mod hoang_thinh;
mod hung;
mod idempotency;
mod known;
mod leases;
mod looks;
mod matches;
mod pages;
mod passkeys;
mod photos;
mod policies;
mod poster;
mod preflight;
mod queues;
mod reach;
mod replay;
mod retries;
mod rights;
mod signed;
mod signed_all;
mod silent_neighbour;
mod stale;
mod stream;
mod times;
mod train;
mod trung_luong;
mod uncorrected;
mod whole_life;
