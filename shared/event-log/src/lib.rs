//! The port of the event log, the shell around deciders, and the log in memory.
//!
//! Nothing here knows a disk or a broker; adapters do. The contract suite (feature `contract`)
//! is what every adapter must pass.

pub mod batch;
pub mod command;
pub mod erasing;
pub mod follower;
pub mod holding;
pub mod local;
pub mod log;
pub mod memory;
pub mod order;
pub mod place;
pub mod projection;
pub mod reactor;
pub mod record;
pub mod recovery;
pub mod shell;
pub mod stored;

pub use follower::{Follower, Following, Role, Step};
pub use holding::{Held, UpTo};
pub use log::{
    AppendError, Appended, At, Durable, EraseError, EventLog, FollowError, LoadError, Outgoing,
};
pub use record::{Class, Key, Kind, Position, Received, Record, Recorded, Seal, Signature};

#[cfg(feature = "contract")]
pub mod contract;
