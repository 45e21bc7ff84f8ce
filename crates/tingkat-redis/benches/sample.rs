//! What one look at a server costs, from the question to the verdict; the server is on this machine.
//!
//! At one look in ten seconds a thousandth of a core is ten milliseconds a look.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tingkat::clock::SystemClock;
use tingkat_health::{Look, Monitor};
use tingkat_redis::{Config, Redis, State};

fn look(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(tingkat_testkit::Redis::start()).unwrap();
    let config = Config::new(server.url().parse().unwrap(), "shop:");
    let _guard = runtime.enter();
    let tier = Redis::start(config, Arc::new(SystemClock));
    runtime.block_on(async {
        tier.state().wait_for(State::is_usable).await.unwrap();
    });
    let (mut sampler, mut monitor) = (tier.sampler(), Monitor::default());
    let mut at = Duration::ZERO;
    criterion.bench_function("look at a server and judge it", |bencher| {
        bencher.iter(|| {
            at += Duration::from_secs(10);
            let redis = runtime.block_on(sampler.sample());
            monitor.take(Look::of_redis(at, redis))
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = look
}
criterion_main!(benches);
