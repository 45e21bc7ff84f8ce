//! What people read: a bar while it goes on, at a terminal; a line now and then elsewhere; a table in
//! the end.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tingkat::clock::SystemClock;
use tingkat::ports::{Clock as _, Tick};
use tingkat::warm::{EntityReport, Report};

use crate::config::size_text;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

const BAR: &str = "{bar:30} {pos}/{len} keys  {per_sec}  {eta} left  {msg}";

/// Tells how far it is, on standard error.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    next_line: Option<Mutex<Tick>>,
}

impl Progress {
    pub(super) fn new(is_wanted: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = (is_wanted && is_terminal).then(|| {
            let style = ProgressStyle::with_template(BAR);
            // The template is a constant.
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        let next = SystemClock.now().after(LINE_EVERY);
        Self {
            bar,
            next_line: (is_wanted && !is_terminal).then(|| Mutex::new(next)),
        }
    }

    /// Hears of a step.
    #[expect(clippy::print_stderr, reason = "progress is no result")]
    pub(super) fn tell(&self, report: &Report) {
        let (wanted, done, failed) = (report.wanted(), report.done(), report.failed());
        if let Some(bar) = &self.bar {
            bar.set_length(wanted as u64);
            bar.set_position(done as u64);
            bar.set_message(format!("{failed} failed"));
        }
        let Some(next) = &self.next_line else { return };
        let now = SystemClock.now();
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= *next {
            *next = now.after(LINE_EVERY);
            let seconds = report.seconds;
            eprintln!("tingkat: {done} of {wanted} keys, {failed} failed, {seconds:.0} s");
        }
    }

    /// Removes the bar.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The columns of the table: their heads, and what they show.
type Column = (&'static str, fn(&EntityReport) -> String);

const COLUMNS: [Column; 9] = [
    ("entity", |it| it.entity.clone()),
    ("wanted", |it| it.wanted.to_string()),
    ("in memory", |it| it.already_warm.memory.to_string()),
    ("in redis", |it| it.already_warm.redis.to_string()),
    ("loaded", |it| it.loaded.to_string()),
    ("absent", |it| it.absent.to_string()),
    ("failed", |it| it.failures().to_string()),
    ("left", |it| it.left.to_string()),
    ("bytes", |it| size_text(it.bytes)),
];

/// The report for people.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let heads = COLUMNS.map(|(head, _)| head.to_owned());
    // What nobody wanted is no news.
    let is_told = |it: &&EntityReport| {
        it.wanted + it.malformed > 0
            || it.stopped.is_some()
            || it.unranked
            || report.entities.len() == 1
    };
    let told: Vec<&EntityReport> = report.entities.iter().filter(is_told).collect();
    let rows = told
        .iter()
        .map(|entity| COLUMNS.map(|(_, show)| show(entity)));
    let rows: Vec<[String; 9]> = [heads].into_iter().chain(rows).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &[String; 9]| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            if column == 0 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.extend(told.iter().flat_map(|entity| remarks(entity)));
    lines.push(verdict(report));
    lines
}

/// What a row of numbers does not say.
fn remarks(report: &EntityReport) -> Vec<String> {
    let entity = &report.entity;
    let mut lines = Vec::new();
    if let Some(stopped) = report.stopped {
        lines.push(format!("{entity}: {}", stopped.name()));
    }
    for failed in &report.failed {
        lines.push(format!(
            "{entity}: {} keys failed: {}",
            failed.keys, failed.reason
        ));
    }
    if report.not_in_redis > 0 {
        let keys = report.not_in_redis;
        lines.push(format!(
            "{entity}: {keys} keys are in memory alone, redis is not known to have them"
        ));
    }
    if report.not_in_memory > 0 {
        let keys = report.not_in_memory;
        lines.push(format!(
            "{entity}: {keys} keys are in redis alone, memory has no room for them: see memory_bytes"
        ));
    }
    if report.unranked {
        lines.push(format!(
            "{entity}: nobody ranks its keys, and no look-ups of it are known: none is warmed"
        ));
    }
    if report.malformed > 0 {
        let shown: Vec<String> = report
            .malformed_examples
            .iter()
            .map(|it| format!("{it:?}"))
            .collect();
        let (count, shown) = (report.malformed, shown.join(", "));
        lines.push(format!(
            "{entity}: {count} texts are no keys, such as {shown}"
        ));
    }
    if let Some(checked) = &report.checked {
        let (same, different) = (checked.same, checked.different);
        let (missing, unknown) = (checked.missing, checked.unknown);
        lines.push(format!(
            "{entity}: compared with the database: {same} the same, {different} different, {missing} missing, {unknown} not comparable"
        ));
    }
    lines
}

fn verdict(report: &Report) -> String {
    let (wanted, seconds) = (report.wanted(), report.seconds);
    let left: usize = report.entities.iter().map(|it| it.left).sum();
    if report.dry_run {
        return format!("{left} of {wanted} keys would be loaded.");
    }
    if report.success {
        return match report.not_in_memory() {
            0 => format!("All {wanted} keys are warm, after {seconds:.1} s."),
            some => format!(
                "All {wanted} keys are warm, {some} of them in redis alone, after {seconds:.1} s."
            ),
        };
    }
    let (failed, end) = (report.failed(), report.end.name());
    format!(
        "Not all is warm: {end} after {seconds:.1} s; of {wanted} keys {failed} failed and {left} are left."
    )
}
