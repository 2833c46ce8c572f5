//! The rules of the tree: each is a function from the files to its violations, all of them at once.
//! It reads text; it builds nothing, runs nothing, and asks nobody.
//! What the compiler, clippy, rustfmt, buf and cargo-deny can tell is left to them.
//! Each rule is tested beside it on a small bad example, so that it can fail;
//! `tests/tidy.rs` puts all of them to this tree.

pub mod dependencies;
pub mod documents;
pub mod layers;
pub mod layout;
pub mod secrets;
pub mod sources;
pub mod tree;
pub mod words;

/// What is wrong, and where: `path:line: what`.
pub type Violations = Vec<String>;

fn at(path: &str, line: usize, what: impl std::fmt::Display) -> String {
    format!("{path}:{line}: {what}")
}
