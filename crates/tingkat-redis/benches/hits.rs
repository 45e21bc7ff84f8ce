//! What the cache costs on top of the client: `cargo bench -p tingkat-redis --bench hits`.
//!
//! Hits of the redis tier beside a bare GET and the same decode, `get_many` of 100 beside a bare
//! MGET, and both over a cluster beside the client's own cluster connection. The bare client has its
//! own settings; where a name says so, it turns `TCP_NODELAY` on as the tier does. Bare and not take
//! turns in one run, and each ratio is the median of its rounds. Starts servers of its own. Words
//! behind `--` choose the figures that have one of them in their names.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark measures real time, prints, and stops at a surprise"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{AsyncCommands as _, AsyncConnectionConfig, IntoConnectionInfo};
use tingkat::clock::SystemClock;
use tingkat::codec::{Codec as _, MessagePack};
use tingkat::envelope::Envelope;
use tingkat::key::{Key as _, KeySpace};
use tingkat::ports::{Loaded, Remote as _};
use tingkat::{Cache, Node, Placement, Policy};
use tingkat_redis::{Config, Redis, State};
use tingkat_testkit::figures::{self, Limit};
use tingkat_testkit::redis::Cluster;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PREFIX: &str = "bench:";
const ENTITY: &str = "value";
const KEYS: usize = 10_000;
const CALLERS: usize = 64;

/// How long either side waits for an answer: nothing fails where the machine has other things to do.
const PATIENCE: Duration = Duration::from_secs(5);
const MANY: usize = 100;

/// How often bare and not take turns, and how long each turn is.
const ROUNDS: usize = 7;
const TURN: Duration = Duration::from_secs(1);

/// A run that only shows that it runs: `-- --quick`.
const QUICK: Duration = Duration::from_millis(100);

fn main() {
    let turn = if std::env::args().any(|argument| argument == "--quick") {
        QUICK
    } else {
        TURN
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        println!(
            "{:44} {:>12} {:>12} {:>7}   target",
            "", "bare", "cache", "ratio"
        );
        standalone(turn).await;
        cluster(turn).await;
    });
}

async fn standalone(turn: Duration) {
    let server = tingkat_testkit::Redis::start().await.expect("a server");
    let url = server.url();
    let bare = connection(url.as_str()).await;
    let nodelay = connection(with_nodelay(&url)).await;
    let direct = cache(&url, Placement::Remote).await;
    fill(&direct).await;
    let tier = tier(&url).await;
    let crowd = Crowd(CALLERS, turn);
    compare(
        "the tier alone, 64 callers",
        None,
        &bare,
        crowd,
        move |key| {
            let tier = Arc::clone(&tier);
            async move {
                let name = KeySpace::new(PREFIX, ENTITY, 1).cell(&key);
                let cell = tier.get(&name).await.expect("an answer");
                assert_eq!(decoded(&cell.expect("a cell"), key).len(), 400);
            }
        },
    )
    .await;
    let both = cache(&url, Placement::Both).await;

    for (placement, cache, least) in [("redis", &direct, 0.9), ("both", &both, 0.85)] {
        let what = format!("a hit, 64 callers, placement {placement}");
        let least = Some(Limit::AtLeast(least));
        hits(&what, least, &bare, cache, crowd).await;
        let what = format!("{what}, nodelay");
        hits(&what, None, &nodelay, cache, crowd).await;
    }
    for (what, callers) in [
        ("a hit, 8 callers, placement redis", 8),
        ("a hit, a lone caller, placement redis", 1),
    ] {
        hits(what, None, &bare, &direct, Crowd(callers, turn)).await;
    }
    let most = Some(Limit::AtMost(1.3));
    many("get_many of 100, cost", most, &bare, &direct, turn).await;
    let what = "get_many of 100, cost, nodelay";
    many(what, None, &nodelay, &direct, turn).await;
}

/// Whether a figure is wanted.
fn is_chosen(what: &str) -> bool {
    let words = || {
        std::env::args()
            .skip(1)
            .filter(|word| !word.starts_with('-'))
    };
    words().next().is_none() || words().any(|word| what.contains(&word))
}

