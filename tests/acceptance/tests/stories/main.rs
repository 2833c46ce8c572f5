//! The stories. The real cases have the communes and times of the reports.

#![allow(clippy::indexing_slicing, reason = "clippy sees helpers outside of #[test]")]

mod bad_input;
mod cancel;
mod da_teh;
mod exercise;
mod hoang_thinh;
mod idempotency;
mod reach;
mod replay;
mod retries;
mod rights;
mod stale;
mod trung_luong;
