//! Chores of the workspace: the steps of CI, the tests with the servers they need, the tidy
//! checks, and checks by foreign tools. It knows no crate of the workspace and no crate knows it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

mod apt;
mod bench;
mod ci;
mod foreign;
mod outside;
mod platform;
mod process;
mod programs;
mod root;
mod servers;
mod soak;
mod suite;
mod tidy;
mod tool;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Chores of the Tingkat workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything a change must pass, in the order of what fails soonest
    Ci,
    /// All tests, with the real servers they start
    Test {
        /// What to hand to `cargo nextest run`, such as `-p tingkat`; doc tests are then left out
        #[arg(last = true, value_name = "NEXTEST ARGS")]
        nextest: Vec<String>,
    },
    /// The fault suite with real processes: all its runs, for as long as wanted
    Soak(soak::Options),
    /// All figures that have a target, in one run, beside what others would do; writes
    /// docs/benchmarks.md
    Bench(bench::Options),
    /// Rules of the house that no compiler checks
    Tidy,
    /// Checks by tools that are not ours
    Outside(outside::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Ci => ci::run(),
        Command::Test { nextest } => suite::run(&nextest),
        Command::Soak(options) => suite::path().and_then(|path| soak::run(&options, &path)),
        Command::Bench(options) => suite::path().and_then(|path| bench::run(&options, &path)),
        Command::Tidy => tidy::run(),
        Command::Outside(options) => outside::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
