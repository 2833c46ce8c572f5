//! Which crate may depend on which, read from the manifests. Licences and banned crates are
//! cargo-deny's, cycles are cargo's.

use toml::{Table, Value};

use crate::Violations;
use crate::layers::{Layers, has_word};
use crate::tree::Tree;

/// The order of the crates: one depends only on crates above its own line.
/// A new crate gets its place here, and an entry under Decisions in ARCHITECTURE.md.
const ORDER: [&[&str]; 12] = [
    &["domain", "merkle", "journal", "stand-ins"],
    &["wire", "tlog", "keyring"],
    &["event-log"],
    &["registry", "history", "rendering", "photos"],
    &["event-log-embedded", "event-log-nats", "local-state"],
    &["chassis"],
    &["console"],
    // Somebody else's process, in which the audit's tests find an honest witness.
    &["witness"],
    &["intake", "alerting", "fan-out", "audit"],
    &["keng"],
    &["support"],
    &["acceptance", "simulation", "system", "browser", "golden", "bench", "tidy", "xtask"],
];

/// Crates that know neither time, nor chance, nor the outside, nor how anything is written.
const PURE: [&str; 2] = ["domain", "merkle"];

/// Beginnings of the names of crates that are no business of a pure one.
const IMPURE: [&str; 29] = [
    "anyhow",
    "async",
    "axum",
    "chrono",
    "clap",
    "fastrand",
    "futures",
    "getrandom",
    "http",
    "hyper",
    "jiff",
    "metrics",
    "postcard",
    "prost",
    "rand",
    "reqwest",
    "rkyv",
    "rustix",
    "serde",
    "sled",
    "smol",
    "tempfile",
    "time",
    "tokio",
    "toml",
    "tonic",
    "tower",
    "tracing",
    "ureq",
];

/// Crates that one crate alone names: (dependency, its name in code, who may).
const HIDDEN: [(&str, &str, &[&str]); 2] = [
    // The bench measures its floors with the bare client; the system tests look at the broker
    // from outside, where the adapter under test must not be the witness.
    ("async-nats", "async_nats", &["event-log-nats", "bench", "system"]),
    ("sled", "sled", &["local-state"]),
];

struct Manifest {
    path: String,
    table: Table,
}

struct Dependency {
    name: String,
    /// In `[dev-dependencies]`: for tests only.
    dev: bool,
    from_workspace: bool,
    by_path: bool,
}

