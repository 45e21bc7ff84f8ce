//! The text files of the repository, in memory, by their path from its root.

use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Directories that hold no source of ours. Git is not asked, because a copy without `.git`, or
/// one that another user owns, must pass as well.
const SKIPPED: &[&str] = &[".git", ".idea", ".vscode", "node_modules", "target"];

pub(super) struct Tree {
    /// Text by path, with `/` on every system.
    texts: BTreeMap<String, String>,
    /// Every file and directory, text or not.
    paths: BTreeSet<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self {
            texts: BTreeMap::new(),
            paths: BTreeSet::new(),
        };
        tree.add_directory(root, "")?;
        Ok(tree)
    }

    fn add_directory(&mut self, directory: &Path, path: &str) -> Result<()> {
        let entries = directory
            .read_dir()
            .with_context(|| format!("failed to list {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.add_directory(&entry.path(), &path)?;
                    self.paths.insert(path);
                }
            } else {
                // What cannot be read as text (an image, a database, a link to nowhere) is only
                // known to exist.
                if let Ok(text) = fs::read_to_string(entry.path()) {
                    self.texts.insert(path.clone(), text);
                }
                self.paths.insert(path);
            }
        }
        Ok(())
    }

    /// Every text file with its path.
    pub(super) fn files(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every text file with this extension.
    pub(super) fn files_with(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| {
            Path::new(path)
                .extension()
                .is_some_and(|it| it == extension)
        })
    }

    /// Every Rust file that is part of a library or a binary.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files_with("rs").filter(|(path, _)| {
            let parts: Vec<_> = path.split('/').collect();
            matches!(
                parts.as_slice(),
                ["crates", _, "src", ..] | ["xtask", "src", ..]
            )
        })
    }

    /// Whether there is a file or a directory at this path.
    pub(super) fn has(&self, path: &str) -> bool {
        path.is_empty() || self.paths.contains(path)
    }
}

#[cfg(test)]
impl Tree {
    /// A made-up repository.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let texts: BTreeMap<_, _> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        let mut paths = BTreeSet::new();
        for path in texts.keys() {
            let mut path = path.as_str();
            paths.insert(path.to_owned());
            while let Some((parent, _)) = path.rsplit_once('/') {
                paths.insert(parent.to_owned());
                path = parent;
            }
        }
        Self { texts, paths }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_what_is_source_and_not_what_is_built() {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in [
            ("crates/one/src/lib.rs", b"//! One".as_slice()),
            ("crates/one/target/debug/out.rs", b"fn built() {}"),
            (".ci/run", b"#!/bin/sh"),
            ("logo.png", b"\xff\xfe"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let tree = Tree::read(root.path()).unwrap();
        let files: Vec<_> = tree.files().map(|(path, _)| path).collect();
        assert_eq!(files, [".ci/run", "crates/one/src/lib.rs"]);
        assert_eq!(tree.sources().count(), 1);
        assert!(tree.has("logo.png") && tree.has("crates/one"));
        assert!(!tree.has("crates/one/target"));
    }
}
