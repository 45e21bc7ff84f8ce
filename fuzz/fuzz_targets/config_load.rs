//! Configuration files, environments and flags, as somebody might have written them.
//!
//! The loader is a part of the program and of no library, so its files are taken in as they are:
//! the fuzzer sees which way an input takes through them.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the target uses a part of the program")]

#[path = "../../crates/tingkat-server/src"]
mod program {
    pub(crate) mod cli;
    pub(crate) mod config;
    pub(crate) mod exit;
    pub(crate) mod output;
}

// As the files call each other.
use self::program::{cli, config, exit, output};

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

use self::config::{Config, Flags, Surroundings, keys, load};

/// What somebody set up.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    file: &'a str,
    /// What a variable with `_FILE` may name.
    secret: &'a str,
    variables: Vec<(Name, &'a str)>,
    listen: Option<&'a str>,
    memory: Option<u64>,
}

/// A variable: mostly one that is known, since no fuzzer guesses those.
#[derive(Arbitrary, Debug)]
enum Name {
    Environment,
    Scenario,
    Known(u16),
    KnownFile(u16),
    Other(String),
}

impl Name {
    fn text(self) -> String {
        let known = |at: u16| {
            let keys = keys::all();
            let names = keys[usize::from(at) % keys.len()].variables();
            names[usize::from(at >> 15) % names.len()].clone()
        };
        match self {
            Self::Environment => "TINGKAT_ENV".to_owned(),
            Self::Scenario => "TINGKAT_SCENARIO".to_owned(),
            Self::Known(at) => known(at),
            Self::KnownFile(at) => format!("{}_FILE", known(at)),
            Self::Other(rest) => format!("TINGKAT_{rest}"),
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let (file, secret) = (input.file.to_owned(), input.secret.to_owned());
    let read = move |path: &Path| match path.to_str() {
        Some("tingkat.toml") => Ok(file.clone().into_bytes()),
        // Certificates and keys as well.
        Some("secret") => Ok(secret.clone().into_bytes()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let variables = input.variables.into_iter();
    let variables: BTreeMap<_, _> = variables
        .map(|(name, value)| (name.text(), value.into()))
        .collect();
    let listen = input.listen.map(|it| ("--listen", "server.listen", it.to_owned()));
    let flags = Flags {
        config: None,
        set: listen.into_iter().collect(),
    };
    let from = Surroundings {
        variables,
        files: read.into(),
        memory: input.memory,
    };
    let loaded = load(&flags, &from);
    for problem in &loaded.problems {
        assert!(!problem.message.is_empty());
        assert!(!problem.told(true).is_empty() && !problem.told(false).is_empty());
        assert!(problem.object().is_object());
    }
    for key in keys::all() {
        for setting in loaded.settings.layers(&key.path) {
            let _ = (setting.value.in_toml(), setting.origin.to_string());
        }
    }
    // What nothing is wrong with can be served.
    if loaded.problems.is_empty() {
        assert!(Config::build(loaded.settings).is_ok());
    }
});
