//! A node inside this process, for more callers than there are connections.

use std::sync::Arc;
use std::time::Duration;

use tingkat::clock::SystemClock;
use tingkat::ports::Clock;
use tingkat_redis::Redis as Tier;
use tingkat_shop::Shop;
use tingkat_sql::Database;
use tingkat_testkit::eventually;

use crate::node::PATIENCE;

/// The engine with the real Redis tier and the real source.
pub(crate) struct Inside {
    pub(crate) shop: Shop,
    node: tingkat::Node,
    redis: Arc<Tier>,
    database: Database,
}

impl Inside {
    /// A node over these servers. Its requests have `budget` for Redis.
    pub(crate) async fn start(database: &str, redis: &str, prefix: &str, budget: Duration) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = tingkat_sql::Config::default();
        let url = database.parse().unwrap();
        let database = Database::open(&url, &config).await.unwrap();
        let mut config = tingkat_redis::Config::new(redis.parse().unwrap(), prefix);
        config.response_timeout = budget;
        let redis = Arc::new(Tier::start(config, Arc::clone(&clock)));
        let node = tingkat::Node::builder()
            .prefix(prefix)
            .clock(clock)
            .remote(Arc::<Tier>::clone(&redis))
            .remote_budget(budget)
            .change_log(database.change_log().unwrap())
            .build();
        let shop = Shop::new(&node, database.sources());
        Self {
            shop,
            node,
            redis,
            database,
        }
    }

    /// Waits until it follows the change log.
    pub(crate) async fn is_anchored(&self) {
        let is_known = || self.node.feed().is_some_and(|feed| feed.poll_age.is_some());
        let anchored = eventually(PATIENCE, || std::future::ready(is_known()));
        anchored.await.unwrap();
    }

    /// Waits until it is connected to Redis.
    pub(crate) async fn has_redis(&self) {
        let mut state = self.redis.state();
        let up = state.wait_for(|state| *state == tingkat_redis::State::Up);
        tokio::time::timeout(PATIENCE, up).await.unwrap().unwrap();
    }

    /// Ends it in order.
    pub(crate) async fn stop(self) {
        self.node.shut_down(Duration::from_secs(5)).await;
        self.redis.close().await;
        self.database.close().await;
    }
}
