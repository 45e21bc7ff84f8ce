//! What the command line asks for, with the workload that comes of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use tingkat_lab::bench::workload::{Law, MOST_KEYS, PRESETS, Phase};
use tingkat_lab::bench::{
    LEAST_RUNS, MOST_RUNS, Objective, Regression, Report, Trace, Workload, check_changes,
    parse_duration,
};

use crate::exit::{Code, Failure};

/// A trace, or a report, that is larger is not read.
const MOST_FILE_BYTES: u64 = 256 << 20;

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    clippy::doc_markdown,
    reason = "flags, and their help as the terminal shows it"
)]
pub(crate) struct Bench {
    /// What is done; --list tells what there is
    #[arg(value_name = "WORKLOAD", default_value = "product-read")]
    pub(crate) name: String,
    /// A workload of one's own, instead of a built-in one; --print-workload shows how it looks
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    pub(crate) workload: Option<PathBuf>,
    /// Tell what workloads there are, and do nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Print the workload, and do nothing
    #[arg(long, conflicts_with = "workload")]
    pub(crate) print_workload: bool,

    /// Measure the service at an address, such as http://127.0.0.1:8080, and not the caches in this
    /// process
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub(crate) url: Option<String>,
    /// Measure this beside it, in the same run; may be given again
    #[arg(long, value_name = "WHAT", help_heading = "Target")]
    pub(crate) against: Vec<Against>,
    /// Measure although this is configured for production, or the service of --url is on another
    /// machine, where it may be somebody's
    #[arg(long, help_heading = "Target")]
    pub(crate) allow_production: bool,
    /// Write products of a database or a service that is somebody's: their versions rise
    #[arg(long, help_heading = "Target")]
    pub(crate) allow_writes: bool,

    /// Let phases begin with empty tiers at a service of --url: every node forgets the entity
    #[arg(long, requires = "url", help_heading = "Target")]
    pub(crate) allow_forget: bool,

    /// Operations a second, sent whether or not earlier ones were answered
    #[arg(
        long,
        value_name = "RATE",
        help_heading = "Load",
        conflicts_with = "concurrency"
    )]
    pub(crate) rate: Option<f64>,
    /// Callers, each of whom waits for an answer before the next operation
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    pub(crate) concurrency: Option<usize>,
    /// How long a run takes, such as 10s
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) duration: Option<Duration>,
    /// End each phase after so many operations, if its time is not over before
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    pub(crate) operations: Option<usize>,
    /// How long it runs before it is counted
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) warm_up: Option<Duration>,
    /// At most so many keys
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    pub(crate) keys: Option<usize>,
    /// What chance is drawn from
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 42,
        help_heading = "Load"
    )]
    pub(crate) seed: u64,
    /// How often it is repeated; a comparison needs four
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = runs, help_heading = "Load")]
    pub(crate) runs: usize,
    /// Ask for keys as a trace does: 32-bit big-endian numbers, or order lines as CSV with a column
    /// `sku`
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    pub(crate) trace: Option<PathBuf>,

    /// What must be so, such as 'read.p99<2ms,error_rate<0.1%'; exits with 6 if it is not
    #[arg(long, value_name = "OBJECTIVES", value_parser = objectives, help_heading = "Judgement")]
    pub(crate) slo: Option<Several<Objective>>,
    /// Keep the result for --compare, as tingkat-bench-NAME.json
    #[arg(long, value_name = "NAME", help_heading = "Judgement")]
    pub(crate) save_baseline: Option<String>,
    /// Tell what differs from a result that was kept, or from a file of --json
    #[arg(long, value_name = "NAME or FILE", help_heading = "Judgement")]
    pub(crate) compare: Option<String>,
    /// What must not have become worse, such as 'lookup.p99 > +10%'; exits with 6 if it has, or if
    /// nobody can tell
    #[arg(long, value_name = "CHANGES", value_parser = regressions, requires = "compare", help_heading = "Judgement")]
    pub(crate) fail_on: Option<Several<Regression>>,

    /// Write the result as one page that needs nothing else
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) html: Option<PathBuf>,
    /// Write the result as a table
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the curves of latency for plotters of HdrHistogram (.hgrm)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) hdr: Option<PathBuf>,
    /// Tell what is being done in a line for each phase, without one that changes
    #[arg(long, help_heading = "Output")]
    pub(crate) no_progress: bool,
    /// Do not tell what is being done
    #[arg(long, help_heading = "Output")]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) report: super::Report,
}

