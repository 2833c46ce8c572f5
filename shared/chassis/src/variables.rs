//! The variables of the environment that begin with `KENG_`: a slip in a name must not leave a
//! setting out in silence.
//!
//! No values: they may be secrets. What is known is asked of the command line itself.

use std::{collections::BTreeSet, ffi::OsString, fmt};

use clap::Command;

use crate::telemetry::{LOG, LOG_FORMAT};

const PREFIX: &str = "KENG_";
/// Of the tree beside the program: its tests name the program and the broker by these, and
/// `deploy/` hands the broker its store, its key, its routes and the passwords of its clients.
const BESIDE: [&str; 5] =
    ["KENG_BIN", "KENG_NATS_SERVER", "KENG_NATS_STORE", "KENG_NATS_ROUTES", "KENG_NATS_KEY"];
const BESIDE_PREFIX: &str = "KENG_NATS_PASSWORD_";

/// A variable that nothing reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The known name that is most like it.
    pub nearest: String,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, nearest } = self;
        write!(
            f,
            "không có biến {name}; gần nhất là {nearest} / \
             there is no variable {name}; the nearest is {nearest}"
        )
    }
}

/// Those of `names` that begin with `KENG_` and that neither an option of `command`, or of one
/// below it, nor the trace reads. Sorted.
pub fn unknown(command: &Command, names: impl Iterator<Item = OsString>) -> Vec<UnknownVariable> {
    let known = known(command);
    let named: BTreeSet<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with(PREFIX) && !known.contains(name) && !is_beside(name))
        .collect();
    let nearest = |name: &str| known.iter().min_by_key(|known| changes(name, known)).cloned();
    let unknown =
        |name: String| UnknownVariable { nearest: nearest(&name).unwrap_or_default(), name };
    named.into_iter().map(unknown).collect()
}

fn is_beside(name: &str) -> bool {
    BESIDE.contains(&name) || name.starts_with(BESIDE_PREFIX)
}

fn known(command: &Command) -> BTreeSet<String> {
    let mut known = BTreeSet::from([LOG.to_owned(), LOG_FORMAT.to_owned()]);
    let mut left = vec![command];
    while let Some(command) = left.pop() {
        let variables = command.get_arguments().filter_map(clap::Arg::get_env);
        known.extend(variables.map(|name| name.to_string_lossy().into_owned()));
        left.extend(command.get_subcommands());
    }
    known
}

/// How many letters must be put in, left out or changed to make one of the other (Levenshtein).
fn changes(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (1..=to.len()).collect();
    for (above, letter) in from.bytes().enumerate() {
        let (mut diagonal, mut left) = (above, above + 1);
        for (cell, other) in row.iter_mut().zip(to.bytes()) {
            let changed = diagonal + usize::from(letter != other);
            diagonal = *cell;
            *cell = changed.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
    }
    row.last().copied().unwrap_or(from.len())
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::*;
    use crate::ServerOptions;

    fn said(names: &[&str]) -> Vec<(String, String)> {
        let server = ServerOptions::augment_args(Command::new("up"));
        let command = Command::new("keng").subcommand(server);
        let names = names.iter().map(OsString::from);
        unknown(&command, names).into_iter().map(|one| (one.name, one.nearest)).collect()
    }

    #[test]
    fn a_slip_is_named_with_what_was_meant() {
        for (slip, meant) in [
            ("KENG_HTP", "KENG_HTTP"),
            ("KENG_DISK_RESERVES", "KENG_DISK_RESERVE"),
            ("KENG_NATS_URL", "KENG_NATS"),
            ("KENG_LOGS", "KENG_LOG"),
            ("KENG_", "KENG_LOG"),
        ] {
            let found = said(&[slip]);
            assert_eq!(found.len(), 1, "{slip}");
            assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (slip, meant));
        }
        let both = said(&["KENG_Z", "KENG_A"]);
        assert_eq!((both[0].0.as_str(), both[1].0.as_str()), ("KENG_A", "KENG_Z"));
    }

    #[test]
    fn what_is_read_or_is_nobodys_slip_is_not_named() {
        let known = ["KENG_DATA", "KENG_NATS", "KENG_PUBLIC_URL", "KENG_LOG", "KENG_LOG_FORMAT"];
        assert_eq!(said(&known), []);
        assert_eq!(said(&["PATH", "keng_data", "KENGO", "MY_KENG_DATA"]), []);
        assert_eq!(said(&["KENG_BIN", "KENG_NATS_SERVER", "KENG_NATS_PASSWORD_INTAKE"]), []);
    }

    #[test]
    fn changes_are_counted() {
        for (from, to, count) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("htp", "http", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(changes(from, to), count, "{from} {to}");
            assert_eq!(changes(to, from), count, "{to} {from}");
        }
    }
}
