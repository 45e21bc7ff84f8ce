//! The fault suite with real processes, for as long as wanted: all its runs in random order, each
//! time with another seed; or once for each rule of the protocol, in a program without that rule.

mod chance;
mod program;
mod switches;

use crate::root::root;
use anyhow::{Context as _, Result, bail};
use chance::Chance;
use clap::Args;
use program::{Outcome, Program};
use std::ffi::OsStr;
use std::fs;
use std::time::{Duration, Instant};

/// The run whose source panics: no source of the program as it is does, so it has another one.
const PANICS: &str = "runs::panics::the_source_panics";

/// What to run, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// How long at least; every run is made once, and the one under way is finished
    #[arg(long, default_value_t = 60, value_name = "N")]
    minutes: u64,
    /// The seed of the order and of every run
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Nodes of each run that does not say itself how many it needs; the tests have three
    #[arg(long, default_value_t = 5, value_name = "N")]
    nodes: u32,
    /// Only runs with this in their names
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Instead: for each rule of the protocol some runs without it, which must fail
    #[arg(long)]
    switches: bool,
    /// Instead: measure what costs and delays there are
    #[arg(long, conflicts_with = "switches")]
    figures: bool,
}

/// Runs what the options say, with the servers in `path`.
pub(crate) fn run(options: &Options, path: &OsStr) -> Result<()> {
    if options.switches {
        return switches::run(path, options.only.as_deref());
    }
    let program = Program::build(&[], path)?.nodes(options.nodes);
    let wanted = |name: &String| options.only.as_ref().is_none_or(|text| name.contains(text));
    let prefix = if options.figures {
        "figures::"
    } else {
        "runs::"
    };
    let mut runs: Vec<String> = program.tests(prefix)?.into_iter().filter(wanted).collect();
    let mut programs = vec![program];
    if !options.figures && wanted(&PANICS.to_owned()) {
        runs.push(PANICS.to_owned());
        programs.push(Program::build(switches::BUILD, path)?.nodes(options.nodes));
    }
    if runs.is_empty() {
        bail!("no run has that name");
    }
    let soak = Soak(programs);
    if options.figures {
        return soak.once(&runs);
    }
    soak.last(runs, options.seed, options.minutes)?;
    println!(
        "each with {} nodes, but for those that say how many they need",
        options.nodes
    );
    Ok(())
}

/// The runs that CI leaves out, for its output.
pub(crate) fn print_left_out(path: &OsStr) -> Result<()> {
    let program = Program::build(&[], path)?;
    let left_out = program.left_out("runs::")?;
    println!(
        "fault suite: {} runs were left to `cargo xtask soak`:",
        left_out.len() + 1
    );
    for name in left_out {
        println!("  {}", shown(&name));
    }
    println!("  {}, in a program that is built for it", shown(PANICS));
    println!("fault suite: the runs had three nodes; `cargo xtask soak` gives them five.");
    println!(
        "fault suite: no rule was switched off to see its absence noticed; \
         `cargo xtask soak --switches` does that for {}.",
        switches::names().join(", ")
    );
    Ok(())
}

/// The program as it is, and the one whose source can be told to panic.
struct Soak(Vec<Program>);

impl Soak {
    /// Goes through all runs again and again until the time is over, but once at least.
    fn last(&self, runs: Vec<String>, seed: u64, minutes: u64) -> Result<()> {
        let deadline = now() + Duration::from_secs(minutes * 60);
        let table = rounds(
            runs,
            seed,
            || now() >= deadline,
            |name, seed| {
                let outcome = self.run(name, seed)?;
                println!("{}", outcome.line());
                keep_if_broken(&outcome)?;
                Ok(outcome)
            },
        )?;
        println!("\n{}", totals(&table));
        let broken = table.iter().filter(|outcome| !outcome.is_good).count();
        if broken > 0 {
            bail!("{broken} of {} runs broke the promise", table.len());
        }
        Ok(())
    }