async fn cluster(turn: Duration) {
    let (hit, many_of_it) = (
        "cluster of 3: a hit, 64 callers",
        "cluster of 3: get_many of 100, cost",
    );
    if !is_chosen(hit) && !is_chosen(many_of_it) {
        return;
    }
    let cluster = Cluster::start().await.expect("a cluster");
    let client = redis::cluster::ClusterClient::new(cluster.urls()).expect("URLs");
    let bare: ClusterConnection = client.get_async_connection().await.expect("a connection");
    let direct = cache(&cluster.urls()[0], Placement::Remote).await;
    fill(&direct).await;
    hits(hit, None, &bare, &direct, Crowd(CALLERS, turn)).await;
    many(many_of_it, None, &bare, &direct, turn).await;
}

/// A connection of the bare client, whose settings are its own but for its patience.
async fn connection(to: impl IntoConnectionInfo) -> MultiplexedConnection {
    let client = redis::Client::open(to).expect("a URL");
    let waits = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let connecting = client.get_multiplexed_async_connection_with_config(&waits);
    connecting.await.expect("a connection")
}

/// The same server, with the one setting in which the client differs from the tier: it lets the
/// kernel hold commands back until earlier ones are acknowledged. That makes larger packets, so on
/// one machine more answers a second, and on a network slow ones.
fn with_nodelay(url: &str) -> redis::ConnectionInfo {
    let info = url.into_connection_info().expect("a URL");
    info.set_tcp_settings(redis::io::tcp::TcpSettings::default().set_nodelay(true))
}

/// A tier that is connected.
async fn tier(url: &str) -> Arc<Redis> {
    let mut config = Config::new(url.parse().expect("a URL"), PREFIX);
    config.response_timeout = PATIENCE;
    let tier = Arc::new(Redis::start(config, Arc::new(SystemClock)));
    let mut state = tier.state();
    let up = state.wait_for(|state| *state == State::Up);
    up.await.expect("the tier is not closed");
    drop(state);
    tier
}

/// A cache whose every read asks Redis: it has no memory tier, or one that holds nothing.
async fn cache(url: &str, placement: Placement) -> Cache<u64, Vec<u8>> {
    let remote = tier(url).await;
    let node = Node::builder()
        .prefix(PREFIX)
        .remote(remote)
        .remote_budget(PATIENCE)
        .build();
    Cache::builder(ENTITY)
        .node(&node)
        .policy(Policy {
            placement,
            memory_bytes: 1,
            early_refresh: 0.0,
            ..Policy::default()
        })
        .load(|key: u64| async move { Ok(Loaded::value(value(key))) })
        .build()
}

fn value(key: u64) -> Vec<u8> {
    vec![key.to_le_bytes()[0]; 400]
}

/// Loads every key, and waits until all are in Redis.
async fn fill(cache: &Cache<u64, Vec<u8>>) {
    let keys: Vec<u64> = (0..KEYS as u64).collect();
    for keys in keys.chunks(MANY) {
        join_all(keys.iter().map(|key| cache.get(key))).await;
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    while cache.stats().fills.get() < KEYS as u64 {
        assert!(Instant::now() < deadline, "everything is filled");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the cache does with a cell, apart from asking whether it is accepted.
fn decoded(cell: &Bytes, key: u64) -> Vec<u8> {
    let envelope = Envelope::decode(cell, &key.text()).expect("an entry");
    let payload = envelope.payload.expect("a value");
    MessagePack.decode(&payload).expect("a value")
}

/// So many callers at a time, for so long.
#[derive(Clone, Copy)]
struct Crowd(usize, Duration);

/// The keys that a caller asks for, in an order of its own.
fn key(caller: usize, turn: usize) -> u64 {
    ((caller * 157 + turn * CALLERS * 3 + caller) % KEYS) as u64
}

async fn hits<C>(
    what: &str,
    target: Option<Limit>,
    bare: &C,
    cache: &Cache<u64, Vec<u8>>,
    crowd: Crowd,
) where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    if !is_chosen(what) {
        return;
    }
    let before = cache.stats().remote_hits.get();
    let reader = cache.clone();
    compare(what, target, bare, crowd, move |key| {
        let cache = reader.clone();
        async move {
            let value = cache.get(&key).await.expect("an answer");
            assert_eq!(value.expect("a value").len(), 400);
        }
    })
    .await;
    let hits = cache.stats().remote_hits.get() - before;
    assert!(hits > 0, "nothing came from redis");
}

/// A bare GET and the same decode, and what `ask` does with a key.
async fn compare<C, F>(
    what: &str,
    target: Option<Limit>,
    bare: &C,
    crowd: Crowd,
    ask: impl Fn(u64) -> F,
) where
    C: ConnectionLike + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    if !is_chosen(what) {
        return;
    }
    let space = Arc::new(KeySpace::new(PREFIX, ENTITY, 1));
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let bare_rate = rate(crowd, |caller, number| {
            let (mut bare, space) = (bare.clone(), Arc::clone(&space));
            async move {
                let key = key(caller, number);
                let cell: Bytes = bare.get(space.cell(&key)).await.expect("an answer");
                assert_eq!(decoded(&cell, key).len(), 400);
            }
        });
        let bare_rate = bare_rate.await;
        let rate = rate(crowd, |caller, number| ask(key(caller, number)));
        rates.push((bare_rate, rate.await));
    }
    print(what, target, &rates, |bare, cache| cache / bare, "/s");
}

