//! Health as numbers for whoever draws them over time: a source of gauges, whatever collects them.

use crate::buckets::exact;
use crate::check::Status;
use crate::report::Report;

/// One gauge: `tingkat_health_check_value{check="cpu"} 12.5`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// Its name.
    pub name: &'static str,
    /// What it tells, in one sentence.
    pub help: &'static str,
    /// Its labels and their values; a bounded set.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

/// The names of all gauges and what they tell.
pub const GAUGES: [(&str, &str); 9] = [
    ("tingkat_health_score", "How the cache is, from 0 to 100"),
    (
        "tingkat_health_coverage",
        "The share of the weights of the checks that is known",
    ),
    (
        "tingkat_health_service_up",
        "Whether the service takes requests",
    ),
    (
        "tingkat_health_data_status",
        "How true the data is: 0 well, 1 a warning, 2 critical",
    ),
    (
        "tingkat_health_poll_age_seconds",
        "How long ago the last successful poll of the change log was sent",
    ),
    ("tingkat_health_alerts", "Checks that stay bad"),
    (
        "tingkat_health_check_status",
        "What a check says: 0 well, 1 a warning, 2 critical",
    ),
    ("tingkat_health_check_value", "What a check measured"),
    (
        "tingkat_health_fact",
        "How many things of an entity there are of which its operator wants to know",
    ),
];

/// The gauges of a report. What is not known has none: a gauge never stands for a guess.
pub fn gauges(report: &Report) -> Vec<Gauge> {
    let [
        score,
        coverage,
        service,
        data,
        poll_age,
        alerts,
        status,
        value,
        fact,
    ] = GAUGES;
    let mut all = Vec::new();
    let mut put = |(name, help), labels, value: Option<f64>| {
        all.extend(value.map(|value| Gauge {
            name,
            help,
            labels,
            value,
        }));
    };
    put(score, Vec::new(), report.cache.score);
    put(coverage, Vec::new(), Some(report.cache.coverage));
    let is_up = report.service.takes_requests();
    put(service, Vec::new(), Some(f64::from(u8::from(is_up))));
    put(data, Vec::new(), level(report.data));
    let seconds = report
        .poll_age_ms
        .map(|age| std::time::Duration::from_millis(age).as_secs_f64());
    put(poll_age, Vec::new(), seconds);
    let count = u32::try_from(report.alerts.len()).unwrap_or(u32::MAX);
    put(alerts, Vec::new(), Some(f64::from(count)));
    for said in &report.checks {
        let labels = || vec![("check", said.id.clone())];
        put(status, labels(), level(said.status));
        put(value, labels(), said.value);
    }
    for told in &report.facts {
        let labels = vec![("entity", told.entity.clone()), ("fact", told.name.clone())];
        put(fact, labels, Some(exact(told.value)));
    }
    all
}

const fn level(status: Status) -> Option<f64> {
    match status {
        Status::Ok => Some(0.0),
        Status::Warning => Some(1.0),
        Status::Critical => Some(2.0),
        Status::Unknown | Status::Skipped => None,
    }
}
