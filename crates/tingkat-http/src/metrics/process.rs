//! What the process costs its machine, under the names that every dashboard knows. Where the system
//! tells nobody, a family is left out.

use std::fmt;
use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::page::{Family, Page};
use crate::app::App;

const CPU: Family = Family::counter(
    "process_cpu_seconds",
    "Time that all threads together spent on a processor",
);
const RESIDENT: Family = Family::gauge(
    "process_resident_memory_bytes",
    "Bytes of memory that the process really has",
);
const STARTED: Family = Family::gauge(
    "process_start_time_seconds",
    "When the process began, in seconds since 1970",
);
const OPEN_FILES: Family = Family::gauge("process_open_fds", "Open files and connections");
const MOST_FILES: Family = Family::gauge(
    "process_max_fds",
    "Files and connections that the process may have open",
);

pub(super) fn collect(app: &App, page: &mut Page<'_>) -> fmt::Result {
    page.one(&CPU, cpu_time().as_secs_f64())?;
    if let Some(bytes) = resident_bytes() {
        page.one(&RESIDENT, bytes)?;
    }
    let started = Duration::from_millis(app.metrics.started_ms());
    page.one(&STARTED, started.as_secs_f64())?;
    if let Some(open) = open_files() {
        page.one(&OPEN_FILES, open)?;
    }
    match getrlimit(Resource::Nofile).current {
        Some(most) => page.one(&MOST_FILES, most),
        None => Ok(()),
    }
}

fn cpu_time() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1 << 10)
}

fn open_files() -> Option<u64> {
    // One of them is the directory that is being read.
    let files = fs::read_dir("/dev/fd").ok()?.count();
    u64::try_from(files.saturating_sub(1)).ok()
}
