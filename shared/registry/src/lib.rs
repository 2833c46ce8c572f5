//! Map and directory: which communes there are and who borders whom; which groups, officers and
//! tokens the log has recorded.
//!
//! No network and no clock. The only I/O is the reading of a file, at start or at an import.

pub mod borders;
pub mod clerk;
pub mod directory;
pub mod fault;
pub mod group;
pub mod groups;
pub mod import;
pub mod map;
pub mod shared;
pub mod token;

mod canonical;
mod lines;
mod map_line;

pub use clerk::{Clerk, ClerkError};
pub use directory::{Directory, Unreadable};
pub use fault::{Fault, Faults, ReadError};
pub use group::{Address, Group};
pub use groups::{ChannelEntry, ChannelType, GroupEntry};
pub use import::plan_groups;
pub use map::{Commune, CommuneKind, Map};
pub use shared::SharedDirectory;
pub use token::Token;
