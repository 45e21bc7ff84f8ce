//! In this process, without HTTP: the caches beside Redis alone and the database alone.

use tingkat_lab::bench::{PhaseReport, Report, RunReport};
use tingkat_testkit::figures;

use crate::asking::{Shown, bench, digits, flag, line, median};
use crate::store::Store;
use crate::{Result, Size};

/// Workloads, with what they need besides, and how many times longer than others they run.
const WORKLOADS: [(&str, &[&str], u32); 3] = [
    ("tiers", &["--against", "redis", "--against", "database"], 2),
    (
        "product-read",
        &[
            "--allow-writes",
            "--against",
            "redis",
            "--against",
            "database",
        ],
        1,
    ),
    // An outage has a course, which takes its time.
    ("redis-outage", &["--allow-writes", "--against", "redis"], 2),
];

pub(crate) async fn measure(store: &Store, size: Size) -> Result<()> {
    for (name, more, times) in WORKLOADS {
        let (runs, length) = (size.runs.to_string(), flag(size.length * times));
        let usual = [name, "--runs", &runs, "--duration", &length];
        let report = bench(store.tingkat(), &[&usual[..], more].concat()).await?;
        println!("\ntingkat bench {name}");
        tell(name, &report);
    }
    Ok(())
}

fn tell(workload: &str, report: &Report) {
    let table = format!("tingkat bench {workload}");
    for phase in &report.workload.phases {
        let of = |subject: usize| runs(report, subject, &phase.name);
        for (place, subject) in report.subjects.iter().enumerate() {
            let phases = of(place);
            if phases.is_empty() {
                continue;
            }
            let mut cells = Shown::of(&phases).cells();
            let rates = pairs(report, place, &phase.name);
            let rates = rates.map(|(own, it)| own.achieved_rate / it.achieved_rate);
            let is_open = phases.iter().any(|it| it.asked_rate.is_some());
            let ratio = if is_open || place == 0 {
                String::new()
            } else {
                digits(median(rates.collect()))
            };
            cells.push(("tingkat's rate / this", ratio));
            cells.extend(told_by(&phases));
            let name = format!("{}: {}", phase.name, subject.name);
            println!("{}", line(&name, &cells));
            figures::row(&table, &name, &cells);
        }
    }
}

/// What is asked of the database meanwhile, and how old answers are: the medians of the runs, and all answers
/// beyond the bound. Nothing of whoever does not tell.
fn told_by(runs: &[&PhaseReport]) -> [(&'static str, String); 3] {
    let over = |of: &dyn Fn(&PhaseReport) -> Option<f64>| {
        let all: Option<Vec<f64>> = runs.iter().map(|phase| of(phase)).collect();
        all.map(median)
    };
    #[expect(clippy::cast_precision_loss, reason = "a count for a table")]
    let loads = over(&|phase| Some(phase.counters?.loads as f64 / phase.seconds.max(1e-9)));
    let oldest = over(&|phase| Some(phase.staleness?.max_ms));
    let beyond: Option<u64> = runs.iter().map(|it| Some(it.staleness?.beyond_bound)).sum();
    let shown = |cell: Option<String>| cell.unwrap_or_default();
    [
        ("loads a second", shown(loads.map(|it| format!("{it:.1}")))),
        (
            "oldest answer",
            shown(oldest.map(|it| format!("{it:.0} ms"))),
        ),
        ("beyond the bound", shown(beyond.map(|it| it.to_string()))),
    ]
}

/// A phase of the first subject and of another, of each run in which both had it.
fn pairs<'a>(
    report: &'a Report,
    subject: usize,
    phase: &'a str,
) -> impl Iterator<Item = (&'a PhaseReport, &'a PhaseReport)> {
    let runs = move |subject: usize| {
        let runs = report.subjects.get(subject).map(|it| &it.runs);
        runs.into_iter().flatten()
    };
    let of = move |run: &'a RunReport| run.phases.iter().find(|it| it.name == phase);
    let both = runs(0).zip(runs(subject));
    both.filter_map(move |(own, its)| of(own).zip(of(its)))
}

/// A phase of a subject, in each run that had it.
fn runs<'a>(report: &'a Report, subject: usize, phase: &str) -> Vec<&'a PhaseReport> {
    let runs = report.subjects.get(subject).map(|it| &it.runs);
    let phases = runs.into_iter().flatten().flat_map(|run| &run.phases);
    phases.filter(|it| it.name == phase).collect()
}