impl Manifest {
    /// The name of the package, which is also the name of its folder.
    fn name(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    fn folder(&self) -> &str {
        self.path.trim_end_matches("Cargo.toml")
    }

    fn dependencies(&self) -> Vec<Dependency> {
        let mut found = Vec::new();
        let mut tables = vec![&self.table];
        if let Some(Value::Table(targets)) = self.table.get("target") {
            tables.extend(targets.values().filter_map(Value::as_table));
        }
        for table in tables {
            for (kind, dev) in
                [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
            {
                let Some(Value::Table(entries)) = table.get(kind) else { continue };
                found.extend(entries.iter().map(|(key, entry)| dependency(key, entry, dev)));
            }
        }
        found
    }
}

fn dependency(key: &str, entry: &Value, dev: bool) -> Dependency {
    Dependency {
        name: entry.get("package").and_then(Value::as_str).unwrap_or(key).to_owned(),
        dev,
        from_workspace: entry.get("workspace").and_then(Value::as_bool) == Some(true),
        by_path: entry.get("path").is_some(),
    }
}

/// The manifests of the crates: `shared/*`, `services/*`, `tests/*`.
fn manifests(tree: &Tree, violations: &mut Violations) -> Vec<Manifest> {
    let mut found = Vec::new();
    for file in tree.ending("/Cargo.toml") {
        match file.text.parse::<Table>() {
            Ok(table) => found.push(Manifest { path: file.path.clone(), table }),
            Err(error) => violations.push(format!("{}: cannot be read: {error}", file.path)),
        }
    }
    if found.is_empty() {
        violations.push("no crate was found".to_owned());
    }
    found
}

fn place_of(name: &str) -> Option<usize> {
    ORDER.iter().position(|line| line.contains(&name))
}

/// Dependencies point one way: see [`ORDER`]. Services do not know each other.
#[must_use]
pub fn direction(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for manifest in manifests(tree, &mut violations) {
        let name = manifest.name().to_owned();
        let Some(place) = place_of(&name) else {
            violations.push(format!("{}: `{name}` has no place in tidy's ORDER", manifest.path));
            continue;
        };
        for dependency in manifest.dependencies() {
            // A crate may switch on its own features for its tests.
            let is_itself = dependency.dev && dependency.name == name;
            let is_above = place_of(&dependency.name).is_none_or(|other| other < place);
            if !is_itself && !is_above {
                violations.push(format!(
                    "{}: `{name}` must not depend on `{}`",
                    manifest.path, dependency.name
                ));
            }
        }
    }
    violations
}

/// The pure crates depend on nothing that waits, draws lots, looks outside or serialises.
#[must_use]
pub fn purity(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for manifest in manifests(tree, &mut violations) {
        if !PURE.contains(&manifest.name()) {
            continue;
        }
        for dependency in manifest.dependencies() {
            let is_impure = IMPURE.iter().any(|beginning| dependency.name.starts_with(beginning));
            if is_impure && !dependency.dev {
                violations.push(format!(
                    "{}: `{}` is pure and must not depend on `{}`",
                    manifest.path,
                    manifest.name(),
                    dependency.name
                ));
            }
        }
    }
    violations
}

/// Only the adapter of a technology names it, in its manifest and in its code.
#[must_use]
pub fn adapters(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for manifest in manifests(tree, &mut violations) {
        for (dependency, in_code, owners) in HIDDEN {
            if owners.contains(&manifest.name()) {
                continue;
            }
            if manifest.dependencies().iter().any(|found| found.name == dependency) {
                violations.push(format!(
                    "{}: only {} may name {dependency}",
                    manifest.path,
                    owners.join(", ")
                ));
            }
            for file in tree.ending(".rs").filter(|file| file.path.starts_with(manifest.folder())) {
                let code = Layers::of(&file.text).code;
                if has_word(&code, &format!("{in_code}::")) {
                    violations.push(format!(
                        "{}: only {} may name {in_code}",
                        file.path,
                        owners.join(", ")
                    ));
                }
            }
        }
    }
    violations
}

/// Versions and lints are decided at the root alone, and a package is named as its folder.
#[must_use]
pub fn policy(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for manifest in manifests(tree, &mut violations) {
        let path = &manifest.path;
        let inherits = |value: Option<&Value>| {
            value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
        };
        if !inherits(manifest.table.get("lints")) {
            violations.push(format!("{path}: `[lints] workspace = true` is missing"));
        }
        let package = manifest.table.get("package");
        if package.and_then(|package| package.get("name")).and_then(Value::as_str)
            != Some(manifest.name())
        {
            violations.push(format!("{path}: the package is not named as its folder"));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !inherits(package.and_then(|package| package.get(key))) {
                violations.push(format!("{path}: `{key}.workspace = true` is missing"));
            }
        }
        for dependency in manifest.dependencies() {
            let is_itself = dependency.by_path && dependency.name == manifest.name();
            if !dependency.from_workspace && !is_itself {
                violations.push(format!("{path}: `{}` is not the workspace's", dependency.name));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_that_points_back_is_found() {
        let tree = Tree::of(&[
            ("services/intake/Cargo.toml", "[dependencies]\nalerting.workspace = true\n"),
            ("shared/journal/Cargo.toml", "[dev-dependencies]\nwire.workspace = true\n"),
            ("shared/wire/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nkeng.path = '..'\n"),
            ("shared/misc/Cargo.toml", "[dependencies]\n"),
            ("services/keng/Cargo.toml", "[dependencies]\nintake.workspace = true\n"),
            ("shared/event-log/Cargo.toml", "[dev-dependencies]\nevent-log.path = '.'\n"),
        ]);
        assert_eq!(
            direction(&tree),
            [
                "services/intake/Cargo.toml: `intake` must not depend on `alerting`",
                "shared/journal/Cargo.toml: `journal` must not depend on `wire`",
                "shared/misc/Cargo.toml: `misc` has no place in tidy's ORDER",
                "shared/wire/Cargo.toml: `wire` must not depend on `keng`",
            ]
        );
    }

    #[test]
    fn a_pure_crate_that_looks_outside_is_found() {
        let domain = "[dependencies]\nsha2.workspace = true\nserde_json.workspace = true\n\
                      chance = { package = \"rand\", version = \"1\" }\n\
                      [dev-dependencies]\ntokio.workspace = true\n";
        let tree = Tree::of(&[
            ("shared/domain/Cargo.toml", domain),
            ("shared/wire/Cargo.toml", "[dependencies]\nprost.workspace = true\n"),
        ]);
        assert_eq!(
            purity(&tree),
            [
                "shared/domain/Cargo.toml: `domain` is pure and must not depend on `rand`",
                "shared/domain/Cargo.toml: `domain` is pure and must not depend on `serde_json`",
            ]
        );
    }

    #[test]
    fn a_technology_named_outside_its_adapter_is_found() {
        let tree = Tree::of(&[
            ("shared/chassis/Cargo.toml", "[dependencies]\nsled.workspace = true\n"),
            ("services/audit/Cargo.toml", ""),
            ("services/audit/src/lib.rs", "use async_nats::Client; // not async_nats::Message\n"),
            ("shared/local-state/Cargo.toml", "[dependencies]\nsled.workspace = true\n"),
            ("shared/local-state/src/lib.rs", "use sled::Tree;\n"),
        ]);
        assert_eq!(
            adapters(&tree),
            [
                "services/audit/src/lib.rs: only event-log-nats, bench, system may name async_nats",
                "shared/chassis/Cargo.toml: only local-state may name sled",
            ]
        );
    }

    #[test]
    fn a_crate_with_a_policy_of_its_own_is_found() {
        let manifest = "[package]\nname = \"watcher\"\nversion = \"1.0.0\"\n\
                        edition.workspace = true\nrust-version.workspace = true\n\
                        license.workspace = true\npublish.workspace = true\n\
                        [dependencies]\nserde = \"1\"\n";
        let tree = Tree::of(&[("services/audit/Cargo.toml", manifest)]);
        assert_eq!(
            policy(&tree),
            [
                "services/audit/Cargo.toml: `[lints] workspace = true` is missing",
                "services/audit/Cargo.toml: the package is not named as its folder",
                "services/audit/Cargo.toml: `version.workspace = true` is missing",
                "services/audit/Cargo.toml: `serde` is not the workspace's",
            ]
        );
    }

    #[test]
    fn a_tree_without_crates_does_not_pass() {
        assert_eq!(direction(&Tree::of(&[])), ["no crate was found"]);
    }
}
