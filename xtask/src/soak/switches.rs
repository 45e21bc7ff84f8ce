//! For each rule of the protocol: the program without it must be caught.
//!
//! A run that is not seen to fail without the rule that it guards proves nothing.

use super::keep_if_broken;
use super::program::Program;
use crate::process::{command, succeeds};
use anyhow::{Result, bail};
use std::ffi::OsStr;

/// Where the program with the switches is built, apart from the real one.
const BUILD: &[&str] = &[
    "--features",
    "broken-rules",
    "--target-dir",
    "target/broken-rules",
];

/// A run begins anew with this many seeds before a rule counts as not missed.
const SEEDS: u64 = 3;

/// A rule, and who notices its absence.
struct Switch {
    name: &'static str,
    rule: &'static str,
    by: By,
}

enum By {
    /// A run of the fault suite.
    Run(&'static str),
    /// A test of the engine under every schedule: real processes would show it once in years.
    Interleavings(&'static str),
}

const SWITCHES: &[Switch] = &[
    Switch {
        name: "r2",
        rule: "R2: accepted only if it covers what is known",
        by: By::Run(
            "runs::calm::without_faults_the_usual_bound_holds_and_each_value_is_loaded_once",
        ),
    },
    Switch {
        name: "r3",
        rule: "R3: served only while anchored",
        by: By::Run("runs::nodes::a_node_is_cut_from_the_database_alone"),
    },
    Switch {
        name: "r4",
        rule: "R4: a load is judged again before it enters memory",
        by: By::Run("runs::source::slow_loads_are_overtaken_by_writes"),
    },
    Switch {
        name: "r5",
        rule: "R5: a flight is joined only while it is young and nothing changed",
        by: By::Run("runs::source::slow_loads_are_overtaken_by_writes"),
    },
    Switch {
        name: "r7",
        rule: "R7: another life of the log is a cold reset",
        by: By::Run("runs::postgres::the_database_crashes"),
    },
    Switch {
        name: "fold",
        rule: "Folding: compacted changes are folded, not forgotten",
        by: By::Run("runs::log::the_log_is_compacted_all_the_time"),
    },
    Switch {
        name: "order",
        rule: "Publication: the epoch moves before the anchor",
        by: By::Interleavings("moving_fresh_at_before_the_epoch_is_caught"),
    },
];

pub(super) fn run(path: &OsStr, only: Option<&str>) -> Result<()> {
    let program = Program::build(BUILD, path)?;
    let mut table = vec![row("switched off", "run", "with it", "without it")];
    let mut missed = Vec::new();
    for switch in SWITCHES {
        if only.is_some_and(|only| switch.name != only) {
            continue;
        }
        let found = switch.found(&program)?;
        let (with, without) = match &found {
            Some(found) => (found.with.as_str(), found.without.as_str()),
            None => ("", "NOT NOTICED"),
        };
        if found.as_ref().is_none_or(|found| !found.is_right) {
            missed.push(switch.name);
        }
        table.push(row(switch.rule, switch.by.name(), with, without));
        println!("{}", table.last().map_or("", String::as_str));
    }
    println!("\n{}", table.join("\n"));
    if !missed.is_empty() {
        bail!("nobody noticed the absence of {}", missed.join(", "));
    }
    Ok(())
}

/// How a rule's absence showed.
struct Found {
    with: String,
    without: String,
    /// The run is green with the rule, and red for the right reason without it.
    is_right: bool,
}

impl Switch {
    fn found(&self, program: &Program) -> Result<Option<Found>> {
        match self.by {
            By::Run(name) => self.found_by_run(program, name),
            By::Interleavings(test) => Ok(Some(found_by_interleavings(test))),
        }
    }

    fn found_by_run(&self, program: &Program, name: &str) -> Result<Option<Found>> {
        let good = program.run(name, 1, None)?;
        keep_if_broken(&good)?;
        let with = if good.is_good { "kept" } else { "NOT KEPT" };
        for seed in 1..=SEEDS {
            let outcome = program.run(name, seed, Some(self.name))?;
            if outcome.is_good {
                continue;
            }
            // A run that failed for another reason has noticed nothing.
            let broken = outcome.broken();
            let is_right = good.is_good && broken.is_some();
            if broken.is_none() {
                keep_if_broken(&outcome)?;
            }
            return Ok(Some(Found {
                with: with.to_owned(),
                without: broken.unwrap_or_else(|| "failed for another reason".to_owned()),
                is_right,
            }));
        }
        Ok(None)
    }
}

/// That test switches the rule off by itself, and passes if its schedules notice.
fn found_by_interleavings(test: &str) -> Found {
    let is_right = succeeds(
        command("cargo")
            .args(["nextest", "run", "--package", "tingkat"])
            .args(["--test", "interleavings", test]),
    );
    let word = if is_right { "caught" } else { "NOT NOTICED" };
    Found {
        with: "all schedules".to_owned(),
        without: word.to_owned(),
        is_right,
    }
}

impl By {
    fn name(&self) -> &str {
        match self {
            Self::Run(name) => super::shown(name),
            Self::Interleavings(name) => name,
        }
    }
}

fn row(rule: &str, run: &str, with: &str, without: &str) -> String {
    let run: String = run.chars().take(60).collect();
    format!("{rule:<68}{run:<62}{with:<15}{without}")
}
