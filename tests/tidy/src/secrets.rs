//! What must never be in the tree: secrets, and paths out of it.

use crate::tree::Tree;
use crate::{Violations, at};

/// Known secrets by how they begin, and how many characters of their alphabet follow at least.
const SHAPES: [(&str, usize, Alphabet, &str); 11] = [
    ("AKIA", 16, Alphabet::Base32, "an access key of a cloud"),
    ("AIza", 35, Alphabet::Base64Url, "an access key of a cloud"),
    ("ghp_", 36, Alphabet::Base64Url, "a token of a code host"),
    ("github_pat_", 40, Alphabet::Base64Url, "a token of a code host"),
    ("glpat-", 20, Alphabet::Base64Url, "a token of a code host"),
    ("xoxb-", 20, Alphabet::Base64Url, "a token of a chat"),
    ("sk_live_", 20, Alphabet::Base64Url, "a key of a payment service"),
    ("SU", 56, Alphabet::Base32, "the seed of a NATS user"),
    ("SA", 56, Alphabet::Base32, "the seed of a NATS account"),
    ("SO", 56, Alphabet::Base32, "the seed of a NATS operator"),
    ("eyJ", 60, Alphabet::Base64Url, "a signed token"),
];

/// A group's secret. Sources and documents may show the one of a test or an example.
const WEBHOOK: (&str, usize) = ("whsec_", 24);

#[derive(Clone, Copy)]
enum Alphabet {
    Base32,
    Base64Url,
}

impl Alphabet {
    fn has(self, character: char) -> bool {
        match self {
            Self::Base32 => character.is_ascii_uppercase() || ('2'..='7').contains(&character),
            Self::Base64Url => character.is_ascii_alphanumeric() || "-_".contains(character),
        }
    }
}

/// Nothing that looks like a secret is in the tree.
#[must_use]
pub fn secrets(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for file in tree.files() {
        let may_show_examples = [".rs", ".md"].iter().any(|end| file.path.ends_with(end));
        for (line, text) in file.lines() {
            let is_armour = text.contains("-----BEGIN ") && text.contains(" KEY-----");
            if is_armour && text.contains(concat!("PRIV", "ATE")) {
                violations.push(at(&file.path, line, "a private key"));
            }
            for (beginning, length, alphabet, what) in SHAPES {
                if has_shape(text, beginning, length, alphabet) {
                    violations.push(at(&file.path, line, format!("looks like {what}")));
                }
            }
            let (beginning, length) = WEBHOOK;
            if !may_show_examples && has_shape(text, beginning, length, Alphabet::Base64Url) {
                violations.push(at(&file.path, line, "looks like the secret of a webhook"));
            }
        }
    }
    violations
}

fn has_shape(text: &str, beginning: &str, length: usize, alphabet: Alphabet) -> bool {
    text.match_indices(beginning).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + beginning.len()..).unwrap_or_default();
        let follow = after.chars().take_while(|character| alphabet.has(*character)).count();
        !before.is_some_and(char::is_alphanumeric) && follow >= length
    })
}

/// The tree stands alone: no file names the material beside it, or a place on one machine.
/// A document may name a source on the line that says so.
#[must_use]
pub fn paths_out_of_the_tree(tree: &Tree) -> Violations {
    let outside = [concat!("../", "shared/"), concat!("/work", "/")];
    let mut violations = Vec::new();
    for file in tree.files() {
        for (line, text) in file.lines() {
            let lower = text.to_lowercase();
            let is_source_line = file.path.ends_with(".md")
                && ["source", "nguồn"].iter().any(|word| lower.contains(word));
            let named = outside.iter().find(|path| names_path(text, path));
            if let Some(path) = named.filter(|_| !is_source_line) {
                violations.push(at(&file.path, line, format!("names `{path}`")));
            }
        }
    }
    violations
}

/// One `..` leads out of the tree, two from a crate's folder to its root: `../../shared/wire`.
fn names_path(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || "/._-".contains(character))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_found() {
        let key = format!("-----BEGIN {}ATE KEY-----", "PRIV");
        let seed = format!("seed: SU{}", "A7".repeat(28));
        let hook = format!("{{\"secret\":\"whsec_{}\"}}", "b".repeat(32));
        let example = format!("let secret = \"whsec_{}\";", "b".repeat(32));
        let tree = Tree::of(&[
            ("deploy/key.pem", &key),
            ("deploy/nats.conf", &seed),
            ("deploy/groups.jsonl", &hook),
            ("services/fan-out/src/channels/webhook.rs", &example),
            ("proto/a.proto", "SUBJECT eyJ AKIA whsec_"),
        ]);
        assert_eq!(
            secrets(&tree),
            [
                "deploy/groups.jsonl:1: looks like the secret of a webhook",
                "deploy/key.pem:1: a private key",
                "deploy/nats.conf:1: looks like the seed of a NATS user",
            ]
        );
    }

    #[test]
    fn a_path_out_of_the_tree_is_found() {
        let out = format!("include_str!(\"..{}data/a.jsonl\")", "/shared/");
        let within = format!("path = \"../..{}wire\"", "/shared/");
        let document = format!("Source: `..{0}data`.\nSee `..{0}reference`.\n", "/shared/");
        let tree = Tree::of(&[
            ("deploy/README.md", &document),
            ("tests/bench/src/main.rs", &out),
            ("tests/bench/Cargo.toml", &within),
        ]);
        let named = format!("names `..{}`", "/shared/");
        assert_eq!(
            paths_out_of_the_tree(&tree),
            [format!("deploy/README.md:2: {named}"), format!("tests/bench/src/main.rs:1: {named}")]
        );
    }
}
