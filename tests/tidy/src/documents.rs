//! What the documents must keep true: the paths they name, their size, one sentence a line, and
//! the one command that CI runs.

use crate::tree::{File, Tree};
use crate::{Violations, at};

const REQUIRED: [&str; 2] = ["README.md", "ARCHITECTURE.md"];
const ARCHITECTURE_LINES_MAX: usize = 300;
const CI: &str = ".ci/run";

/// A token that begins with one of these and has a `/` after it is a path of the tree.
const FOLDERS: [&str; 6] = ["proto", "services", "shared", "deploy", "tests", ".ci"];

/// Words that end with a dot and end no sentence.
const ABBREVIATIONS: [&str; 17] = [
    "approx", "art", "Art", "ca", "cf", "e.g", "i.e", "Mr", "Mrs", "No", "no", "Nr", "sect",
    "Sect", "St", "TP", "vs",
];

/// The README and the architecture stand, and the latter is short enough to be read.
#[must_use]
pub fn present_and_short(tree: &Tree) -> Violations {
    let missing = REQUIRED.iter().filter(|path| tree.file(path).is_none());
    let mut violations: Violations = missing.map(|path| format!("{path}: is missing")).collect();
    if let Some(file) = tree.file("ARCHITECTURE.md") {
        let lines = file.text.lines().count();
        if lines > ARCHITECTURE_LINES_MAX {
            violations
                .push(format!("{}: {lines} lines, more than {ARCHITECTURE_LINES_MAX}", file.path));
        }
    }
    violations
}

/// Every path of the tree that README, ARCHITECTURE or the documents in `deploy/` name is there.
#[must_use]
pub fn paths(tree: &Tree) -> Violations {
    let is_bound =
        |file: &&File| REQUIRED.contains(&file.path.as_str()) || file.path.starts_with("deploy/");
    let mut violations = Vec::new();
    for file in tree.ending(".md").filter(is_bound) {
        let mut in_fence = false;
        for (line, text) in file.lines() {
            if text.trim_start().starts_with("```") {
                in_fence = !in_fence;
                continue;
            }
            let code = if in_fence { vec![text] } else { code_spans(text) };
            let named = code.into_iter().flat_map(str::split_whitespace).filter_map(path_of_tree);
            let linked = link_targets(text).into_iter().filter(|_| !in_fence);
            let gone = named
                .filter(|path| !tree.exists(path))
                .map(str::to_owned)
                .chain(linked.filter(|target| !link_holds(tree, file, target)).map(str::to_owned));
            violations.extend(gone.map(|path| at(&file.path, line, format!("no `{path}`"))));
        }
    }
    violations
}

/// One sentence a line, so that a change of one sentence is a change of one line.
#[must_use]
pub fn sentences(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for file in tree.ending(".md") {
        let mut in_fence = false;
        for (line, text) in file.lines() {
            let start = text.trim_start();
            if start.starts_with("```") {
                in_fence = !in_fence;
                continue;
            }
            let is_prose = !in_fence && !start.starts_with(['|', '#']);
            if is_prose && has_second_sentence(text) {
                violations.push(at(&file.path, line, "more than one sentence"));
            }
        }
    }
    violations
}

/// CI runs the test command that the README names, and nothing else.
#[must_use]
pub fn test_command(tree: &Tree) -> Violations {
    let Some(ci) = tree.file(CI) else { return vec![format!("{CI}: is missing")] };
    let last = ci.text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let command = last.strip_prefix("exec ").unwrap_or(last);
    if command != "cargo xtask test" {
        return vec![format!("{CI}: ends with `{command}`, not with `cargo xtask test`")];
    }
    let names_it = tree.file("README.md").is_some_and(|readme| {
        readme.text.lines().any(|line| {
            line.trim().trim_start_matches("$ ") == command || code_spans(line).contains(&command)
        })
    });
    if names_it { Vec::new() } else { vec![format!("README.md: does not name `{command}`")] }
}

/// What stands between backticks on a line.
fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What the links of a line lead to: `[text](target)`.
fn link_targets(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()).collect()
}

/// The path that a word is, if it looks like one of the tree. A pattern is none.
fn path_of_tree(word: &str) -> Option<&str> {
    let word = word.trim_matches(|character| "\"'(),;:=".contains(character));
    let word = word.strip_prefix("./").unwrap_or(word).trim_end_matches(['.', '/']);
    // A line of a file: `path:12`; an item of it: `path::name`.
    let word = word.split(':').next()?;
    let (first, _) = word.split_once('/')?;
    let is_pattern = word.contains(['*', '{', '}', '<', '>', '…', '$', '[', '?']);
    (FOLDERS.contains(&first) && !is_pattern).then_some(word)
}

