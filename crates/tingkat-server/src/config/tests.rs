//! The loader as a whole: wrong configurations with their exact messages, layers, secrets, and
//! whatever else is thrown at it.

mod layers;
mod own;
mod reloads;
mod scenarios;
mod thrown;
mod tls;
mod wrong;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::settings::Flags;
use super::surroundings::Surroundings;
use super::{Loaded, load};

/// A configuration: variables, files, flags.
#[derive(Clone, Default)]
pub(crate) struct Case {
    variables: Vec<(String, String)>,
    files: Vec<(String, String)>,
    flags: Flags,
}

impl Case {
    pub(crate) fn file(text: &str) -> Self {
        Self::default().and_file("tingkat.toml", text)
    }

    pub(crate) fn variable(name: &str, value: &str) -> Self {
        Self::default().and(name, value)
    }

    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn and_file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    fn flag_config(mut self, path: &str) -> Self {
        self.flags.config = Some(path.into());
        self
    }

    fn flag(mut self, flag: &'static str, key: &'static str, value: &str) -> Self {
        self.flags.set.push((flag, key, value.to_owned()));
        self
    }

    pub(crate) fn load(&self) -> Loaded {
        let files: BTreeMap<String, String> = self.files.iter().cloned().collect();
        let read = move |path: &Path| {
            let found = files.get(path.to_str().unwrap()).cloned();
            let bytes = found.map(String::into_bytes);
            bytes.ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let variables = self.variables.iter().cloned();
        let from = Surroundings {
            variables: variables
                .map(|(name, value)| (name, value.into()))
                .collect(),
            files: read.into(),
            memory: Some(8 << 30),
        };
        load(&self.flags, &from)
    }

    /// What is told, in the form that people see.
    fn told(&self) -> String {
        let problems = self.load().problems;
        problems.iter().map(|problem| problem.told(false)).collect()
    }
}
