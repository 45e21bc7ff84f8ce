//! A report whose numbers are made up, for the tests of what is made of it.

use super::beside::compared;
use super::comparison::{Comparison, Regression};
use super::environment::Environment;
use super::grade;
use super::objective::Objective;
use super::report::{
    ClassReport, CoursePoint, CurvePoint, Generator, KindReport, Latency, PhaseReport, Report,
    RunReport, SCHEMA_VERSION, Staleness, SubjectReport, TierReport,
};
use super::subject::{Counters, Kind, State, Tier};
use super::workload::Workload;

fn times(p50: f64) -> Latency {
    Latency {
        mean: p50 * 1.5,
        p50,
        p90: p50 * 2.0,
        p99: p50 * 5.0,
        p999: p50 * 20.0,
        max: p50 * 100.0,
    }
}

fn class(kind: Kind, tier: Tier, state: State, operations: u64, p50: f64) -> ClassReport {
    ClassReport {
        kind,
        tier,
        state,
        operations,
        service: times(p50),
    }
}

fn classes(slower: f64) -> Vec<ClassReport> {
    vec![
        class(
            Kind::Read,
            Tier::Memory,
            State::Current,
            9_000,
            0.2 * slower,
        ),
        class(Kind::Read, Tier::Redis, State::Current, 400, 120.0 * slower),
        class(
            Kind::Read,
            Tier::Database,
            State::Current,
            100,
            800.0 * slower,
        ),
        class(
            Kind::Write,
            Tier::Database,
            State::Current,
            500,
            900.0 * slower,
        ),
    ]
}

fn phase(name: &str, slower: f64) -> PhaseReport {
    let curve = |slower: f64| {
        let quantiles = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0];
        let point = |quantile| CurvePoint {
            quantile,
            micros: 10.0 * slower / (1.0001 - quantile),
        };
        quantiles.map(point).to_vec()
    };
    let tier = |tier, operations, times_slower: f64| TierReport {
        tier,
        operations,
        noticed: times(50.0 * slower * times_slower),
        curve: curve(slower * times_slower),
    };
    let course = (1..=10_u32).map(|part| {
        let at = f64::from(part);
        CoursePoint {
            seconds: at,
            rate: 1000.0 + at,
            error_rate: 0.0,
            by_tier: [900.0 - 20.0 * at, 90.0 + 10.0 * at, 10.0 + 10.0 * at, 0.0],
            p50: 1.0 + at / 10.0,
            p99: 100.0 * at,
        }
    });
    PhaseReport {
        name: name.to_owned(),
        seconds: 10.0,
        invalid: Vec::new(),
        operations: 10_000,
        errors: 0,
        wrong: 0,
        looked_up: 9_500,
        asked_rate: Some(1000.0),
        achieved_rate: 1000.0 / slower,
        late: 3,
        held: 0,
        callers: None,
        under_way: 7,
        process_cores: 0.31,
        generator_cores: 0.002,
        timed_together: None,
        service: times(1.2 * slower),
        response: Some(times(60.0 * slower)),
        kinds: vec![
            KindReport {
                kind: Kind::Read,
                operations: 9_500,
                noticed: times(60.0 * slower),
            },
            KindReport {
                kind: Kind::Write,
                operations: 500,
                noticed: times(900.0 * slower),
            },
        ],
        classes: classes(slower),
        hit_ratio: Some(0.9895),
        counters: Some(Counters {
            memory_hits: 9_000,
            redis_hits: 400,
            loads: 60,
            loaded_keys: 100,
            joined: 4,
            evictions: 0,
            redis_failures: 0,
            overloads: 0,
            entries: 1_958,
            bytes: 3_500_000,
        }),
        staleness: Some(Staleness {
            judged: 9_500,
            replaced: 12,
            replaced_p99_ms: 40.0,
            beyond_bound: 0,
            bound_ms: Some(1000.0),
            knew_writes: false,
            p99_ms: 0.0,
            max_ms: 42.0,
        }),
        crowd: None,
        lag: None,
        laps: None,
        curve: curve(slower),
        tiers: vec![
            tier(Tier::Memory, 9_000, 0.5),
            tier(Tier::Redis, 400, 2.0),
            tier(Tier::Database, 600, 8.0),
        ],
        course: course.collect(),
    }
}

fn subject(name: &str, about: &str, slower: f64, runs: usize) -> SubjectReport {
    let run = |number: usize| {
        let luck = [1.0, 1.1, 0.9, 1.05][number % 4];
        RunReport {
            phases: vec![phase("steady", slower * luck)],
        }
    };
    SubjectReport {
        name: name.to_owned(),
        about: about.to_owned(),
        runs: (0..runs).map(run).collect(),
        skipped: Vec::new(),
    }
}

/// One run of one subject.
pub(super) fn report() -> Report {
    let mut workload = Workload::preset("product-read").unwrap();
    workload.rate = Some(1000.0);
    Report {
        schema_version: SCHEMA_VERSION,
        workload,
        seed: 42,
        trace: None,
        environment: Environment {
            at: "2026-11-27T12:00:00Z".to_owned(),
            cpu: "A processor".to_owned(),
            cores: 2,
            governor: Some("performance".to_owned()),
            system: "linux x86_64 6.1".to_owned(),
            memory_bytes: Some(8 << 30),
            build: "tingkat 0.1.0, release".to_owned(),
            details: [("redis".to_owned(), "7.4 at 127.0.0.1:6379".to_owned())].into(),
        },
        generator: Generator {
            lanes: 2,
            nanos_per_operation: 180.0,
            nanos_per_wait: 900.0,
            highest_rate: 9_500_000.0,
            is_over_http: false,
        },
        subjects: vec![subject(
            "in process",
            "the caches of the service over SQLite and Redis",
            1.0,
            1,
        )],
        ratios: Vec::new(),
        interrupted: false,
        objectives: Vec::new(),
        grades: None,
        advice: Vec::new(),
        comparison: None,
    }
}

/// Four runs of two subjects, with all that can be made of them.
pub(super) fn full_report() -> Report {
    let mut report = report();
    report.subjects = vec![
        subject(
            "in process",
            "the caches of the service over SQLite and Redis",
            1.0,
            4,
        ),
        subject("redis", "GET of the same bytes, not decoded", 3.0, 4),
    ];
    report.ratios = compared(&report.subjects);
    let mut before = report.clone();
    for run in &mut before.subjects[0].runs {
        for phase in &mut run.phases {
            phase.response = Some(times(30.0));
        }
    }
    report.grades = grade::grade(&report);
    let objectives = Objective::read_all("read.p99<1ms,memory.p99<0.1ms,hit_ratio>99.5%").unwrap();
    report.objectives = objectives.iter().map(|it| it.judge(&report)).collect();
    let regressions = Regression::read_all("p99 > +10%").unwrap();
    let comparison = Comparison::of("last week", &before, &report, &regressions);
    assert_eq!(comparison.failures(&regressions).len(), 1);
    report.comparison = Some(comparison);
    report
}
