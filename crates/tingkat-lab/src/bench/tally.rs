//! Makes of what lanes wrote down what a report has of it.

use hdrhistogram::Histogram;

use super::number::{micros, real};
use super::recorder::{Cell, Class, Recorder};
use super::report::{ClassReport, CoursePoint, CurvePoint, KindReport, Latency, TierReport};
use super::subject::{Kind, Tier};

/// Where the curve has its points.
const QUANTILES: [f64; 16] = [
    0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999,
    1.0,
];

/// The times of all cells of these classes.
pub(super) fn together(
    record: &Recorder,
    from_intended: bool,
    is_wanted: impl Fn(&Class) -> bool,
) -> Histogram<u64> {
    let mut all = super::recorder::histogram();
    for cell in record.cells.iter().filter(|cell| is_wanted(&cell.class)) {
        let times = if from_intended {
            &cell.response
        } else {
            &cell.service
        };
        // All have the same bounds.
        let _ = all.add(times);
    }
    all
}

pub(super) fn kinds(record: &Recorder, from_intended: bool) -> Vec<KindReport> {
    let reports = Kind::ALL.into_iter().map(|kind| {
        let times = together(record, from_intended, |class| class.kind == kind);
        KindReport {
            kind,
            operations: times.len(),
            noticed: latency(&times),
        }
    });
    reports.filter(|it| it.operations > 0).collect()
}

pub(super) fn classes(record: &Recorder) -> Vec<ClassReport> {
    let report = |cell: &Cell| ClassReport {
        kind: cell.class.kind,
        tier: cell.class.tier,
        state: cell.class.state,
        operations: cell.service.len(),
        service: latency(&cell.service),
    };
    let mut classes: Vec<ClassReport> = record.cells.iter().map(report).collect();
    classes.sort_by_key(|it| (it.kind, it.tier, it.state));
    classes
}

pub(super) fn latency(times: &Histogram<u64>) -> Latency {
    let at = |quantile| micros(times.value_at_quantile(quantile));
    if times.is_empty() {
        return Latency::default();
    }
    Latency {
        mean: times.mean() / 1e3,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: micros(times.max()),
    }
}

/// By who answered. Where nobody says, there is nothing to tell apart.
pub(super) fn tiers(record: &Recorder, from_intended: bool) -> Vec<TierReport> {
    let tiers = [Tier::Memory, Tier::Redis, Tier::Database].map(|tier| {
        let times = together(record, from_intended, |class: &Class| class.tier == tier);
        TierReport {
            tier,
            operations: times.len(),
            noticed: latency(&times),
            curve: curve(&times),
        }
    });
    let answered = tiers.into_iter().filter(|tier| tier.operations > 0);
    answered.collect()
}

pub(super) fn curve(times: &Histogram<u64>) -> Vec<CurvePoint> {
    if times.is_empty() {
        return Vec::new();
    }
    let point = |quantile| CurvePoint {
        quantile,
        micros: micros(times.value_at_quantile(quantile)),
    };
    QUANTILES.into_iter().map(point).collect()
}

pub(super) fn course(record: &Recorder) -> Vec<CoursePoint> {
    let length = record.part_length().as_secs_f64();
    let mut end = 0.0;
    let points = record.parts.iter().map(|part| {
        end += length;
        let at = |quantile| micros(part.times.value_at_quantile(quantile));
        CoursePoint {
            seconds: end,
            rate: real(part.times.len()) / length,
            error_rate: real(part.errors) / length,
            by_tier: part.by_tier.map(|count| real(count) / length),
            p50: if part.times.is_empty() { 0.0 } else { at(0.5) },
            p99: if part.times.is_empty() { 0.0 } else { at(0.99) },
        }
    });
    points.collect()
}
