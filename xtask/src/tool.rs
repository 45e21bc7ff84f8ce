//! Cargo subcommands that come from elsewhere, and how to get them.

use crate::process::{command, run, succeeds};
use anyhow::Result;

/// A subcommand of cargo that `cargo install` brings.
pub(crate) struct Tool {
    /// What comes after `cargo`.
    pub(crate) subcommand: &'static str,
    /// Package and version to install where it is missing; a newer one that is there is used.
    pub(crate) package: &'static str,
    /// Arguments that leave out what we do not use.
    pub(crate) features: &'static [&'static str],
}

/// Runs the tests, each in a process of its own.
pub(crate) const NEXTEST: Tool = Tool {
    subcommand: "nextest",
    package: "cargo-nextest@0.9.151",
    // Without what it needs to update itself.
    features: &["--no-default-features", "--features", "default-no-update"],
};

/// Looks at licences, duplicates and origins of dependencies.
pub(crate) const DENY: Tool = Tool {
    subcommand: "deny",
    package: "cargo-deny@0.20.2",
    features: &[],
};

/// How a tool is built: several times faster than for release, and all of them only start other
/// programs or read files.
const BUILD: &[&str] = &[
    "--locked",
    "--profile",
    "dev",
    "--config",
    "profile.dev.debug=false",
];

impl Tool {
    /// Installs the tool where it is missing, from source, which takes a few minutes.
    pub(crate) fn ensure(&self) -> Result<()> {
        if succeeds(command("cargo").args([self.subcommand, "--version"])) {
            return Ok(());
        }
        println!("cargo {} is missing and will be built", self.subcommand);
        run(command("cargo")
            .args(["install", self.package])
            .args(self.features)
            .args(BUILD))
    }
}
