//! Whether a workload can be run: everything in it is bounded.

use std::time::Duration;

use super::{
    Entity, HIGHEST_RATE, LONGEST, MOST_KEYS, MOST_TOGETHER, MOST_UNDER_WAY, Mix, Objective, Phase,
    Workload, WorkloadError,
};
use crate::bench::span;

impl Workload {
    /// Whether it can be run, whatever changed it since it was read.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn check(&self) -> Result<(), WorkloadError> {
        let wrong = |text: String| Err(WorkloadError(text));
        if self.phases.is_empty() {
            return Err(WorkloadError::no_phase());
        }
        let total = self.duration.saturating_add(self.warm_up);
        if self.duration < Duration::from_millis(100) || total > LONGEST {
            return wrong(format!(
                "duration: expected at least 100ms, and at most an hour with the warm-up; it is {}",
                span::shown(total)
            ));
        }
        let is_rate = |rate: f64| (0.1..=HIGHEST_RATE).contains(&rate);
        if let Some(rate) = self.rate.filter(|rate| !is_rate(*rate)) {
            return wrong(format!(
                "rate: expected 0.1 to {HIGHEST_RATE} operations a second, not {rate}"
            ));
        }
        let is_concurrency = |it: usize| (1..=MOST_UNDER_WAY).contains(&it);
        if !is_concurrency(self.concurrency) {
            return wrong(format!(
                "concurrency: expected 1 to {MOST_UNDER_WAY}, not {}",
                self.concurrency
            ));
        }
        if self.operations == Some(0) {
            return wrong("operations: expected at least 1".to_owned());
        }
        if !(1..=MOST_KEYS).contains(&self.keys.most) {
            return wrong(format!("keys.most: expected 1 to {MOST_KEYS}"));
        }
        check_exponent("keys.exponent", self.keys.exponent)?;
        self.mix.check("mix")?;
        if self.entity == Entity::Postcode && self.writes() {
            return wrong(
                "mix: postcodes are not written; expected no `write` and no `import`".to_owned(),
            );
        }
        let are_together = self.phases.iter().any(|phase| phase.timed_together > 1);
        if are_together && self.writes() {
            // How old an answer was is known only of one that is timed by itself.
            return wrong("timed_together: expected 1 in a workload that writes".to_owned());
        }
        self.objective.check()?;
        self.check_names()?;
        self.check_callers()?;
        for phase in &self.phases {
            phase.check(self.rate, is_rate, is_concurrency)?;
            let asks_otherwise = phase.hot > 0.0 || phase.mix(self).absent > 0.0;
            if phase.once && (asks_otherwise || phase.crowd.is_some()) {
                return wrong(format!(
                    "phase {:?}: once: every key is asked for once; expected no `hot`, no `crowd` \
                     and no `absent` in its mix",
                    phase.name
                ));
            }
        }
        Ok(())
    }
}

/// The most keys that one statement writes.
const MOST_IMPORTED: usize = 10_000;

impl Objective {
    fn check(&self) -> Result<(), WorkloadError> {
        let (share, any) = (0.0..=1.0, 0.0..=f64::MAX);
        // The least that can be, but for answers at once.
        let (time, loads) = (f64::MIN_POSITIVE..=f64::MAX, 1.0..=f64::MAX);
        for (name, value, may, words) in [
            ("hit_ratio", self.hit_ratio, &share, "a share from 0 to 1"),
            ("error_rate", self.error_rate, &share, "a share from 0 to 1"),
            ("p99_ms", self.p99_ms, &time, "a time above 0"),
            ("loads_per_crowd", self.loads_per_crowd, &loads, "1 or more"),
            ("beyond_bound", self.beyond_bound, &any, "0 or more"),
        ] {
            if let Some(value) = value.filter(|it| !may.contains(it)) {
                let text = format!("objective.{name}: expected {words}, not {value}");
                return Err(WorkloadError(text));
            }
        }
        Ok(())
    }
}