/// Answers per second of many callers.
async fn rate<F>(Crowd(callers, turn): Crowd, ask: impl Fn(usize, usize) -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let (since, mut asked) = (Instant::now(), 0);
    // Callers come in waves, so that the clock is not read for each of them.
    while since.elapsed() < turn {
        let mut asking = tokio::task::JoinSet::new();
        for caller in 0..callers {
            let calls: Vec<F> = (0..8).map(|number| ask(caller, asked + number)).collect();
            asking.spawn(async move {
                for call in calls {
                    call.await;
                }
            });
        }
        while let Some(ended) = asking.join_next().await {
            ended.expect("no caller fails");
        }
        asked += 8;
    }
    (asked * callers) as f64 / since.elapsed().as_secs_f64()
}

async fn many<C>(
    what: &str,
    target: Option<Limit>,
    bare: &C,
    cache: &Cache<u64, Vec<u8>>,
    turn: Duration,
) where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    if !is_chosen(what) {
        return;
    }
    let space = KeySpace::new(PREFIX, ENTITY, 1);
    let mut bare = bare.clone();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (since, mut calls) = (Instant::now(), 0);
        while since.elapsed() < turn {
            let keys: Vec<u64> = (0..MANY).map(|i| key(i, calls)).collect();
            let names: Vec<String> = keys.iter().map(|key| space.cell(key)).collect();
            let found: Vec<Bytes> = bare.mget(&names).await.expect("an answer");
            for (cell, key) in found.iter().zip(keys) {
                assert_eq!(decoded(cell, key).len(), 400);
            }
            calls += 1;
        }
        let bare_time = since.elapsed().as_secs_f64() / calls as f64;
        let (since, mut calls) = (Instant::now(), 0);
        while since.elapsed() < turn {
            let keys: Vec<u64> = (0..MANY).map(|i| key(i, calls)).collect();
            for answer in cache.get_many(&keys).await {
                assert_eq!(answer.expect("an answer").expect("a value").len(), 400);
            }
            calls += 1;
        }
        let time = since.elapsed().as_secs_f64() / calls as f64;
        times.push((bare_time * 1e6, time * 1e6));
    }
    print(what, target, &times, |bare, cache| cache / bare, "µs");
}

/// The round with the median ratio.
fn print(
    what: &str,
    target: Option<Limit>,
    rounds: &[(f64, f64)],
    ratio: impl Fn(f64, f64) -> f64,
    unit: &str,
) {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(|a, b| ratio(a.0, a.1).total_cmp(&ratio(b.0, b.1)));
    let (bare, cache) = rounds[rounds.len() / 2];
    let ratio = ratio(bare, cache);
    let verdict = target.map_or(String::new(), |limit| {
        figures::target(&format!("redis tier: {what}"), ratio, "× bare", limit);
        format!("{limit} {}", limit.verdict(ratio))
    });
    println!("{what:44} {bare:>10.0}{unit} {cache:>10.0}{unit} {ratio:>7.2}   {verdict}");
    let cells = [
        ("bare redis-rs", format!("{bare:.0} {unit}")),
        ("cache", format!("{cache:.0} {unit}")),
        ("ratio", format!("{ratio:.2}")),
    ];
    figures::row("redis tier", what, &cells);
}
