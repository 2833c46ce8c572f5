//! The files of the tree, as text: all but what `.gitignore` names. New files count before they
//! are added to git, and a copy of the tree without git is judged the same.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// One file.
pub struct File {
    /// From the root of the tree, with `/` between.
    pub path: String,
    /// The content; where it is no UTF-8, with replacement characters.
    pub text: String,
}

impl File {
    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// Whether this file is a part of the evidence and not of the program: anything under
    /// `tests/`, a crate's own `tests/`, and the contract suite.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let mut folders = self.path.split('/');
        match (folders.next(), folders.next(), folders.next()) {
            (Some("tests"), ..) => true,
            (Some("shared" | "services"), _, Some("tests")) => true,
            _ => self.path.ends_with("/contract.rs") || self.path.contains("/src/contract/"),
        }
    }
}

/// All files, in the order of their paths.
pub struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// The tree that this crate stands in.
    ///
    /// # Errors
    /// Where a file or folder of it cannot be read.
    pub fn of_workspace() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let ignored = fs::read_to_string(root.join(".gitignore"))?;
        let mut skip: BTreeSet<String> = ignored
            .lines()
            .map(|line| line.trim().trim_matches('/').to_owned())
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        skip.insert(".git".to_owned());
        let mut files = Vec::new();
        read_folder(&root, "", &skip, &mut files)?;
        Ok(Self { files })
    }

    /// A tree of these files: pairs of path and content.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut files: Vec<File> = files
            .iter()
            .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
            .collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Self { files }
    }

    /// Every file.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// The files whose name ends so: `.rs`.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }

    /// One file.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is such a file, or a folder with a file in it.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}

/// Links are not followed: what they name is judged where it stands.
fn read_folder(
    root: &Path,
    folder: &str,
    skip: &BTreeSet<String>,
    files: &mut Vec<File>,
) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(root.join(folder))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if skip.contains(&path) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_folder(root, &path, skip, files)?;
        } else if kind.is_file() {
            let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
            files.push(File { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_knows_its_files_and_folders() {
        let tree = Tree::of(&[("shared/domain/src/lib.rs", ""), ("README.md", "")]);
        assert!(tree.exists("shared/domain"));
        assert!(tree.exists("README.md"));
        assert!(!tree.exists("shared/dom"));
        assert_eq!(tree.ending(".rs").count(), 1);
    }

    #[test]
    fn this_very_file_is_read_and_what_git_ignores_is_not() {
        let tree = Tree::of_workspace().unwrap();
        assert!(tree.exists("tests/tidy/src/tree.rs"));
        assert!(!tree.exists("target"));
        assert!(!tree.exists(".git"));
    }

    #[test]
    fn the_evidence_is_told_from_the_program() {
        for (path, is_test) in [
            ("tests/system/src/lib.rs", true),
            ("shared/journal/tests/crash.rs", true),
            ("shared/event-log/src/contract.rs", true),
            ("services/keng/src/main.rs", false),
        ] {
            let file = File { path: path.to_owned(), text: String::new() };
            assert_eq!(file.is_test(), is_test, "{path}");
        }
    }
}
