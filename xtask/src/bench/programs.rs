//! The benchmarks as programs: built by cargo in one go, so that nothing is compiled twice, and run one
//! after the other.

use crate::process::command;
use anyhow::{Context as _, Result, bail};
use cargo_metadata::{Message, Target};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A benchmark, and what the page says of it.
pub(super) struct Program {
    /// What it is called here.
    pub(super) name: &'static str,
    package: &'static str,
    target: &'static str,
    /// What it is run with.
    arguments: &'static [&'static str],
    /// Why it is not run where it is only shown that all runs.
    pub(super) not_quick: Option<&'static str>,
    /// Its heading, and a paragraph on what it measures.
    pub(super) title: &'static str,
    pub(super) about: &'static str,
}

/// The test that has the figures of coherence.
const FIGURES: &str = "coherence";

/// How a test of figures is run.
const TEST: [&str; 2] = ["--include-ignored", "--nocapture"];

pub(super) const PROGRAMS: &[Program] = &[
    Program {
        name: "peers",
        package: "tingkat-server",
        target: "beside",
        arguments: &["peers"],
        not_quick: None,
        title: "Beside what you would otherwise write",
        about: "The demo store in one PostgreSQL, one Redis, and three services over them in turn: \
                `tingkat serve`, and the two of [bench/peers](../bench/peers/README.md), where it is \
                said what they do and what they leave undone. `tingkat bench` asks each for product \
                pages over HTTP on 32 connections, with keys by Zipf's law. The generator has a part \
                of the same cores, so that the time of the processor that an answer takes the service \
                says more than how many there are in a second. How many of a crowd ask the database, \
                where nobody has them wait for each other, is luck: it depends on how many come \
                before the first answer is kept.",
    },
    Program {
        name: "memory",
        package: "tingkat",
        target: "hit",
        arguments: &[],
        not_quick: None,
        title: "Memory hits",
        about: "100,000 `String` keys, 400-byte values, Zipf 0.99, everything in memory, the same \
                hasher and capacity for the bare tables. Tingkat's look-ups check freshness, anchor and \
                epoch, decide on early refresh and count; \"log and remote\" is what a service has, and \
                \"changes all the time\" judges each entry again ten times a second.",
    },
    Program {
        name: "redis",
        package: "tingkat-redis",
        target: "hits",
        arguments: &[],
        not_quick: None,
        title: "The redis tier",
        about: "Beside the bare client over one connection, with the same decoding; bare and not take \
                turns. Rows that are judged have the client with its own settings: it leaves \
                TCP_NODELAY off, so the kernel holds commands back until earlier ones are \
                acknowledged and sends fewer packets. On one machine that is more answers a second. \
                The tier turns TCP_NODELAY on, because on a network the same costs time; rows with \
                \"nodelay\" in them have the bare client do so too.",
    },
    Program {
        name: "http",
        package: "tingkat-http",
        target: "hit",
        arguments: &[],
        not_quick: None,
        title: "HTTP",
        about: "A hit in memory beside a bare route of axum that gives back the same status, headers \
                and body. Judged by the time that the thread of the server had the processor, of \
                which others on the machine take nothing.",
    },
    Program {
        name: "start",
        package: "tingkat-server",
        target: "start",
        arguments: &[],
        not_quick: None,
        title: "Start",
        about: "From the start of the process to its first right answer, with the embedded database, \
                as after a deploy. The median of 20.",
    },
    Program {
        name: "bytes",
        package: "tingkat",
        target: "bytes",
        arguments: &[],
        not_quick: None,
        title: "Bytes per entry",
        about: "400,000 entries each: resident memory beside what the memory tier counts.",
    },
    Program {
        name: "load",
        package: "tingkat",
        target: "load",
        arguments: &[],
        not_quick: None,
        title: "Misses",
        about: "What the cache takes for a miss beyond the source, here one that answers at once.",
    },
    Program {
        name: "warm",
        package: "tingkat-server",
        target: "warm",
        arguments: &[],
        not_quick: Some("100,000 products take a while to make"),
        title: "Warming",
        about: "`tingkat warm` beside the same SELECT statements through `psql` and the same bytes \
                through `redis-cli --pipe`, one after the other.",
    },
    Program {
        name: "customers",
        package: "tingkat-server",
        target: "customers",
        arguments: &[],
        not_quick: Some("it takes two minutes"),
        title: "Customers while products are warmed",
        about: "A real node whose database takes 200 ms for a statement, requests at a fixed rate each timed \
                from when it was due, in five pairs of runs.",
    },
    Program {
        name: "health",
        package: "tingkat-server",
        target: "health",
        arguments: &[],
        not_quick: None,
        title: "Looks at health",
        about: "The processor time of a node that looks ten times a second beside one that looks once a \
                minute, for thirty seconds.",
    },
    Program {
        name: "delay",
        package: "tingkat-server",
        target: FIGURES,
        arguments: &["figures::delay::how_long_a_commit_takes_to_be_seen"],
        not_quick: Some("it takes a minute"),
        title: "From a commit to the first answer that shows it",
        about: "Two real nodes over PostgreSQL and Redis, polling every 100 ms; 200 commits each, after \
                pauses by chance of up to two intervals, so that they meet every moment between two \
                polls alike. Without hints Redis is away, and the node that is asked has its own \
                polls alone.",
    },
    Program {
        name: "triggers",
        package: "tingkat-server",
        target: FIGURES,
        arguments: &["figures::triggers::what_the_triggers_cost_writers"],
        not_quick: Some("it takes two minutes"),
        title: "What the triggers cost writers",
        about: "Eight clients of pgbench update rows by key, with the triggers and without, in turn; \
                the server syncs to its disk as in production.",
    },
    Program {
        name: "hit-ratio",
        package: "tingkat",
        target: "hit_ratio",
        arguments: &[],
        not_quick: Some("a whole trace is as long as it is"),
        title: "Hit ratio",
        about: "How many of the look-ups of a trace are hits, with memory for so many percent of its \
                distinct keys. Traces of real shops are not part of the repository; `--traces` names \
                a folder with them.",
    },
    Program {
        name: "alone",
        package: "tingkat-server",
        target: "beside",
        arguments: &["alone"],
        not_quick: None,
        title: "Beside Redis alone and the database alone",
        about: "Without HTTP: the caches in the process that measures, beside a GET to Redis alone with \
                the decoding of its JSON, and beside every look-up loading from the database.",
    },
];