    /// Each once, in its order, with all that it prints.
    fn once(&self, runs: &[String]) -> Result<()> {
        for name in runs {
            let outcome = self.run(name, 1)?;
            println!("{}\n{}", shown(name), outcome.printed());
            keep_if_broken(&outcome)?;
            if !outcome.is_good {
                bail!("{} failed", shown(name));
            }
        }
        Ok(())
    }

    /// A run in the program that has it.
    fn run(&self, name: &str, seed: u64) -> Result<Outcome> {
        let program = if name == PANICS {
            self.0.last()
        } else {
            self.0.first()
        };
        let program = program.context("there is no program")?;
        program.run(name, seed, None)
    }
}

/// Makes all runs in another order with each round, and stops between two of them once it is late. All
/// are made once however late it is: a run that was never made has shown nothing.
fn rounds(
    mut runs: Vec<String>,
    seed: u64,
    is_late: impl Fn() -> bool,
    mut run: impl FnMut(&str, u64) -> Result<Outcome>,
) -> Result<Vec<Outcome>> {
    let mut chance = Chance::of(seed);
    let mut table = Vec::new();
    for round in 0.. {
        chance.shuffle(&mut runs);
        for name in &runs {
            if round > 0 && is_late() {
                return Ok(table);
            }
            table.push(run(name, seed + round)?);
        }
    }
    Ok(table)
}

/// Puts the whole output of a failed run into a file, and says where.
fn keep_if_broken(outcome: &Outcome) -> Result<()> {
    if outcome.is_good {
        return Ok(());
    }
    let folder = root().join("target/soak");
    fs::create_dir_all(&folder)?;
    let name = outcome.name.replace("::", "-");
    let file = folder.join(format!("{name}-{}.log", outcome.seed));
    fs::write(&file, &outcome.output)?;
    println!("  everything about it is in {}", file.display());
    Ok(())
}

/// How often each run was kept and broken.
fn totals(table: &[Outcome]) -> String {
    let mut names: Vec<&str> = table.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut lines = vec![format!("{:<72}{:>6}{:>8}", "run", "kept", "broken")];
    for name in names {
        let of_name = || table.iter().filter(|it| it.name == name);
        let kept = of_name().filter(|it| it.is_good).count();
        let broken = of_name().count() - kept;
        lines.push(format!("{:<72}{kept:>6}{broken:>8}", shown(name)));
    }
    lines.join("\n")
}

/// A run's name without the modules that all have.
fn shown(name: &str) -> &str {
    name.strip_prefix("runs::").unwrap_or(name)
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no Clock: this one stops a soak, for people"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, is_good: bool) -> Outcome {
        Outcome {
            name: name.to_owned(),
            seed: 1,
            is_good,
            output: String::new(),
        }
    }

    #[test]
    fn every_run_is_made_once_however_late_it_is_and_then_until_it_is_late() {
        let runs = || ["a", "b", "c"].map(str::to_owned).to_vec();
        let names = |table: Vec<Outcome>| {
            let mut names: Vec<(String, u64)> =
                table.into_iter().map(|it| (it.name, it.seed)).collect();
            names.sort();
            names
        };
        let run = |name: &str, seed| {
            Ok(Outcome {
                seed,
                ..outcome(name, true)
            })
        };
        let once = rounds(runs(), 7, || true, run).unwrap();
        assert_eq!(names(once), ["a", "b", "c"].map(|it| (it.to_owned(), 7)));
        let asked = std::cell::Cell::new(0);
        let is_late = || {
            asked.set(asked.get() + 1);
            asked.get() == 5
        };
        let table = names(rounds(runs(), 7, is_late, run).unwrap());
        assert_eq!(table.len(), 7);
        assert_eq!(table.iter().filter(|(_, seed)| *seed == 9).count(), 1);
    }

    #[test]
    fn the_table_counts_each_run() {
        let table = [
            outcome("runs::redis::killed", true),
            outcome("runs::calm::calm", true),
            outcome("runs::redis::killed", false),
        ];
        let text = totals(&table);
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let rows: Vec<_> = text.lines().map(words).collect();
        assert_eq!(rows[1], ["calm::calm", "1", "0"]);
        assert_eq!(rows[2], ["redis::killed", "1", "1"]);
    }
}