/// What else is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Against {
    /// GET of the same values as JSON, with their decoding
    Redis,
    /// Every look-up loads from the database
    Database,
}

/// Several of a kind, of one argument.
#[derive(Clone, Debug)]
pub(crate) struct Several<T>(pub(crate) Vec<T>);

fn objectives(text: &str) -> Result<Several<Objective>, String> {
    Objective::read_all(text).map(Several)
}

fn regressions(text: &str) -> Result<Several<Regression>, String> {
    Regression::read_all(text).map(Several)
}

fn runs(text: &str) -> Result<usize, String> {
    let runs = text
        .parse()
        .ok()
        .filter(|runs| (1..=MOST_RUNS).contains(runs));
    runs.ok_or_else(|| format!("expected 1 to {MOST_RUNS}"))
}

/// The built-in workloads, a line each.
pub(crate) fn listed() -> String {
    let read = |(name, text): &(&str, &str)| {
        let about = Workload::read(text).map(|it| it.about);
        format!("{name:<16} {}\n", about.unwrap_or_default())
    };
    PRESETS.iter().map(read).collect()
}

/// What is to be done, once the flags are taken in and the files read.
pub(crate) struct Wanted {
    pub(crate) workload: Workload,
    pub(crate) trace: Option<Trace>,
    /// What it is compared with, and what that is called.
    pub(crate) baseline: Option<(String, Report)>,
}

impl Bench {
    /// Reads what is named, before anything is measured.
    pub(crate) fn wanted(&self) -> Result<Wanted, Failure> {
        let usage = |line: String| Failure::new(Code::Usage, line);
        let mut workload = match &self.workload {
            Some(path) => {
                let text = read(path)?;
                let text = String::from_utf8_lossy(&text);
                Workload::read(&text)
                    .map_err(|error| usage(format!("{}: {error}", path.display())))?
            }
            None => Workload::preset(&self.name).map_err(|error| usage(error.to_string()))?,
        };
        let mut against = self.against.iter();
        let is_twice = |it: &Against| self.against.iter().filter(|other| *other == it).count() > 1;
        if against.any(is_twice) {
            return Err(usage("--against: the same is given twice".to_owned()));
        }
        let trace = self.trace.as_deref().map(trace).transpose()?;
        if trace.is_some() {
            workload.keys.law = Law::Trace;
        } else if workload.keys.law == Law::Trace {
            return Err(usage(
                "keys.law: a trace is replayed; name its file by --trace".to_owned(),
            ));
        }
        if self.concurrency.is_some() {
            let has_its_own =
                |phase: &Phase| phase.lag || phase.concurrency.or(phase.crowd).is_some();
            if workload.phases.iter().all(has_its_own) {
                return Err(usage(format!(
                    "--concurrency: each phase of {} says how many callers it has; change it in a \
                     file, which --print-workload begins",
                    workload.name
                )));
            }
            workload.rate = None;
        }
        workload.rate = self.rate.or(workload.rate);
        workload.concurrency = self.concurrency.unwrap_or(workload.concurrency);
        workload.duration = self.duration.unwrap_or(workload.duration);
        workload.operations = self.operations.or(workload.operations);
        workload.warm_up = self.warm_up.unwrap_or(workload.warm_up);
        workload.keys.most = self.keys.unwrap_or(workload.keys.most).min(MOST_KEYS);
        workload.check().map_err(|error| usage(error.to_string()))?;
        let baseline = self.compare.as_deref().map(baseline).transpose()?;
        if let (Some((name, report)), Some(_)) = (&baseline, &self.fail_on) {
            let theirs = report.first().map_or(0, |it| it.runs.len());
            if theirs < LEAST_RUNS || self.runs < LEAST_RUNS {
                return Err(usage(format!(
                    "--fail-on: fewer than {LEAST_RUNS} runs show no difference; {name} has \
                     {theirs}, and --runs is {}",
                    self.runs
                )));
            }
        }
        self.check_judgement(&workload, baseline.as_ref())
            .map_err(usage)?;
        if let Some(name) = &self.save_baseline {
            baseline_path(name)?;
        }
        Ok(Wanted {
            workload,
            trace,
            baseline,
        })
    }
}

