//! History: an order in which no commit precedes its command, and records as people read them.
//!
//! No storage and no rights: who keeps that order is the audit, who may read it is a service's
//! matter. Only open parts are read here, so that nothing personal can appear.

pub mod beside;
pub mod filter;
pub mod json;
pub mod known;
pub mod leaf;
pub mod line;
pub mod merge;
pub mod reading;
pub mod replay;
pub mod sequencer;
pub mod signatures;
pub mod state;
mod story;
pub mod tally;
pub mod text;
pub mod time;
pub mod timeline;

pub use beside::beside_of;
pub use event_log::stored;
pub use filter::{Asked, Filter, WrongParameter};
pub use known::{
    AsKnown, AskedKnown, Gathering, Knowledge, KnownAlert, KnownDelivery, Search, known_text,
};
pub use leaf::Leaf;
pub use line::{Line, lines_of};
pub use merge::{Merge, Met};
pub use reading::Reading;
pub use replay::{ReplayError, records_of_log, replay_of_log};
pub use sequencer::{Placed, Sequencer};
pub use signatures::{Flaw, Signatures, Verdict};
pub use state::{Comparing, StateCheck, check_text};
pub use tally::{Demand, Tally, WrongSignature};
pub use text::replay_text;
pub use time::Time;
pub use timeline::{Missing, Moment, Timeline, Tracing, timeline_text};

#[cfg(test)]
mod line_tests;
#[cfg(test)]
mod replay_tests;
#[cfg(test)]
mod sequencer_tests;
#[cfg(test)]
mod testing;
