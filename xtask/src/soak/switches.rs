//! For each rule of the protocol: the program without it must be caught, and by which runs it is.
//!
//! A run that is not seen to fail without the rule that it guards proves nothing.

use super::program::Program;
use super::{keep_if_broken, shown};
use crate::process::{command, succeeds};
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;

/// Where the program with the switches is built, apart from the real one.
pub(super) const BUILD: &[&str] = &[
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
    /// Runs of the fault suite: the first ones must notice, the others may.
    Runs {
        must: &'static [&'static str],
        may: &'static [&'static str],
    },
    /// A test of the engine under every schedule: real processes would show it once in years.
    Interleavings(&'static str),
}

const CALM: &str = "runs::calm::without_faults_the_usual_bound_holds_and_each_value_is_loaded_once";
const OLD_DUMP: &str = "runs::redis_data::redis_restarts_with_an_old_dump";
const PROMOTED: &str = "runs::redis_data::a_replica_that_missed_writes_is_promoted";
const CUT_OFF: &str = "runs::nodes::a_node_is_cut_from_the_database_alone";
const STOPPED: &str = "runs::nodes::a_node_is_stopped_and_goes_on";
const POLLS: &str = "runs::polls::polls_are_away_and_loads_work";
const OVERTAKEN: &str = "runs::source::slow_loads_are_overtaken_by_writes";
const SLOW: &str = "runs::source::loads_take_three_times_the_bound";
const CRASH: &str = "runs::postgres::the_database_crashes";
const STANDBY: &str = "runs::postgres_lost::a_standby_that_missed_commits_is_promoted";
const RESTORED: &str = "runs::postgres_lost::the_database_is_restored_from_a_copy_of_its_files";
const COMPACTED: &str = "runs::log::the_log_is_compacted_all_the_time";

const SWITCHES: &[Switch] = &[
    Switch {
        name: "r2",
        rule: "accepted only if it covers what is known",
        by: By::Runs {
            must: &[CALM],
            may: &[OLD_DUMP, PROMOTED, COMPACTED],
        },
    },
    Switch {
        name: "r3",
        rule: "served only while anchored",
        // The run with SIGSTOP is the one that CI makes.
        by: By::Runs {
            must: &[CUT_OFF, STOPPED],
            may: &[POLLS],
        },
    },
    Switch {
        name: "r4",
        rule: "a load is judged again before it enters memory",
        by: By::Runs {
            must: &[OVERTAKEN],
            may: &[SLOW],
        },
    },
    Switch {
        name: "r5",
        rule: "a flight is joined only while it is young and nothing changed",
        by: By::Runs {
            must: &[OVERTAKEN],
            may: &[SLOW],
        },
    },
    Switch {
        name: "r7",
        rule: "another life of the log is a cold reset",
        by: By::Runs {
            must: &[CRASH],
            may: &[STANDBY, RESTORED],
        },
    },
    Switch {
        name: "fold",
        rule: "compacted changes are folded, not forgotten",
        by: By::Runs {
            must: &[COMPACTED],
            may: &[],
        },
    },
    Switch {
        name: "order",
        rule: "the epoch moves before the anchor",
        by: By::Interleavings(
            "moving_the_anchor_before_the_epoch_is_caught_in_what_the_engine_runs",
        ),
    },
];

/// The names of all rules.
pub(super) fn names() -> Vec<&'static str> {
    SWITCHES.iter().map(|switch| switch.name).collect()
}

pub(super) fn run(path: &OsStr, only: Option<&str>) -> Result<()> {
    let program = Program::build(BUILD, path)?;
    let wanted = SWITCHES
        .iter()
        .filter(|switch| only.is_none_or(|only| switch.name == only));
    let mut table = Table::default();
    for switch in wanted {
        match switch.by {
            By::Runs { must, may } => {
                for name in must.iter().chain(may) {
                    table.try_run(&program, switch.name, name)?;
                }
            }
            By::Interleavings(test) => {
                let is_caught = is_caught_by_interleavings(test);
                let word = if is_caught { Cell::Caught } else { Cell::Kept };
                table.with.insert(test, Cell::Kept);
                table.without.insert((test, switch.name), word);
            }
        }
    }
    println!("\n{}", table.text());
    for switch in SWITCHES {
        println!("{:<6} {}", switch.name, switch.rule);
    }
    let missed = table.missed(only);
    if !missed.is_empty() {
        bail!("not every absence was noticed: {}", missed.join(", "));
    }
    Ok(())
}

/// What came of a run with a rule switched off, or with none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Caught,
    Kept,
    /// It failed, and not because a promise was broken: it has noticed nothing.
    Failed,
}

impl Cell {
    const fn name(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Kept => "kept",
            Self::Failed => "FAILED",
        }
    }
}