impl Bench {
    /// What can not be measured by the workload can neither be kept nor be missed.
    fn check_judgement(
        &self,
        workload: &Workload,
        baseline: Option<&(String, Report)>,
    ) -> Result<(), String> {
        let phases: Vec<&str> = workload.phases.iter().map(|it| it.name.as_str()).collect();
        let objectives = self.slo.as_ref().map_or(&[][..], |it| &it.0);
        let mut named = objectives.iter().filter_map(Objective::phase);
        if let Some(name) = named.find(|name| !phases.contains(name)) {
            return Err(format!(
                "--slo: {} has no phase {name:?}; expected one of {}",
                workload.name,
                phases.join(", ")
            ));
        }
        if let (Some((name, before)), Some(changes)) = (baseline, &self.fail_on) {
            check_changes(&changes.0, name, before, workload)
                .map_err(|why| format!("--fail-on: {why}"))?;
        }
        Ok(())
    }
}

fn trace(path: &Path) -> Result<Trace, Failure> {
    let bytes = read(path)?;
    let name = path.file_name().map(|name| name.to_string_lossy());
    Trace::read(&name.unwrap_or_default(), &bytes)
        .map_err(|error| Failure::new(Code::Usage, format!("{}: {error}", path.display())))
}

/// A file, if it is not too large to be meant.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: String| {
        Failure::new(
            Code::Usage,
            format!("failed to read {}: {error}", path.display()),
        )
    };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if size.len() > MOST_FILE_BYTES {
        return Err(failed("it has more than 256 MiB".to_owned()));
    }
    std::fs::read(path).map_err(|error| failed(error.to_string()))
}

/// Where a result is kept under a name.
pub(crate) fn baseline_path(name: &str) -> Result<PathBuf, Failure> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        let line = format!("--save-baseline {name:?}: expected letters, digits, `-`, `_` or `.`");
        return Err(Failure::new(Code::Usage, line));
    }
    Ok(PathBuf::from(format!("tingkat-bench-{name}.json")))
}

/// The result that is kept under a name, or in a file.
fn baseline(name: &str) -> Result<(String, Report), Failure> {
    let kept = baseline_path(name).ok().filter(|path| path.exists());
    let path = kept.unwrap_or_else(|| PathBuf::from(name));
    let wrong = |why: String| Failure::new(Code::Usage, format!("--compare {name}: {why}"));
    if !path.exists() {
        let line = format!("there is no {} and no such file", path.display());
        return Err(wrong(line));
    }
    let report: Report = serde_json::from_slice(&read(&path)?)
        .map_err(|error| wrong(format!("not a result of tingkat bench: {error}")))?;
    if report.schema_version != tingkat_lab::bench::SCHEMA_VERSION {
        let line = format!(
            "its schema_version is {}, expected {}",
            report.schema_version,
            tingkat_lab::bench::SCHEMA_VERSION
        );
        return Err(wrong(line));
    }
    Ok((name.to_owned(), report))
}
