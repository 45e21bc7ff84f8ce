//! Real servers in real trouble: each raises its own check and no other, and heals when its cause is
//! gone. Looks are ten seconds apart on a clock of the test, so nobody waits for a window.

/// The tests of a file: what each of them raises, all of it and nothing else, and heals in the end. What
/// it names behind `beside` may be bad for a moment meanwhile.
macro_rules! troubles {
    ($($name:ident raises [$($id:literal),+] $(beside [$($other:literal),+])?;)+) => {
        /// What the tests of this file raise: each fails where that is not so.
        pub(super) const TROUBLES: &[&[&str]] = &[$(&[$($id),+]),+];

        mod shown {
            $(
                #[tokio::test]
                async fn $name() {
                    let ward = super::$name().await;
                    ward.has_shown(&[$($id),+], &[$($($other),+)?]);
                }
            )+
        }
    };
}

mod clients;
mod commands;
mod coverage;
mod lives;
mod memory;
mod rights;
mod servers;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tingkat_health::check::Status;
use tingkat_health::report::Report;
use tingkat_health::{Grade, Look, Monitor, Thresholds};
use tingkat_redis::{Redis as Tier, Sampler};
use tingkat_testkit::redis::Config;
use tingkat_testkit::{Redis, eventually};

use crate::stage::{LONG, PREFIX, SOON, connected};

/// A server under observation.
struct Ward {
    tier: Tier,
    sampler: Sampler,
    monitor: Monitor,
    now: Duration,
    report: Arc<Report>,
    /// All that was ever bad.
    seen: BTreeSet<String>,
    /// Whether it counts how fast the server answers; a busy machine does so late.
    is_timed: bool,
}

impl Ward {
    /// One that was looked at twice.
    async fn of(tier: Tier) -> Self {
        let mut monitor = Monitor::default();
        let mut ward = Self {
            sampler: tier.sampler(),
            report: monitor.take(Look::default()),
            monitor: Monitor::default(),
            tier,
            now: Duration::ZERO,
            seen: BTreeSet::new(),
            is_timed: false,
        };
        ward.look().await;
        ward.look().await;
        ward
    }

    /// The tier of a server, and the server.
    async fn at(config: Config) -> (Redis, Self) {
        let server = config.start().await.unwrap();
        let ward = Self::of(connected(&server.url()).await).await;
        (server, ward)
    }

    /// The checks that are bad ten seconds later.
    async fn look(&mut self) -> Vec<String> {
        self.look_after(10).await
    }

    async fn look_after(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        let mut redis = self.sampler.sample().await;
        for server in redis.servers.iter_mut().filter(|_| !self.is_timed) {
            server.answer_ms = None;
        }
        self.report = self.monitor.take(Look::of_redis(self.now, redis));
        self.seen.extend(self.bad());
        self.bad()
    }

    fn bad(&self) -> Vec<String> {
        let bad = self
            .report
            .checks
            .iter()
            .filter(|said| said.status.is_bad());
        bad.map(|said| said.id.clone()).collect()
    }

    fn status(&self, id: &str) -> Status {
        let mut checks = self.report.checks.iter();
        checks.find(|said| said.id == id).unwrap().status
    }

    fn value(&self, id: &str) -> Option<f64> {
        let mut checks = self.report.checks.iter();
        checks.find(|said| said.id == id).unwrap().value
    }

    /// Looks until exactly these are bad.
    async fn becomes(&mut self, expected: &[&str]) {
        self.becomes_so(SOON, |bad| bad == expected).await;
    }

    /// Looks until what is bad is as wanted.
    async fn becomes_so(&mut self, within: Duration, is_right: impl Fn(&[String]) -> bool) {
        self.until(within, |ward| is_right(&ward.bad())).await;
    }

    /// Looks until a check says this.
    async fn says(&mut self, id: &str, status: Status) {
        self.until(SOON, |ward| ward.status(id) == status).await;
    }

    async fn until(&mut self, within: Duration, is_right: impl Fn(&Self) -> bool) {
        let ward = tokio::sync::Mutex::new(self);
        let right = eventually(within, || async {
            let mut ward = ward.lock().await;
            ward.look_after(3).await;
            is_right(&ward)
        });
        let right = right.await;
        let ward = ward.into_inner();
        assert!(right.is_ok(), "{:?}", ward.bad());
    }

    /// Looks until this is bad, whatever else is.
    async fn includes(&mut self, id: &str) {
        let is_there = |bad: &[String]| bad.iter().any(|it| it == id);
        self.becomes_so(SOON, is_there).await;
    }

    /// Looks until this is not bad any more.
    async fn includes_not(&mut self, id: &str) {
        let is_away = |bad: &[String]| bad.iter().all(|it| it != id);
        self.becomes_so(SOON, is_away).await;
    }

