//! How large files may be, what they may be called, and what lies at the top.

use std::collections::BTreeSet;

use crate::layers::{Layers, SAID};
use crate::tree::Tree;
use crate::{Violations, at};

const FILE_LINES_MAX: usize = 600;
const LINE_COLUMNS_MAX: usize = 100;
const MODULE_HEAD_LINES_MAX: usize = 8;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["common", "utils", "util", "core", "types", "models", "helpers", "helper", "misc"];
const EMPTY_FILES: [&str; 3] = ["manager.rs", "handler.rs", "mod.rs"];

const TOP_LEVEL: [&str; 16] = [
    ".cargo",
    ".ci",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "deploy",
    "proto",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "services",
    "shared",
    "tests",
];

/// A source has at most 600 lines; half of that is plenty.
#[must_use]
pub fn sizes(tree: &Tree) -> Violations {
    let lines = tree.ending(".rs").map(|file| (file, file.text.lines().count()));
    lines
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines, more than {FILE_LINES_MAX}", file.path))
        .collect()
}

/// A line has at most 100 columns. What a string says is not counted, nor is an address in a
/// comment: neither can be broken without harm.
#[must_use]
pub fn columns(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for file in tree.ending(".rs") {
        let layers = Layers::of(&file.text);
        let code_and_comments = layers.code.lines().zip(layers.comments.lines());
        for (line, (code, comment)) in (1..).zip(code_and_comments) {
            let columns = code.chars().filter(|character| *character != SAID).count();
            if columns > LINE_COLUMNS_MAX && !comment.contains("://") {
                violations.push(at(&file.path, line, format!("{columns} columns")));
            }
        }
    }
    for file in tree.ending(".proto") {
        for (line, text) in file.lines() {
            let columns = text.chars().count();
            if columns > LINE_COLUMNS_MAX {
                violations.push(at(&file.path, line, format!("{columns} columns")));
            }
        }
    }
    violations
}

/// A module says in at most eight lines what it is and what it is not.
#[must_use]
pub fn module_heads(tree: &Tree) -> Violations {
    let heads = tree
        .ending(".rs")
        .map(|file| (file, file.text.lines().take_while(|line| line.starts_with("//!")).count()));
    heads
        .filter(|(_, lines)| *lines > MODULE_HEAD_LINES_MAX)
        .map(|(file, lines)| {
            format!("{}: its head has {lines} lines, more than {MODULE_HEAD_LINES_MAX}", file.path)
        })
        .collect()
}

/// Files and folders are named after the field.
#[must_use]
pub fn names(tree: &Tree) -> Violations {
    let mut violations = BTreeSet::new();
    for file in tree.files() {
        let mut path = String::new();
        for part in file.path.split('/') {
            path = if path.is_empty() { part.to_owned() } else { format!("{path}/{part}") };
            let stem = part.split('.').next().unwrap_or_default();
            if EMPTY_NAMES.contains(&stem) || EMPTY_FILES.contains(&part) {
                violations.insert(format!("{path}: a name that says nothing"));
            }
        }
    }
    violations.into_iter().collect()
}

/// The top level holds what the layout in ARCHITECTURE.md names, and nothing else.
#[must_use]
pub fn top_level(tree: &Tree) -> Violations {
    let found: BTreeSet<&str> =
        tree.files().filter_map(|file| file.path.split('/').next()).collect();
    let is_allowed = |name: &&str| {
        TOP_LEVEL.contains(name) || name.starts_with("LICENSE") || name.starts_with(".git")
    };
    found
        .into_iter()
        .filter(|name| !is_allowed(name))
        .map(|name| format!("{name}: not a name of the top level"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_long_is_found() {
        let long = "\n".repeat(601);
        let just = "\n".repeat(600);
        let tree = Tree::of(&[("a.rs", &long), ("b.rs", &just), ("c.md", &long)]);
        assert_eq!(sizes(&tree), ["a.rs: 601 lines, more than 600"]);
    }

    #[test]
    fn a_line_that_is_too_wide_is_found() {
        let wide = "ạ".repeat(101);
        let comment = format!("fn a() {{}}\n// {wide}\n");
        let said = format!("let a = \"{wide}\";\n// https://{wide}\nlet b = r#\"\n{wide}\n\"#;\n");
        let tree = Tree::of(&[("a.rs", &comment), ("b.rs", &said), ("c.proto", &wide)]);
        assert_eq!(columns(&tree), ["a.rs:2: 104 columns", "c.proto:1: 101 columns"]);
    }

    #[test]
    fn a_module_that_talks_too_much_before_it_begins_is_found() {
        let tree = Tree::of(&[("a.rs", &"//! a\n".repeat(9)), ("b.rs", &"//! b\n".repeat(8))]);
        assert_eq!(module_heads(&tree), ["a.rs: its head has 9 lines, more than 8"]);
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        let tree = Tree::of(&[
            ("shared/common/src/lib.rs", ""),
            ("shared/common/src/other.rs", ""),
            ("services/intake/src/mod.rs", ""),
            ("services/intake/src/types.rs", ""),
            ("services/intake/src/alert_types.rs", ""),
        ]);
        assert_eq!(
            names(&tree),
            [
                "services/intake/src/mod.rs: a name that says nothing",
                "services/intake/src/types.rs: a name that says nothing",
                "shared/common: a name that says nothing",
            ]
        );
    }

    #[test]
    fn a_stray_name_at_the_top_is_found() {
        let tree = Tree::of(&[
            ("notes.txt", ""),
            ("scripts/a.sh", ""),
            ("LICENSE-MIT", ""),
            ("shared/a", ""),
        ]);
        assert_eq!(
            top_level(&tree),
            ["notes.txt: not a name of the top level", "scripts: not a name of the top level"]
        );
    }
}
