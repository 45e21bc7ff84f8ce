//! What judging one look costs: three servers, ten caches, and the looks of five minutes behind it.
//!
//! At one look in ten seconds a thousandth of a core is ten milliseconds a look.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tingkat_health::{Command, Entity, Field, Look, Monitor, Redis, Server};

fn server(name: &str, at: u64) -> Server {
    let mut server = Server::unknown(name);
    server.is_reached = true;
    server.answer_ms = Some(0.4);
    server.run_id = Some("a".repeat(40));
    server.role = Some("master".into());
    server.policy = Some("allkeys-lfu".into());
    server.version = Some("7.0.15".into());
    let commands = (0_u32..20).map(|n| Command {
        name: format!("command{n}"),
        calls: f64::from(n) * 1e3,
        micros: f64::from(n) * 1e5,
    });
    server.commands = Some(commands.collect());
    for &field in Field::ALL {
        server.set(field, Duration::from_secs(at).as_secs_f64());
    }
    server
}

fn look(at: u64) -> Look {
    let entity = |n: u64| Entity {
        name: format!("entity{n}"),
        memory_hits: at * 1_000,
        memory_misses: at * 100,
        redis_hits: at * 50,
        redis_misses: at * 50,
        ..Entity::default()
    };
    Look {
        at: Duration::from_secs(at),
        redis: Some(Redis {
            servers: ["one", "two", "three"]
                .map(|name| server(name, at))
                .to_vec(),
            is_usable: true,
            ..Redis::default()
        }),
        entities: (0..10).map(entity).collect(),
        ..Look::default()
    }
}

fn judge(criterion: &mut Criterion) {
    let mut monitor = Monitor::default();
    let mut at = 0;
    for _ in 0..31 {
        at += 10;
        monitor.take(look(at));
    }
    criterion.bench_function("judge a look", |bencher| {
        bencher.iter_batched(
            || {
                at += 10;
                look(at)
            },
            |look| monitor.take(look),
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = judge
}
criterion_main!(benches);
