//! The import of a groups file, as a plan. Pure: who records the entries is not here.

use crate::{directory::Directory, groups::GroupEntry};

/// The entries that are new, or differ from what is recorded, in the order of the file. The same
/// file again gives none; groups that are gone from the file stay.
#[must_use]
pub fn plan_groups(entries: Vec<GroupEntry>, directory: &Directory) -> Vec<GroupEntry> {
    let differs = |entry: &GroupEntry| {
        directory
            .group(&entry.id)
            .is_none_or(|group| group.content_sha256 != entry.content_sha256())
    };
    entries.into_iter().filter(differs).collect()
}
