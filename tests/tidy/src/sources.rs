//! What the Rust sources must not say: clocks in the domain, syncs outside the journal,
//! unfinished work, sleeping tests.

use crate::layers::{Layers, has_word};
use crate::tree::{File, Tree};
use crate::{Violations, at};

const PURE: [&str; 2] = ["shared/domain/src/", "shared/merkle/src/"];

const IMPURE: [&str; 16] = [
    "async",
    ".await",
    "SystemTime",
    "Instant",
    "now_v7",
    "now_v4",
    "new_v4",
    "rand",
    "getrandom",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "thread_local!",
];

const SYNCS: [&str; 5] = ["sync_data", "sync_all", "fdatasync", "fsync", "syncfs"];

/// Who else may sync a file, and why that file is no log.
const SYNCS_ITS_OWN: [(&str, &str); 4] = [
    ("shared/journal/", "the only crate that syncs a log"),
    ("shared/local-state/", "sled's flush is durable only with a sync of its file"),
    ("shared/keyring/", "a key file, made once: what is encrypted under it must not outlive it"),
    ("shared/chassis/", "small files of the data directory and beside it: ids, what was erased"),
];

/// `domain` and `merkle` have no async, no clock, no chance, no input and output.
#[must_use]
pub fn purity(tree: &Tree) -> Violations {
    let pure = |file: &&File| PURE.iter().any(|folder| file.path.starts_with(folder));
    tree.ending(".rs").filter(pure).flat_map(|file| words_in_code(file, &IMPURE)).collect()
}

/// Only the journal syncs a log: a second place that decides what is durable is a second truth.
#[must_use]
pub fn syncs(tree: &Tree) -> Violations {
    let is_bound = |file: &&File| {
        let is_program = file.path.starts_with("shared/") || file.path.starts_with("services/");
        let is_exempt = SYNCS_ITS_OWN.iter().any(|(folder, _why)| file.path.starts_with(folder));
        is_program && !file.is_test() && !is_exempt
    };
    tree.ending(".rs").filter(is_bound).flat_map(|file| words_in_code(file, &SYNCS)).collect()
}

/// Nothing is left for later in the sources: no unfinished code, no note about it, no test that
/// does not run.
#[must_use]
pub fn unfinished(tree: &Tree) -> Violations {
    let in_code = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
    let in_comments = ["TODO", "FIXME", "XXX"];
    let mut violations = Vec::new();
    for file in tree.ending(".rs") {
        violations.extend(words_in_code(file, &in_code));
        for (line, text) in (1..).zip(Layers::of(&file.text).comments.lines()) {
            for word in in_comments.iter().filter(|word| has_word(text, word)) {
                violations.push(at(&file.path, line, format!("`{word}`")));
            }
        }
    }
    violations
}

/// A test waits for what it needs, never for time; where time is paused, it is an argument.
/// Benchmarks are no tests, and all time in the simulation is virtual.
#[must_use]
pub fn sleeps(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for file in tree.ending(".rs") {
        let is_elsewhere = ["tests/bench/", "tests/simulation/"]
            .iter()
            .any(|folder| file.path.starts_with(folder));
        if is_elsewhere || file.text.contains("start_paused = true") {
            continue;
        }
        let code = Layers::of(&file.text).code;
        let mut in_test = file.is_test();
        let mut after_cfg_test = false;
        for (line, text) in (1..).zip(code.lines()) {
            in_test |= after_cfg_test && text.trim_start().starts_with("mod ");
            after_cfg_test = text.trim_start().starts_with("#[cfg(test)]");
            if in_test && is_sleep(text) {
                violations.push(at(&file.path, line, "a test sleeps"));
            }
        }
    }
    violations
}

/// By its path, by its import, or called bare. A clock's own `sleep_until` is virtual time's.
fn is_sleep(code: &str) -> bool {
    let by_path = ["thread::sleep", "time::sleep", "time::sleep_until"];
    let is_bare = code.match_indices("sleep(").any(|(at, _)| {
        let before = code.get(..at).unwrap_or_default();
        !before.ends_with(|last: char| last.is_alphanumeric() || "_.:".contains(last))
            && !before.ends_with("fn ")
    });
    let is_imported =
        (code.contains("time::{") || code.contains("thread::{")) && has_word(code, "sleep");
    by_path.iter().any(|path| has_word(code, path)) || is_bare || is_imported
}

fn words_in_code(file: &File, words: &[&str]) -> Violations {
    let code = Layers::of(&file.text).code;
    let mut violations = Vec::new();
    for (line, text) in (1..).zip(code.lines()) {
        for word in words.iter().filter(|word| has_word(text, word)) {
            violations.push(at(&file.path, line, format!("`{word}`")));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_the_domain_is_found() {
        let source = "//! No async here.\nuse std::time::{Duration, Instant};\n\
                      async fn operand() { later().await }\nuse std::fs;\n";
        let tree = Tree::of(&[
            ("shared/domain/src/alert.rs", source),
            ("shared/chassis/src/clock.rs", source),
        ]);
        assert_eq!(
            purity(&tree),
            [
                "shared/domain/src/alert.rs:2: `Instant`",
                "shared/domain/src/alert.rs:3: `async`",
                "shared/domain/src/alert.rs:3: `.await`",
                "shared/domain/src/alert.rs:4: `std::fs`",
            ]
        );
    }

    #[test]
    fn a_second_place_that_syncs_is_found() {
        let tree = Tree::of(&[
            ("services/audit/src/store.rs", "// sync_all\nfile.sync_data()?;\n"),
            ("shared/journal/src/commit.rs", "file.sync_data()?;\n"),
            ("shared/journal/tests/crash.rs", "file.sync_all()?;\n"),
        ]);
        assert_eq!(syncs(&tree), ["services/audit/src/store.rs:2: `sync_data`"]);
    }

    #[test]
    fn unfinished_work_is_found() {
        let source = "#[ignore = \"later\"]\nfn a() { todo!() }\n// TODO: b\n\
                      let words = \"TODO todo!\";\ndbg!(unimplemented!());\n";
        let tree = Tree::of(&[("shared/wire/src/lib.rs", source)]);
        assert_eq!(
            unfinished(&tree),
            [
                "shared/wire/src/lib.rs:1: `#[ignore`",
                "shared/wire/src/lib.rs:2: `todo!`",
                "shared/wire/src/lib.rs:5: `unimplemented!`",
                "shared/wire/src/lib.rs:5: `dbg!`",
                "shared/wire/src/lib.rs:3: `TODO`",
            ]
        );
    }

    #[test]
    fn a_sleeping_test_is_found() {
        let sleeping = "std::thread::sleep(wait);\ntokio::time::sleep(wait).await;\n\
                        use tokio::time::{sleep, timeout};\nsleep(wait).await;\n\
                        clock.sleep_until(then).await;\n";
        let program = "tokio::time::sleep(pause).await;\n#[cfg(test)]\nmod tests {\n\
                       fn a() { std::thread::sleep(wait) }\n}\n";
        let tree = Tree::of(&[
            ("shared/chassis/src/drain.rs", program),
            ("tests/system/tests/kill.rs", sleeping),
        ]);
        assert_eq!(
            sleeps(&tree),
            [
                "shared/chassis/src/drain.rs:4: a test sleeps",
                "tests/system/tests/kill.rs:1: a test sleeps",
                "tests/system/tests/kill.rs:2: a test sleeps",
                "tests/system/tests/kill.rs:3: a test sleeps",
                "tests/system/tests/kill.rs:4: a test sleeps",
            ]
        );
    }
}