/// Links lead from the document's own folder; to an address or a heading they are not judged.
fn link_holds(tree: &Tree, file: &File, target: &str) -> bool {
    let path = target.split('#').next().unwrap_or_default().trim_end_matches('/');
    if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
        return true;
    }
    let mut parts: Vec<&str> = file.path.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.pop().is_none() => return false,
            ".." => {}
            part => parts.push(part),
        }
    }
    tree.exists(&parts.join("/"))
}

/// Light: a dot, a blank and a capital, save after an abbreviation, an initial or a number.
fn has_second_sentence(text: &str) -> bool {
    let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join("x");
    ['.', '!', '?'].iter().any(|end| {
        prose.match_indices(&format!("{end} ")).any(|(at, _)| {
            let before = prose.get(..at).unwrap_or_default();
            let after = prose.get(at + 2..).unwrap_or_default();
            let begins_anew = after.chars().next().is_some_and(char::is_uppercase);
            let last_word = before.rsplit([' ', '(', '"', '*', '[']).next().unwrap_or_default();
            let is_list_number = last_word.chars().all(char::is_numeric);
            let is_initial = last_word.chars().count() == 1;
            begins_anew
                && !(*end == '.'
                    && (is_list_number || is_initial || ABBREVIATIONS.contains(&last_word)))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_document_and_a_long_one_are_found() {
        let tree = Tree::of(&[("ARCHITECTURE.md", &"a\n".repeat(301))]);
        assert_eq!(
            present_and_short(&tree),
            ["README.md: is missing", "ARCHITECTURE.md: 301 lines, more than 300"]
        );
    }

    #[test]
    fn a_path_that_is_gone_is_found() {
        let readme = "See `shared/domain/`, `shared/gone`, `shared/*/src` and `target/gone`.\n\
                      Run `keng --config deploy/keng.toml`; [how](deploy/RUNBOOK.md#stop).\n\
                      [site](https://example.org/deploy/x) [bad](deploy/none.md)\n\
                      ```\nkeng --config ./deploy/gone.toml\n```\n";
        let tree = Tree::of(&[
            ("README.md", readme),
            ("deploy/RUNBOOK.md", "[back](../README.md) and [none](README.md)\n"),
            ("deploy/keng.toml", ""),
            ("shared/domain/Cargo.toml", ""),
            ("tests/other.md", "`shared/gone`"),
        ]);
        assert_eq!(
            paths(&tree),
            [
                "README.md:1: no `shared/gone`",
                "README.md:3: no `deploy/none.md`",
                "README.md:5: no `deploy/gone.toml`",
                "deploy/RUNBOOK.md:1: no `README.md`",
            ]
        );
    }

    #[test]
    fn a_second_sentence_on_a_line_is_found() {
        for (text, is_found) in [
            ("One sentence. Another one.", true),
            ("Is it? Yes.", true),
            ("Một câu. Đây là câu khác.", true),
            ("1. A numbered point.", false),
            ("See e.g. NATS, art. 5, No. 7 of TP. Hồ Chí Minh, by A. Nguyễn.", false),
            ("Version 2.15. and `one. Two` in code.", false),
            ("It ends here.", false),
        ] {
            let tree = Tree::of(&[("README.md", text)]);
            assert_eq!(!sentences(&tree).is_empty(), is_found, "{text}");
        }
        let outside_prose = "```\nA. long. Line. In code.\n```\n| A cell. Another. |\n";
        assert!(sentences(&Tree::of(&[("README.md", outside_prose)])).is_empty());
    }

    #[test]
    fn a_ci_that_runs_something_else_is_found() {
        let readme = "Run the tests:\n\n```sh\ncargo xtask test\n```\n";
        let good = "#!/bin/sh\nexec cargo xtask test\n";
        for (readme, ci, violations) in [
            (readme, good, 0),
            ("Tests: `cargo xtask test`.", good, 0),
            ("Tests: `cargo test`.", good, 1),
            (readme, "#!/bin/sh\ncargo test\n", 1),
        ] {
            let tree = Tree::of(&[("README.md", readme), (CI, ci)]);
            assert_eq!(test_command(&tree).len(), violations, "{readme} / {ci}");
        }
        assert_eq!(test_command(&Tree::of(&[])), [".ci/run: is missing"]);
    }
}
