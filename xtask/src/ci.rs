//! The steps of CI. Cheap ones come first, the first failure ends the run, and a table at the end
//! says how long each took.

use crate::outside;
use crate::process::{command, run as run_process};
use crate::{suite, tidy};
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

struct Step {
    name: &'static str,
    run: fn() -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        run: fmt,
    },
    // The same checks are tests of xtask. Here they fail before anything is compiled, and their
    // notes are seen.
    Step {
        name: "tidy",
        run: tidy::run,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "fuzz",
        run: fuzz,
    },
    Step {
        name: "doc",
        run: doc,
    },
    Step {
        name: "test",
        run: || suite::run(&[]),
    },
    Step {
        name: "outside",
        run: || outside::run(&outside::Options::default()),
    },
];

/// Runs the steps until one fails.
pub(crate) fn run() -> Result<()> {
    run_steps(STEPS)
}

fn run_steps(steps: &[Step]) -> Result<()> {
    let mut rows = Vec::new();
    let mut outcome = Ok(());
    for step in steps {
        if outcome.is_err() {
            rows.push((step.name, None, "not run"));
            continue;
        }
        println!("\n==> {}", step.name);
        let (took, result) = timed(step.run);
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!("<== {}: {word} in {}", step.name, seconds(took));
        rows.push((step.name, Some(took), word));
        outcome = result.with_context(|| format!("step {}", step.name));
    }
    println!("\n{}", table(&rows));
    outcome
}

fn fmt() -> Result<()> {
    run_process(command("cargo").args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    run_process(command("cargo").args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Nobody fuzzes here, but the targets take in files of the program, and break unseen when those move.
fn fuzz() -> Result<()> {
    run_process(command("cargo").args([
        "check",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--no-default-features",
        "--target-dir",
        "target/fuzz-check",
    ]))
}

fn doc() -> Result<()> {
    // The library and the binary are both called `tingkat`, and so would their pages be: in one
    // go they would be written over each other.
    let binary: &[&str] = &["--package", "tingkat-server"];
    let libraries: &[&str] = &["--workspace", "--exclude", "tingkat-server"];
    for packages in [binary, libraries] {
        run_process(
            command("cargo")
                .args(["doc", "--no-deps"])
                .args(packages)
                .env("RUSTDOCFLAGS", "-D warnings"),
        )?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no Clock: it measures builds, for people"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn table(rows: &[(&str, Option<Duration>, &str)]) -> String {
    let mut text = String::new();
    for (name, took, word) in rows {
        let took = took.map_or_else(|| "-".to_owned(), seconds);
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name:<10}{took:>10}  {word}");
    }
    let total = rows.iter().filter_map(|(_, took, _)| *took).sum();
    let _ = write!(text, "{:<10}{:>10}", "total", seconds(total));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_first_failure_ends_the_run() {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let steps = [
            Step {
                name: "good",
                run: || Ok(()),
            },
            Step {
                name: "bad",
                run: || anyhow::bail!("it broke"),
            },
            Step {
                name: "later",
                run: || {
                    RUNS.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                },
            },
        ];
        let error = run_steps(&steps).unwrap_err();
        assert_eq!(format!("{error:#}"), "step bad: it broke");
        assert_eq!(RUNS.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_table_has_a_row_per_step_and_a_total() {
        let rows = [
            ("fmt", Some(Duration::from_millis(1200)), "ok"),
            ("test", Some(Duration::from_mins(1)), "FAILED"),
            ("outside", None, "not run"),
        ];
        assert_eq!(
            table(&rows),
            "fmt            1.2 s  ok\n\
             test          60.0 s  FAILED\n\
             outside            -  not run\n\
             total         61.2 s"
        );
    }
}
