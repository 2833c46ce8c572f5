//! What the tests that run real processes share: a sink for webhooks, the binary as a child, a
//! client of its HTTP interface, groups, and the check of a webhook's signature.
//!
//! Knows `interfaces.md` and nothing else: none of the crates under test is a dependency.
//! Every wait is for something to be seen, within a bound; a failure says what was seen instead.

pub mod child;
pub mod client;
pub mod eventually;
pub mod group;
pub mod people;
pub mod seen;
pub mod signature;
pub mod sink;
pub mod stream;
pub mod town;

pub use child::Keng;
pub use client::{Answer, Client, Problem};
pub use eventually::eventually;
pub use group::{Group, groups};
pub use sink::{Call, Fate, Reply, Sink};
pub use stream::{Event, Stream};
