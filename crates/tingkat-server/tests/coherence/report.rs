//! What came of a run, as a line for a table, and as a story when the promise was broken.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::checker::{Verdict, Violation, check};
use crate::environment::seed;
use crate::history::{History, Outcome, Tier};
use crate::scene::Plan;

/// Violations that are told in full.
const TOLD: usize = 8;

/// Of a violated key, what happened so long before and after.
const AROUND: Duration = Duration::from_millis(1_500);

/// Lines of a story.
const STORY_LINES: usize = 120;

/// What came of a run.
pub(crate) struct Report {
    name: &'static str,
    nodes: usize,
    least_writes: usize,
    least_marks: usize,
    pub(crate) history: History,
    verdict: Verdict,
    /// After each fault, where that was asked.
    used_again: Vec<Again>,
    logs: String,
}

/// How soon answers came from Redis again.
pub(crate) struct Again {
    pub(crate) after_end: Duration,
    pub(crate) after_beginning: Duration,
}

impl Report {
    pub(crate) fn of(plan: &Plan, history: History, used_again: Vec<Again>, logs: String) -> Self {
        let mut verdict = check(&history);
        verdict.staleness.sort_unstable();
        Self {
            name: plan.name,
            nodes: plan.nodes,
            least_writes: plan.least_writes,
            least_marks: plan.least_marks,
            history,
            verdict,
            used_again,
            logs,
        }
    }

    /// Prints the line, and fails with the story if the promise was broken or nothing was shown.
    #[expect(clippy::print_stdout, reason = "a soak makes its table of these lines")]
    pub(crate) fn must_be_kept(self) -> Self {
        println!("{}", self.line());
        assert!(self.verdict.violations.is_empty(), "{}", self.story());
        let (reads, committed) = (self.history.reads.len(), self.committed());
        assert!(
            reads >= 1_000 && committed >= self.least_writes,
            "{reads} reads and {committed} writes show nothing"
        );
        let marks = self.marks();
        assert!(marks >= self.least_marks, "{marks} marks show nothing");
        self
    }

    /// Everything that is counted, in one line that a soak can find.
    fn line(&self) -> String {
        let count = |tier: fn(&Tier) -> bool| {
            let seen = self
                .history
                .reads
                .iter()
                .filter_map(|read| read.outcome.ok());
            seen.filter(|seen| tier(&seen.tier)).count()
        };
        let errors = self
            .history
            .reads
            .iter()
            .filter(|read| read.outcome.is_err());
        let ended = |outcome: fn(&Outcome) -> bool| {
            let writes = self.history.writes.iter();
            writes.filter(|write| outcome(&write.outcome)).count()
        };
        let mut line = format!("coherence: {} | seed {}", self.name, seed());
        for (name, value) in [
            ("nodes", self.nodes.to_string()),
            ("bound", format!("{:?}", self.history.bound)),
            ("reads", self.history.reads.len().to_string()),
            ("memory", count(|tier| *tier == Tier::Memory).to_string()),
            ("redis", count(|tier| *tier == Tier::Redis).to_string()),
            (
                "loads",
                count(|tier| matches!(tier, Tier::Source { .. })).to_string(),
            ),
            ("joined", count(|tier| *tier == Tier::Joined).to_string()),
            ("writes", self.committed().to_string()),
            (
                "rolled back",
                ended(|it| *it == Outcome::RolledBack).to_string(),
            ),
            ("unknown", ended(|it| *it == Outcome::Unknown).to_string()),
            ("marks", self.marks().to_string()),
            ("errors", errors.count().to_string()),
            ("staleness max", self.staleness(1.0)),
            ("p50", self.staleness(0.5)),
            ("p99", self.staleness(0.99)),
            ("p99.9", self.staleness(0.999)),
            ("redis again", self.used_again()),
            ("verdict", self.word()),
        ] {
            if !value.is_empty() {
                // Writing to a string can not fail.
                let _ = write!(line, " | {name} {value}");
            }
        }
        line
    }

    /// Answers that say that they may be stale.
    fn marks(&self) -> usize {
        let seen = self
            .history
            .reads
            .iter()
            .filter_map(|read| read.outcome.ok());
        seen.filter(|seen| seen.is_marked).count()
    }

    fn committed(&self) -> usize {
        let writes = self.history.writes.iter();
        writes
            .filter(|write| matches!(write.outcome, Outcome::Committed(_)))
            .count()
    }

    /// Nothing where it was not asked.
    fn used_again(&self) -> String {
        let seconds = self.used_again.iter();
        let seconds: Vec<String> = seconds
            .map(|again| {
                let [end, beginning] = [again.after_end, again.after_beginning];
                let [end, beginning] = [end.as_secs_f64(), beginning.as_secs_f64()];
                format!("{end:.2}s ({beginning:.2}s from the beginning)")
            })
            .collect();
        seconds.join(", ")
    }

    fn staleness(&self, share: f64) -> String {
        let all = &self.verdict.staleness;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index, rounded"
        )]
        let index = (all.len() as f64 * share).ceil() as usize;
        let value = all.get(index.saturating_sub(1)).copied();
        let value = value.unwrap_or_default();
        format!("{:.1}ms", value.as_secs_f64() * 1_000.0)
    }

    /// `kept`, or how often which promise was broken.
    fn word(&self) -> String {
        if self.verdict.violations.is_empty() {
            return "kept".to_owned();
        }
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for violation in &self.verdict.violations {
            *kinds.entry(violation.name()).or_default() += 1;
        }
        let kinds: Vec<String> = kinds
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        format!("BROKEN: {}", kinds.join(", "))
    }

    /// The first violations, and what happened around the first one.
    fn story(&self) -> String {
        let mut story = format!("{}\n", self.line());
        for fault in &self.history.faults {
            let _ = writeln!(story, "fault   {fault}");
        }
        for violation in self.verdict.violations.iter().take(TOLD) {
            let _ = writeln!(story, "BROKEN  {violation}");
        }
        if let Some(first) = self.verdict.violations.first() {
            story.push_str(&self.around(first));
        }
        story + &self.logs
    }

    /// What happened to a violated key.
    fn around(&self, violation: &Violation) -> String {
        let Some(key) = violation.key() else {
            return String::new();
        };
        let reads = self.history.reads.iter().filter(|read| read.key == key);
        let writes = self.history.writes.iter().filter(|write| write.key == key);
        let at = violation.at();
        let (from, to) = (
            at.saturating_sub(AROUND + self.history.bound),
            at.saturating_add(AROUND),
        );
        let mut lines: Vec<(Duration, String)> = reads
            .map(|read| (read.started, read.to_string()))
            .chain(writes.map(|write| (write.asked, format!("WRITE {write}"))))
            .filter(|(at, _)| (from..to).contains(at))
            .collect();
        lines.sort();
        let skipped = lines.len().saturating_sub(STORY_LINES);
        let lines = lines.into_iter().skip(skipped);
        let lines: Vec<String> = lines.map(|(_, line)| line).collect();
        format!("around it ({skipped} left out):\n{}\n", lines.join("\n"))
    }
}
