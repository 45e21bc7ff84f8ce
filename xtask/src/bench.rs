//! Every figure that has a target, in one run on one machine, and what others would do instead, beside
//! it. Writes docs/benchmarks.md of what the benchmarks say; it measures nothing by itself.

mod figures;
mod machine;
mod page;
mod peers;
mod programs;

use crate::root::root;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use figures::Line;
use peers::Peers;
use programs::{PROGRAMS, Program, Programs};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the page is, and where that of a quick run goes, whose figures mean nothing.
const PAGE: &str = "docs/benchmarks.md";
const FOLDER: &str = "target/bench";

/// How `cargo xtask bench` was asked.
#[derive(Args)]
pub(crate) struct Options {
    /// Only show that all of it runs, in minutes; the page goes to target/bench
    #[arg(long)]
    quick: bool,
    /// A folder with traces of real shops, as *.trace.xz
    #[arg(long, value_name = "FOLDER")]
    traces: Option<PathBuf>,
    /// Only benchmarks with this in their names; the page goes to target/bench
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Build everything, and measure nothing
    #[arg(long)]
    no_run: bool,
}

/// What a benchmark came to.
struct Ran {
    program: &'static Program,
    lines: Vec<Line>,
    /// Why there may be less than it should have told.
    failure: Option<String>,
}

/// Checks the peer in Rust, which is no member of the workspace, so that it does not rot.
pub(crate) fn check_peers() -> Result<()> {
    peers::check()
}

/// Runs what the options say, with the servers in `path`.
pub(crate) fn run(options: &Options, path: &OsStr) -> Result<()> {
    let folder = root().join(FOLDER);
    fs::create_dir_all(&folder).context("failed to make a folder for the figures")?;
    let peers = Peers::build()?;
    let programs = Programs::build(path)?;
    if options.no_run {
        return Ok(());
    }
    let is_wanted = |program: &&Program| {
        let only = options.only.as_deref();
        only.is_none_or(|text| program.name.contains(text))
    };
    // Before an hour in which somebody may commit.
    let machine = machine::facts()?;
    let wanted: Vec<&Program> = PROGRAMS.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let names: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
        bail!(
            "no benchmark has that name; there are: {}",
            names.join(", ")
        );
    }
    let page = if options.quick || options.only.is_some() {
        folder.join("benchmarks.md")
    } else {
        root().join(PAGE)
    };
    let mut all = Vec::new();
    for (place, program) in wanted.iter().enumerate() {
        println!("\n==> {}", program.name);
        all.push(measure(program, &programs, &peers, options, &folder)?);
        // After each, so that a run that is ended early leaves what it has.
        let later: Vec<&str> = wanted.iter().skip(place + 1).map(|it| it.title).collect();
        fs::write(&page, page::text(&all, &later, &machine, options.quick))
            .with_context(|| format!("failed to write {}", page.display()))?;
    }
    println!("\nwritten: {}", page.display());
    let failed: Vec<_> = all.iter().filter(|ran| ran.failure.is_some()).collect();
    if !failed.is_empty() {
        let names: Vec<_> = failed.iter().map(|ran| ran.program.name).collect();
        bail!("benchmarks failed: {}", names.join(", "));
    }
    Ok(())
}

fn measure(
    program: &'static Program,
    programs: &Programs,
    peers: &Peers,
    options: &Options,
    folder: &Path,
) -> Result<Ran> {
    if options.quick
        && let Some(why) = program.not_quick
    {
        return Ok(Ran {
            program,
            lines: vec![Line::not_run(program.name, why)],
            failure: None,
        });
    }
    let file = folder.join(format!("{}.jsonl", program.name));
    if file.exists() {
        fs::remove_file(&file).context("failed to remove figures of an earlier run")?;
    }
    let mut command = programs.command(program, options.quick)?;
    command.env("TINGKAT_FIGURES", &file);
    for (name, place) in peers.variables() {
        command.env(name, place);
    }
    if let Some(traces) = &options.traces {
        let traces = traces
            .canonicalize()
            .with_context(|| format!("{} is no folder", traces.display()))?;
        command.env("TINGKAT_TRACES", traces);
    }
    // The others go on, so that an hour's figures are not lost by one that fails.
    // The page has no paths of a machine, so that the command is not in it.
    let status = command.status().context("failed to start a benchmark")?;
    let failure = (!status.success()).then(|| format!("it ended with {status}"));
    if let Some(failure) = &failure {
        println!("FAILED: {failure}");
    }
    Ok(Ran {
        program,
        lines: figures::read(&file)?,
        failure,
    })
}
