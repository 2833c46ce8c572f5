//! A transparency log in a folder, in C2SP tlog-tiles form: which files it has, and checking the
//! whole of it, from the checkpoint to the leaves.
//!
//! It reads and never writes: the audit writes such a folder, `keng export` copies one, and
//! `keng verify` checks it.

pub mod check;
mod folder;

pub use folder::{CHECKPOINT, Folder, files_of, signatures_of};
