//! The suite as a program: built by cargo, asked what it has, run test by test.

use crate::process::command;
use anyhow::{Context as _, Result, bail};
use cargo_metadata::Message;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The test of `tingkat-server` that the suite is.
const TEST: &str = "coherence";

/// What a run's one line begins with.
const LINE: &str = "coherence: ";

/// The built suite.
pub(super) struct Program {
    file: PathBuf,
    path: OsString,
    /// Nodes of a run that does not choose their number itself; nothing for the usual number.
    nodes: Option<u32>,
}

/// What came of a run.
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) seed: u64,
    /// The promise was kept.
    pub(super) is_good: bool,
    /// All that it printed.
    pub(super) output: String,
}

impl Program {
    /// Builds it, with these arguments for cargo.
    pub(super) fn build(arguments: &[&str], path: &OsStr) -> Result<Self> {
        let output = command("cargo")
            .args(["test", "--package", "tingkat-server", "--test", TEST])
            .args(["--no-run", "--message-format", "json-render-diagnostics"])
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .context("failed to start cargo")?;
        if !output.status.success() {
            bail!("failed to build the fault suite: {}", output.status);
        }
        let file = Message::parse_stream(output.stdout.as_slice())
            .filter_map(Result::ok)
            .find_map(executable)
            .context("cargo built no fault suite")?;
        Ok(Self {
            file,
            path: path.to_owned(),
            nodes: None,
        })
    }

    /// With so many nodes in each run.
    pub(super) fn nodes(self, nodes: u32) -> Self {
        Self {
            nodes: Some(nodes),
            ..self
        }
    }

    /// The names of the tests that begin so.
    pub(super) fn tests(&self, prefix: &str) -> Result<Vec<String>> {
        self.list(prefix, &[])
    }

    /// Those of them that are run only when asked for.
    pub(super) fn left_out(&self, prefix: &str) -> Result<Vec<String>> {
        self.list(prefix, &["--ignored"])
    }

    /// Runs a test, perhaps without a rule of the protocol.
    pub(super) fn run(&self, name: &str, seed: u64, without: Option<&str>) -> Result<Outcome> {
        let mut run = self.command();
        run.args(["--exact", name, "--include-ignored", "--nocapture"])
            .env("TINGKAT_COHERENCE_SEED", seed.to_string())
            .env("RUST_BACKTRACE", "0");
        if let Some(nodes) = self.nodes {
            run.env("TINGKAT_COHERENCE_NODES", nodes.to_string());
        }
        if let Some(rule) = without {
            run.env("TINGKAT_SWITCH_OFF", rule);
        }
        let output = run.output().context("failed to start the fault suite")?;
        let text = [output.stdout, output.stderr].concat();
        Ok(Outcome {
            name: name.to_owned(),
            seed,
            is_good: output.status.success(),
            output: String::from_utf8_lossy(&text).into_owned(),
        })
    }

    fn list(&self, prefix: &str, arguments: &[&str]) -> Result<Vec<String>> {
        let mut list = self.command();
        list.args(["--list", "--format", "terse"]).args(arguments);
        let output = list.output().context("failed to start the fault suite")?;
        let names = String::from_utf8_lossy(&output.stdout);
        let names = names.lines().filter_map(|line| line.strip_suffix(": test"));
        let names = names.filter(|name| name.starts_with(prefix));
        Ok(names.map(str::to_owned).collect())
    }

    fn command(&self) -> Command {
        let mut command = command(&self.file);
        command.env("PATH", &self.path);
        command
    }
}

impl Outcome {
    /// The run's own line, or that it came to none.
    pub(super) fn line(&self) -> String {
        let line = self.output.lines().find(|line| line.starts_with(LINE));
        line.map_or_else(
            || {
                let word = if self.is_good { "passed" } else { "FAILED" };
                format!("{LINE}{} | seed {} | {word}", self.name, self.seed)
            },
            str::to_owned,
        )
    }

    /// Which promises were broken, as the line says; nothing if it does not.
    pub(super) fn broken(&self) -> Option<String> {
        let line = self.line();
        let (_, broken) = line.split_once("BROKEN: ")?;
        Some(broken.to_owned())
    }

    /// What it printed but for the frame around it.
    pub(super) fn printed(&self) -> String {
        let is_frame = |line: &&str| {
            ["running ", "test ", "test result:"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        let lines = self.output.lines().filter(|line| !is_frame(line));
        lines
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn executable(message: Message) -> Option<PathBuf> {
    if let Message::CompilerArtifact(artifact) = message
        && artifact.target.name == TEST
    {
        return artifact.executable.map(Into::into);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(output: &str) -> Outcome {
        Outcome {
            name: "runs::calm::calm".to_owned(),
            seed: 7,
            is_good: false,
            output: output.to_owned(),
        }
    }

    #[test]
    fn the_line_of_a_run_is_found_in_what_it_prints() {
        let broken = outcome("running 1 test\ncoherence: calm | verdict BROKEN: 3 too old\nmore\n");
        assert_eq!(broken.line(), "coherence: calm | verdict BROKEN: 3 too old");
        assert_eq!(broken.broken().as_deref(), Some("3 too old"));
        assert_eq!(
            broken.printed(),
            "coherence: calm | verdict BROKEN: 3 too old\nmore"
        );
    }

    #[test]
    fn a_run_that_came_to_no_line_broke_no_promise() {
        let failed = outcome("thread panicked");
        assert_eq!(
            failed.line(),
            "coherence: runs::calm::calm | seed 7 | FAILED"
        );
        assert_eq!(failed.broken(), None);
    }
}
