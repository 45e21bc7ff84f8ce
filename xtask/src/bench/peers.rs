//! What others would do instead of Tingkat, from `bench/peers`, built where the build is.

use crate::foreign;
use crate::process::{command, run};
use crate::root::root;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::PathBuf;

/// The peers, and what they are built from.
const SOURCE: &str = "bench/peers";
const BUILT: &str = "target/peers";

/// What the peer on Node.js is.
const NODE_FILES: [&str; 3] = ["package.json", "package-lock.json", "server.mjs"];

/// The built peers.
pub(super) struct Peers {
    rust: PathBuf,
    node: PathBuf,
}

impl Peers {
    pub(super) fn build() -> Result<Self> {
        Ok(Self {
            rust: rust()?,
            node: node()?,
        })
    }

    /// How a benchmark is told where they are.
    pub(super) fn variables(&self) -> [(&'static str, &PathBuf); 2] {
        [
            ("TINGKAT_PEER_RUST", &self.rust),
            ("TINGKAT_PEER_NODE", &self.node),
        ]
    }
}

/// Has clippy look at the peer in Rust.
pub(super) fn check() -> Result<()> {
    run(cargo("clippy").args(["--", "-D", "warnings"]))
}

fn rust() -> Result<PathBuf> {
    run(cargo("build").arg("--release"))?;
    Ok(root().join(BUILT).join("release/tingkat-peer-rust"))
}

fn cargo(subcommand: &str) -> std::process::Command {
    let mut cargo = command("cargo");
    cargo
        .args([subcommand, "--locked", "--manifest-path"])
        .arg(root().join(SOURCE).join("rust/Cargo.toml"))
        .arg("--target-dir")
        .arg(root().join(BUILT));
    cargo
}

fn node() -> Result<PathBuf> {
    foreign::ensure_npm()?;
    let folder = root().join(BUILT).join("node");
    fs::create_dir_all(&folder).context("failed to make a folder for the peer on Node.js")?;
    for file in NODE_FILES {
        let from = root().join(SOURCE).join("node").join(file);
        fs::copy(&from, folder.join(file))
            .with_context(|| format!("failed to copy {}", from.display()))?;
    }
    // Exactly what the lock file names; scripts of packages are none of ours.
    run(command("npm").current_dir(&folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]))?;
    Ok(folder)
}
