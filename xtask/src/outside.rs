//! Checks by foreign tools: what we cannot judge well ourselves. A new one is a row in [`CHECKS`].

use crate::process::{command, run as run_process};
use crate::{bench, foreign, suite, tool};
use anyhow::{Result, bail};

/// How `cargo xtask outside` was asked.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Also run a check that is left out by default
    #[arg(long, value_name = "CHECK")]
    with: Vec<String>,
}

/// One judgement by one tool.
struct Check {
    name: &'static str,
    /// Gets the tool where it is missing.
    needs: fn() -> Result<()>,
    run: fn() -> Result<()>,
    /// Why it runs only when it is asked for by `--with`.
    left_out: Option<&'static str>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "dependencies",
        needs: || tool::DENY.ensure(),
        run: || deny(&["bans", "licenses", "sources"]),
        left_out: None,
    },
    Check {
        name: "metrics",
        needs: foreign::ensure_readers_of_metrics,
        run: || against_the_service("readers_of_metrics"),
        left_out: None,
    },
    Check {
        name: "peers",
        needs: || Ok(()),
        run: bench::check_peers,
        left_out: None,
    },
    Check {
        name: "advisories",
        needs: || tool::DENY.ensure(),
        run: || deny(&["advisories"]),
        left_out: Some("fetches the advisory database from the network"),
    },
    Check {
        name: "openapi",
        needs: foreign::ensure_python,
        run: || run_process(command(foreign::validator()).arg("docs/openapi.json")),
        left_out: None,
    },
    Check {
        name: "schemathesis",
        needs: foreign::ensure_python,
        run: || against_the_service("schemathesis"),
        left_out: None,
    },
    Check {
        name: "nextjs",
        needs: foreign::ensure_node,
        run: || against_the_service("the_recipe_for_nextjs"),
        left_out: None,
    },
    Check {
        name: "php",
        needs: foreign::ensure_php,
        run: || against_the_service("the_recipe_for_php"),
        left_out: None,
    },
];

/// Runs a test that is no test of `cargo xtask test`, because it needs what only this module brings.
fn against_the_service(test: &str) -> Result<()> {
    let path = suite::path()?;
    tool::NEXTEST.ensure()?;
    let filter = format!("package(tingkat-server) & test(/^outside::{test}/)");
    // What `cargo xtask test` builds is built already.
    run_process(
        command("cargo")
            .args(["nextest", "run", "--workspace", "--test", "it"])
            .args(["--run-ignored", "only", "--no-tests", "fail", "-E", &filter])
            .env("PATH", path),
    )
}

fn deny(checks: &[&str]) -> Result<()> {
    run_process(
        command("cargo")
            .args(["deny", "--locked", "--all-features", "check"])
            .args(checks),
    )
}

/// What became of a check.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    NotRun(String),
}

/// Runs every check that it may, and says of each what became of it.
pub(crate) fn run(options: &Options) -> Result<()> {
    run_checks(CHECKS, options)
}

fn run_checks(checks: &[Check], options: &Options) -> Result<()> {
    if let Some(unknown) = options
        .with
        .iter()
        .find(|name| checks.iter().all(|check| check.name != **name))
    {
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        bail!(
            "no check is called `{unknown}`; there are: {}",
            names.join(", ")
        );
    }
    let outcomes: Vec<_> = checks
        .iter()
        .map(|check| (check.name, outcome(check, options)))
        .collect();
    println!();
    let mut failed = Vec::new();
    for (name, outcome) in &outcomes {
        match outcome {
            Outcome::Passed => println!("outside: {name}: passed"),
            Outcome::NotRun(why) => println!("outside: {name}: NOT RUN: {why}"),
            Outcome::Failed(why) => {
                println!("outside: {name}: FAILED: {why}");
                failed.push(*name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("checks by foreign tools failed: {}", failed.join(", "));
    }
    Ok(())
}

fn outcome(check: &Check, options: &Options) -> Outcome {
    if let Some(why) = check.left_out
        && !options.with.iter().any(|name| name == check.name)
    {
        return Outcome::NotRun(format!("{why}; ask for it by `--with {}`", check.name));
    }
    match (check.needs)().and_then(|()| (check.run)()) {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKS: &[Check] = &[
        Check {
            name: "good",
            needs: || Ok(()),
            run: || Ok(()),
            left_out: None,
        },
        Check {
            name: "far",
            needs: || Ok(()),
            run: || bail!("no network"),
            left_out: Some("needs the network"),
        },
    ];

    fn with(name: &str) -> Options {
        Options {
            with: vec![name.to_owned()],
        }
    }

    #[test]
    fn a_check_that_is_left_out_fails_nothing_and_says_how_to_ask() {
        let far = CHECKS.last().unwrap();
        assert_eq!(
            outcome(far, &Options::default()),
            Outcome::NotRun("needs the network; ask for it by `--with far`".to_owned())
        );
        run_checks(CHECKS, &Options::default()).unwrap();
    }

    #[test]
    fn a_check_that_fails_fails_the_run_by_name() {
        let error = run_checks(CHECKS, &with("far")).unwrap_err();
        assert_eq!(error.to_string(), "checks by foreign tools failed: far");
    }

    #[test]
    fn a_tool_that_cannot_be_had_is_a_failure() {
        let check = Check {
            name: "good",
            needs: || bail!("no registry"),
            run: || Ok(()),
            left_out: None,
        };
        assert_eq!(
            outcome(&check, &Options::default()),
            Outcome::Failed("no registry".to_owned())
        );
    }

    #[test]
    fn an_unknown_check_is_an_error_that_lists_the_known_ones() {
        let error = run_checks(CHECKS, &with("fra")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no check is called `fra`; there are: good, far"
        );
    }
}
