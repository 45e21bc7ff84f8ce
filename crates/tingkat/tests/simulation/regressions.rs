//! What seeds have found, each as short as it can be told.

use std::sync::Arc;
use std::time::Duration;

use tingkat::certificate::{Change, ChangeKind, Dep};
use tingkat::key::KeySpace;
use tingkat::{Cache, Node, Options, Policy, Tier};
use tingkat_testkit::TestClock;
use tingkat_testkit::fakes::{FakeDatabase, FakeRedis, FakeSource, RedisHandle, Versioned};
use tokio::time::sleep;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

struct Stage {
    clock: TestClock,
    database: FakeDatabase,
    redis: FakeRedis,
    source: FakeSource,
    policy: Policy,
}

struct Actor {
    node: Node,
    cache: Cache<String, Versioned>,
    redis: RedisHandle,
}

impl Stage {
    fn new() -> Self {
        let database = FakeDatabase::new();
        database.write("product", "7", 1);
        Self {
            clock: TestClock::new(),
            source: FakeSource::new(&database, "product"),
            redis: FakeRedis::new(),
            database,
            policy: Policy {
                fresh_for: Duration::from_hours(2),
                ..Policy::default()
            },
        }
    }

    fn actor(&self, seed: u64) -> Actor {
        let redis = self.redis.handle();
        let node = Node::builder()
            .clock(Arc::new(self.clock))
            .seed(seed)
            .remote(Arc::new(redis.clone()))
            .change_log(Arc::new(self.database.log()))
            .build();
        let cache = Cache::builder("product")
            .node(&node)
            .policy(self.policy.clone())
            .source(Arc::new(self.source.clone()))
            .build();
        Actor { node, cache, redis }
    }
}

impl Actor {
    async fn read(&self, options: Options) -> (u64, Tier) {
        let answer = self.cache.look_up(&"7".to_owned(), options).await.unwrap();
        assert!(!answer.trail().stale);
        (answer.value().unwrap().version, answer.trail().tier)
    }
}

#[tokio::test(start_paused = true)]
async fn an_own_write_is_seen_at_once_though_the_node_has_not_met_the_log_that_it_is_in() {
    let stage = Stage::new();
    let actor = stage.actor(1);
    sleep(ms(1)).await;
    assert_eq!(actor.read(Options::default()).await, (1, Tier::Source));
    // The node polls next in a tenth of a second.
    stage.database.crash();
    let written = stage.database.write("product", "7", 2);
    let change = Change {
        dep: Dep::of_key("product", "7"),
        kind: ChangeKind::Forget,
    };
    actor.node.committed(written, &[change]);
    assert_eq!(actor.read(Options::default()).await, (2, Tier::Source));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_changed_often_is_still_loaded_once_per_version() {
    let stage = Stage::new();
    let (one, other) = (stage.actor(1), stage.actor(2));
    sleep(ms(1)).await;
    for version in 2..=30 {
        stage.database.write("product", "7", version);
        let validated = one.read(Options::default().validated()).await;
        assert_eq!(validated, (version, Tier::Source));
        // Something else happens before the other node polls.
        stage.database.write("product", "8", version);
        sleep(ms(150)).await;
        assert_eq!(
            other.read(Options::default()).await,
            (version, Tier::Remote)
        );
    }
    assert_eq!(stage.source.loads("7"), 29);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_without_its_lease_does_not_answer_with_what_was_refused_meanwhile() {
    let mut stage = Stage::new();
    stage.policy.fresh_for = ms(50);
    let (one, other) = (stage.actor(1), stage.actor(2));
    sleep(ms(1)).await;
    other.read(Options::default()).await;
    sleep(ms(150)).await;
    // A third node refreshes the entry, and does not come to an end.
    let lock = KeySpace::new("tingkat:", "product", 1).refresh(&"7".to_owned());
    stage.redis.put(lock, vec![b'L'; 17]);
    one.redis.writes.slow(ms(30));
    assert_eq!(one.read(Options::default()).await, (1, Tier::Remote));
    sleep(ms(5)).await;
    stage.database.write("product", "7", 2);
    let (version, _) = one.read(Options::default().validated()).await;
    assert_eq!(version, 2);
}

#[tokio::test(start_paused = true)]
async fn memory_stays_within_its_bytes() {
    let mut stage = Stage::new();
    stage.policy.memory_bytes = 100_000;
    let actor = stage.actor(1);
    sleep(ms(1)).await;
    for number in 0..2_000_u64 {
        let key = number.to_string();
        stage.database.write("product", &key, number);
        actor.cache.look_up(&key, Options::default()).await.unwrap();
        let registered = actor.node.registry().find("product").unwrap();
        assert!(
            registered.bytes() <= 100_000,
            "{} bytes",
            registered.bytes()
        );
    }
    assert!(actor.cache.stats().evictions.get() > 1_000);
}
