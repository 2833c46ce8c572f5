//! Rules over the words (`proto/`) that buf has no rule for.

use crate::tree::{File, Tree};
use crate::{Violations, at};

const EVENT: &str = "Event";
const BEGINNING: &str = "// Recorded when";

/// Every event begins "Recorded when": a reader of the log learns which fact it is.
#[must_use]
pub fn events(tree: &Tree) -> Violations {
    let events: Vec<String> = tree.ending(".proto").flat_map(event_types).collect();
    if events.is_empty() {
        return vec![format!("no message `{EVENT}` with a oneof was found")];
    }
    let mut violations = Vec::new();
    for event in events {
        let comments: Vec<_> =
            tree.ending(".proto").filter_map(|file| comment_of(file, &event)).collect();
        match comments.as_slice() {
            [] => violations.push(format!("the event `{event}` is no message of the words")),
            [comment] if comment.text.starts_with(BEGINNING) => {}
            comments => violations.extend(comments.iter().map(|comment| {
                let what = format!("the comment of `{event}` does not begin \"Recorded when\"");
                at(comment.path, comment.line, what)
            })),
        }
    }
    violations
}

/// No maps: what is hashed and signed must have one encoding.
#[must_use]
pub fn maps(tree: &Tree) -> Violations {
    let mut violations = Vec::new();
    for file in tree.ending(".proto") {
        for (line, text) in file.lines() {
            let code = text.split("//").next().unwrap_or_default();
            if code.trim_start().trim_start_matches("repeated ").starts_with("map<")
                || code.trim_start().starts_with("map <")
            {
                violations.push(at(&file.path, line, "a map has no one encoding"));
            }
        }
    }
    violations
}

/// The types in the oneof of the message `Event`.
fn event_types(file: &File) -> Vec<String> {
    let head = format!("message {EVENT} {{");
    file.text
        .lines()
        .skip_while(|line| line.trim() != head)
        .skip_while(|line| !line.trim_start().starts_with("oneof "))
        .skip(1)
        .take_while(|line| line.trim() != "}")
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter_map(|line| line.split_whitespace().next())
        .filter_map(|name| name.rsplit('.').next().map(str::to_owned))
        .collect()
}

struct Comment<'a> {
    path: &'a str,
    /// Of the message.
    line: usize,
    /// The first line of the comment; empty where there is none.
    text: &'a str,
}

fn comment_of<'a>(file: &'a File, message: &str) -> Option<Comment<'a>> {
    let mut text = None;
    for (line, found) in file.lines() {
        let found = found.trim();
        if found.starts_with("//") {
            text = text.or(Some(found));
            continue;
        }
        let name =
            found.strip_prefix("message ").map(|rest| rest.trim_end_matches(['{', '}', ' ']));
        if name == Some(message) {
            return Some(Comment { path: &file.path, line, text: text.unwrap_or_default() });
        }
        text = None;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "message Event {\n  oneof event {\n    // First.\n    AlertIssued a = 1;\n    \
                          keng.v1.AlertCancelled b = 2;\n    TipTaken c = 3;\n  }\n}\n";

    #[test]
    fn an_event_that_does_not_say_when_it_is_recorded_is_found() {
        let alert = "// Recorded when an alert is in force.\n// More.\nmessage AlertIssued {\n}\n\n\
                     // Says that it was called back.\nmessage AlertCancelled {}\n";
        let tree = Tree::of(&[("proto/commit.proto", COMMIT), ("proto/alert.proto", alert)]);
        assert_eq!(
            events(&tree),
            [
                "proto/alert.proto:7: the comment of `AlertCancelled` does not begin \
                 \"Recorded when\"",
                "the event `TipTaken` is no message of the words",
            ]
        );
    }

    #[test]
    fn words_without_events_do_not_pass() {
        assert_eq!(events(&Tree::of(&[])), ["no message `Event` with a oneof was found"]);
    }

    #[test]
    fn a_map_is_found() {
        let words = "// map<string, string> was here\n  map<string, string> labels = 1;\n";
        let tree = Tree::of(&[("proto/alert.proto", words)]);
        assert_eq!(maps(&tree), ["proto/alert.proto:2: a map has no one encoding"]);
    }
}
