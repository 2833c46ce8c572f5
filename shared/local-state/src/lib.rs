//! Cursors and read models in sled: a cache that a restart finds again, and no more than that.
//!
//! Everything here can be rebuilt from the log, so whatever is in doubt is moved aside and begun
//! anew. Nothing sealed, no key and no only copy of anything may be put here. The only crate that
//! names sled; its rules come from measurements: `flush` alone does not survive a power cut,
//! `flush` and then `fdatasync` of the `db` file does, and `flush_async` hangs.

mod committer;
mod directory;
mod model;
mod state;

pub use model::{Change, Cursor, ENTRY_BYTES_MAX, Entry, Model};
pub use state::{LocalState, OpenError, Opened, StateError};