    /// That these were bad, each of them, and are so no more; and nothing else was but what goes along
    /// with them.
    fn has_shown(&self, raised: &[&str], beside: &[&str]) {
        let silent = raised.iter().find(|id| !self.seen.contains(**id));
        assert_eq!(silent, None, "never raised");
        let named = |id: &&String| {
            let lists = [raised, beside, &BY_A_BUSY_MACHINE];
            lists.iter().any(|list| list.contains(&id.as_str()))
        };
        let strange: Vec<&String> = self.seen.iter().filter(|id| !named(id)).collect();
        assert_eq!(strange, [""; 0], "raised as well");
        let ill = self
            .bad()
            .into_iter()
            .find(|id| raised.contains(&id.as_str()));
        assert_eq!(ill, None, "does not heal");
    }

    /// All that happened has left every window.
    async fn heals(&mut self) {
        self.look_after(301).await;
        assert_eq!(self.look().await, [""; 0]);
        assert_ne!(self.report.cache.grade, Some(Grade::F));
    }
}

/// What a machine does that has no time for the server: any command may take long there.
const BY_A_BUSY_MACHINE: [&str; 1] = ["command_time"];

/// A server with room for this many bytes.
fn small(bytes: u64, policy: &str) -> Config {
    Redis::config().volatile().max_memory(bytes, policy)
}

/// A server that evicts, so that keys without an end are no trouble.
fn evicting() -> Config {
    small(1 << 30, "allkeys-lru")
}

/// Writes so many entries of so many bytes, each with an end.
async fn write(tier: &Tier, from: usize, count: usize, bytes: usize) -> bool {
    use tingkat::ports::Remote as _;
    let value = bytes::Bytes::from(vec![b'x'; bytes]);
    let cells = (from..from + count).map(|n| (format!("{PREFIX}{n}"), value.clone(), LONG));
    tier.set_many(cells.collect()).await.is_ok()
}

/// Puts so many keys of so many bytes in, without an end and past every limit.
async fn populate(server: &Redis, prefix: &str, count: u64, bytes: u64) {
    let script = "for i = ARGV[2], ARGV[3] do redis.call('SET', ARGV[1] .. ':' .. i, string.rep('x', ARGV[4])) end";
    // A part at a time: one script that takes seconds would be killed as a hang.
    for from in (0..count).step_by(50_000) {
        let last = (from + 50_000).min(count) - 1;
        let numbers = [from, last, bytes].map(|it| it.to_string());
        let command = [
            "EVAL",
            script,
            "0",
            prefix,
            &numbers[0],
            &numbers[1],
            &numbers[2],
        ];
        server.cmd(&command).await.unwrap();
    }
}

#[tokio::test]
async fn a_fresh_and_empty_server_is_well_or_not_known_yet() {
    let server = Redis::start().await.unwrap();
    let mut ward = Ward::of(connected(&server.url()).await).await;
    for _ in 0..8 {
        assert_eq!(ward.look().await, [""; 0]);
        assert!(matches!(ward.report.cache.grade, None | Some(Grade::A)));
    }
    assert_eq!(ward.report.cache.grade, Some(Grade::A));
    assert!(ward.report.cache.coverage > 0.8, "{:?}", ward.report.cache);
}

#[tokio::test]
async fn counters_that_are_reset_between_looks_raise_nothing() {
    let (server, mut ward) = Ward::at(evicting()).await;
    assert!(write(&ward.tier, 0, 500, 100).await);
    assert_eq!(ward.look().await, [""; 0]);
    server.cmd(&["CONFIG", "RESETSTAT"]).await.unwrap();
    assert_eq!(ward.look().await, [""; 0]);
    assert_eq!(ward.status("rejected_connections"), Status::Unknown);
    assert_eq!(ward.look().await, [""; 0]);
    assert_eq!(ward.status("rejected_connections"), Status::Ok);
}

/// What the operator sets counts, on a real server as well.
fn judged_by(ward: &mut Ward, id: &str, warning: f64, critical: f64) {
    let limits = tingkat_health::Limits {
        warning: Some(warning),
        critical: Some(critical),
    };
    let check = tingkat_health::checks::find(id).unwrap();
    let thresholds = Thresholds::default().with(check, limits);
    ward.monitor
        .set(thresholds, tingkat_health::Patience::default());
}

#[path = "../../examples/health.rs"]
mod example;

#[tokio::test]
async fn the_example_tells_the_health_of_a_connection() {
    let server = evicting().start().await.unwrap();
    let told = example::health(&server.url()).await.unwrap();
    assert!(
        told.starts_with("Some(A)") || told.starts_with("None"),
        "{told}"
    );
    server.kill();
    let told = example::health(&server.url()).await.unwrap();
    assert!(
        told.starts_with("Some(F)") && told.contains("Redis has not answered"),
        "{told}"
    );
}
