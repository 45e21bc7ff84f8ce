//! Where it was measured: a number without a machine is none.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

/// The machine, and the versions of what was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// When, in RFC 3339.
    pub at: String,
    /// The processor.
    pub cpu: String,
    /// How many threads it runs at the same time.
    pub cores: usize,
    /// How the kernel chooses the clock rate; nothing where it does not say.
    pub governor: Option<String>,
    /// The operating system and its kernel.
    pub system: String,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// How the program was compiled.
    pub build: String,
    /// What is known of the subjects, such as the version of Redis.
    pub details: BTreeMap<String, String>,
}

impl Environment {
    /// This machine; `at` is now, in milliseconds since 1970.
    pub fn here(at_ms: u64) -> Self {
        let at = i64::try_from(at_ms).ok();
        let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        Self {
            at: at.map(|at| at.to_string()).unwrap_or_default(),
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            system: system(),
            memory_bytes: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
                .map(|kib| kib << 10),
            build: build(),
            details: BTreeMap::new(),
        }
    }

    /// Adds what is known of a subject.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

fn build() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let how = if cfg!(debug_assertions) {
        "with debug assertions: the numbers are those of no release"
    } else {
        "release"
    };
    let commit = env!("TINGKAT_COMMIT");
    format!(
        "tingkat {version}, commit {commit}, {}, {how}",
        env!("TINGKAT_COMPILER")
    )
}

fn system() -> String {
    let kernel = line("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} {} {kernel}",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
    .trim()
    .to_owned()
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    });
    value.filter(|value| !value.is_empty())
}