/// Runs against rules.
#[derive(Default)]
struct Table {
    with: BTreeMap<&'static str, Cell>,
    without: BTreeMap<(&'static str, &'static str), Cell>,
}

impl Table {
    /// Runs it with all rules, unless that was done, and then without this one.
    fn try_run(&mut self, program: &Program, rule: &'static str, name: &'static str) -> Result<()> {
        if !self.with.contains_key(name) {
            let good = program.run(name, 1, None)?;
            keep_if_broken(&good)?;
            let cell = if good.is_good {
                Cell::Kept
            } else {
                Cell::Failed
            };
            self.with.insert(name, cell);
            println!("all rules: {}: {}", shown(name), cell.name());
        }
        let (mut cell, mut what) = (Cell::Kept, String::new());
        for seed in 1..=SEEDS {
            let outcome = program.run(name, seed, Some(rule))?;
            if outcome.is_good {
                continue;
            }
            let broken = outcome.broken();
            if broken.is_none() {
                keep_if_broken(&outcome)?;
            }
            cell = broken.as_ref().map_or(Cell::Failed, |_| Cell::Caught);
            what = broken.unwrap_or_default();
            break;
        }
        println!("without {rule}: {}: {} {what}", shown(name), cell.name());
        self.without.insert((name, rule), cell);
        Ok(())
    }

    /// Rules of which a run that must notice did not, and runs that fail with all rules.
    fn missed(&self, only: Option<&str>) -> Vec<String> {
        let mut missed: Vec<String> = self
            .with
            .iter()
            .filter(|(_, cell)| **cell != Cell::Kept)
            .map(|(name, _)| format!("{} fails with all rules", shown(name)))
            .collect();
        for switch in SWITCHES {
            let guards = match switch.by {
                By::Runs { must, .. } => must.to_vec(),
                By::Interleavings(test) => vec![test],
            };
            let notices = |name: &&'static str| {
                self.without.get(&(*name, switch.name)) == Some(&Cell::Caught)
            };
            let is_wanted = only.is_none_or(|only| switch.name == only);
            if is_wanted && !guards.iter().all(notices) {
                missed.push(switch.name.to_owned());
            }
        }
        missed
    }

    /// A row for each run, a column for each rule.
    fn text(&self) -> String {
        let mut text = format!("{:<72}{:<11}", "run", "all rules");
        for rule in names() {
            // Writing to a String does not fail.
            let _ = write!(text, "{rule:<9}");
        }
        for (name, with) in &self.with {
            let name_shown: String = shown(name).chars().take(70).collect();
            let _ = write!(text, "\n{name_shown:<72}{:<11}", with.name());
            for rule in names() {
                let cell = self.without.get(&(*name, rule));
                let _ = write!(text, "{:<9}", cell.map_or("not run", |cell| cell.name()));
            }
        }
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

/// That test switches the rule off by itself, and passes if its schedules notice.
fn is_caught_by_interleavings(test: &str) -> bool {
    succeeds(
        command("cargo")
            .args(["nextest", "run", "--package", "tingkat"])
            .args(["--test", "interleavings", test]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(first: Cell) -> Table {
        let mut table = Table::default();
        table.with.insert(COMPACTED, Cell::Kept);
        table.without.insert((COMPACTED, "fold"), first);
        table.without.insert((COMPACTED, "r2"), Cell::Kept);
        table
    }

    #[test]
    fn the_table_says_what_was_caught_kept_and_not_run() {
        let text = table(Cell::Caught).text();
        let words: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(words[0][3..5], ["r2", "r3"]);
        let cells = [
            "log::the_log_is_compacted_all_the_time",
            "kept",
            "kept",
            "not",
            "run",
        ];
        assert_eq!(words[1][..5], cells);
        assert!(text.contains("caught"));
    }

    #[test]
    fn each_run_that_must_notice_has_to() {
        let mut table = Table::default();
        for name in [CUT_OFF, STOPPED] {
            assert_eq!(table.missed(Some("r3")), ["r3"]);
            table.without.insert((name, "r3"), Cell::Caught);
        }
        table.without.insert((POLLS, "r3"), Cell::Kept);
        assert_eq!(table.missed(Some("r3")), [""; 0]);
    }

    #[test]
    fn a_rule_whose_own_run_notices_nothing_is_missed() {
        assert_eq!(table(Cell::Caught).missed(Some("fold")), [""; 0]);
        for cell in [Cell::Kept, Cell::Failed] {
            assert_eq!(table(cell).missed(Some("fold")), ["fold"]);
        }
        let mut broken = table(Cell::Caught);
        broken.with.insert(COMPACTED, Cell::Failed);
        assert_eq!(broken.missed(Some("fold")).len(), 1);
    }
}