/// Benchmarks that are for whoever changes what they measure: package and target.
pub(super) const LEFT_OUT: [(&str, &str); 3] = [
    ("tingkat", "privacy"),
    ("tingkat-health", "checks"),
    ("tingkat-redis", "sample"),
];

/// All of them, built.
pub(super) struct Programs {
    files: BTreeMap<(String, String), PathBuf>,
    path: OsString,
}

impl Programs {
    pub(super) fn build(path: &OsStr) -> Result<Self> {
        let arguments = [
            "bench",
            "--locked",
            "--workspace",
            "--no-run",
            "--bench",
            "*",
            "--test",
            FIGURES,
            "--message-format",
            "json-render-diagnostics",
        ];
        println!("$ cargo {}", arguments.join(" "));
        let output = command("cargo")
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .context("failed to start cargo")?;
        if !output.status.success() {
            bail!("failed to build the benchmarks: {}", output.status);
        }
        let files = Message::parse_stream(output.stdout.as_slice())
            .filter_map(Result::ok)
            .filter_map(executable)
            .collect();
        Ok(Self {
            files,
            path: path.to_owned(),
        })
    }

    /// The benchmark, to be run from the root.
    pub(super) fn command(&self, program: &Program, is_quick: bool) -> Result<Command> {
        let key = (program.package.to_owned(), program.target.to_owned());
        let file = self.files.get(&key);
        let file = file.with_context(|| format!("cargo built no benchmark {}", program.name))?;
        let mut command = command(file);
        command.args(program.arguments).env("PATH", &self.path);
        if program.target == FIGURES {
            command.arg("--exact").args(TEST);
        } else if is_quick {
            command.arg("--quick");
        }
        Ok(command)
    }
}

/// A program by its package and the name of its target.
fn executable(message: Message) -> Option<((String, String), PathBuf)> {
    let Message::CompilerArtifact(artifact) = message else {
        return None;
    };
    let is_ours = |target: &Target| target.is_bench() || target.is_test();
    let file = artifact.executable.filter(|_| is_ours(&artifact.target))?;
    let manifest = artifact.manifest_path;
    let package = manifest.parent()?.file_name()?.to_owned();
    Some(((package, artifact.target.name), file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::root;
    use std::fs;

    #[test]
    fn every_benchmark_of_the_workspace_is_run_or_left_out() {
        let mut wanted: Vec<(String, String)> = PROGRAMS
            .iter()
            .filter(|program| program.target != FIGURES)
            .map(|program| (program.package, program.target))
            .chain(LEFT_OUT)
            .map(|(package, target)| (package.to_owned(), target.to_owned()))
            .collect();
        let mut found = Vec::new();
        for folder in fs::read_dir(root().join("crates")).unwrap().flatten() {
            let manifest = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
            let manifest: toml::Table = manifest.parse().unwrap();
            let benches = manifest.get("bench").and_then(toml::Value::as_array);
            for bench in benches.into_iter().flatten() {
                let package = folder.file_name().into_string().unwrap();
                found.push((package, bench["name"].as_str().unwrap().to_owned()));
            }
        }
        wanted.sort();
        // One may be run in parts.
        wanted.dedup();
        found.sort();
        assert_eq!(wanted, found);
    }
}