impl Workload {
    /// Phases are told apart by their names, in the report and beside an earlier one.
    fn check_names(&self) -> Result<(), WorkloadError> {
        let mut names: Vec<&str> = self.phases.iter().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair.first() == pair.last());
        match twice.and_then(<[&str]>::first) {
            Some(name) => Err(WorkloadError(format!(
                "phase {name:?}: expected another name, as there are two of this one"
            ))),
            None => Ok(()),
        }
    }

    /// Nothing that says how operations follow each other may be without effect.
    fn check_callers(&self) -> Result<(), WorkloadError> {
        let all_crowds = self.phases.iter().all(|phase| phase.crowd.is_some());
        if all_crowds && self.rate.is_some() {
            return Err(WorkloadError(
                "rate: crowds come all at once; expected none where every phase is a crowd"
                    .to_owned(),
            ));
        }
        for phase in &self.phases {
            let wrong = |text: &str| Err(WorkloadError(format!("phase {:?}: {text}", phase.name)));
            if phase.concurrency.is_some() && self.rate.is_some() {
                return wrong(
                    "concurrency: with a rate there are no callers who wait; expected one of the two",
                );
            }
            let has_its_way = self.rate.is_some()
                || phase.concurrency.or(phase.crowd).is_some()
                || phase.mix.is_some()
                || phase.once
                || phase.hot > 0.0;
            if phase.lag && has_its_way {
                return wrong(
                    "`lag` writes one key after the other; expected no rate, and none of concurrency, \
                     crowd, mix, once and hot",
                );
            }
            if phase.concurrency.is_some() && phase.crowd.is_some() {
                return wrong("concurrency: `crowd` says how many callers there are");
            }
            if self.operations < phase.crowd && self.operations.is_some() {
                return wrong("operations: expected as many as one crowd has callers, or more");
            }
        }
        Ok(())
    }
}

fn check_exponent(place: &str, exponent: f64) -> Result<(), WorkloadError> {
    if (0.0..=5.0).contains(&exponent) {
        return Ok(());
    }
    Err(WorkloadError(format!(
        "{place}: expected 0 to 5, not {exponent}"
    )))
}

impl Mix {
    fn check(&self, place: &str) -> Result<(), WorkloadError> {
        let shares = [self.read, self.absent, self.batch, self.write, self.import];
        let are_shares = shares.iter().all(|it| (0.0..=1e9).contains(it));
        if !are_shares || shares.iter().sum::<f64>() <= 0.0 {
            return Err(WorkloadError(format!(
                "{place}: expected read, absent, batch, write and import, of which one at least is above 0"
            )));
        }
        if !(1..=100).contains(&self.batch_keys) {
            return Err(WorkloadError(format!(
                "{place}.batch_keys: expected 1 to 100, not {}",
                self.batch_keys
            )));
        }
        if !(1..=MOST_IMPORTED).contains(&self.import_keys) {
            return Err(WorkloadError(format!(
                "{place}.import_keys: expected 1 to {MOST_IMPORTED}, not {}",
                self.import_keys
            )));
        }
        Ok(())
    }
}

impl Phase {
    fn check(
        &self,
        rate: Option<f64>,
        is_rate: impl Fn(f64) -> bool,
        is_concurrency: impl Fn(usize) -> bool,
    ) -> Result<(), WorkloadError> {
        let name = &self.name;
        let wrong = |text: &str| Err(WorkloadError(format!("phase {name:?}: {text}")));
        if !(0.001..=1e6).contains(&self.share) {
            return wrong("share: expected a number above 0");
        }
        if rate.is_some_and(|rate| !is_rate(rate * self.rate_factor)) {
            return wrong("rate_factor: the rate of this phase is out of bounds");
        }
        if !self.concurrency.is_none_or(&is_concurrency) || !self.crowd.is_none_or(is_concurrency) {
            return wrong("concurrency, crowd: expected 1 to 10000");
        }
        if !(1..=MOST_TOGETHER).contains(&self.timed_together) {
            return wrong("timed_together: expected 1 to 1000");
        }
        if !(0.0..=1.0).contains(&self.hot) {
            return wrong("hot: expected a share from 0 to 1");
        }
        if let Some(exponent) = self.exponent {
            check_exponent(&format!("phase {name:?}: exponent"), exponent)?;
        }
        if let Some(mix) = &self.mix {
            mix.check(&format!("phase {name:?}: mix"))?;
        }
        Ok(())
    }
}
