//! Map and directory: which communes there are and who borders whom; which groups, officers and
//! tokens the log has recorded.
//!
//! No network and no clock. The only I/O is the reading of a file, at start or at an import.

pub mod borders;
pub mod boundaries;
pub mod channels;
pub mod clerk;
pub mod corridors;
pub mod directory;
pub mod drills;
pub mod fault;
pub mod group;
pub mod groups;
pub mod import;
pub mod link_key;
pub mod map;
pub mod officers;
pub mod outlook;
pub mod policies;
pub mod shared;
pub mod signers;
pub mod staff;
pub mod token;

mod canonical;
mod lines;
mod map_header;
mod map_line;
mod map_outline;

pub use channels::ChannelEntry;
pub use clerk::{Clerk, ClerkError};
pub use directory::{Directory, Unreadable};
pub use fault::{Fault, Faults, ReadError};
pub use group::{Address, Group};
pub use groups::GroupEntry;
pub use import::plan_groups;
pub use link_key::LinkKey;
pub use map::{Commune, CommuneKind, Map};
pub use officers::Officers;
pub use policies::Policies;
pub use shared::SharedDirectory;
pub use signers::{KeyState, SigningKey};
pub use token::Token;
