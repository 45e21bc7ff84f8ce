//! The promise in one story: a price changes while Redis is down, and Redis comes back with the old
//! one.

use std::time::Duration;

use tingkat_testkit::Redis;

use crate::history::{How, now};
use crate::readers;
use crate::scene::{Plan, Scene};
use crate::store::{SPARE, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_shows_the_old_price_that_redis_came_back_with() {
    let scene = Scene::begin(Plan {
        nodes: 2,
        bound: Duration::from_secs(1),
        poll: Duration::from_millis(100),
        writers: 0,
        redis: Redis::config().volatile(),
        ..Plan::new("old price")
    })
    .await;
    let old = scene.store.rows().await;
    let old = old.get(SPARE).unwrap();
    for node in &scene.nodes {
        let read = readers::read(node, SPARE).await;
        assert_eq!(read.outcome.unwrap().value, *old);
    }
    scene.redis.cmd(&["SAVE"]).await.unwrap();
    scene.redis.kill();
    let key = id(SPARE);
    let change = format!(
        "UPDATE product SET regular_price = regular_price + 100, version = version + 1, \
         stock_quantity = 777777 WHERE id = '{key}'"
    );
    scene.store.sql(&change).await;
    let changed = now();
    scene.redis.restart().await.unwrap();
    let cells = ["KEYS", "coherence:c:product.*"];
    let cells = scene.redis.cmd(&cells).await.unwrap();
    assert!(!cells.items().is_empty(), "Redis has nothing old");
    // A node that has never seen anything joins now.
    let fresh = scene.node_of(&scene.store).await;

    let (mut new_seen, until) = (0, changed + scene.plan.bound * 3);
    while now() < until {
        let nodes = scene.nodes.iter().map(AsRef::as_ref).chain([&fresh]);
        for node in nodes {
            let target = node.target().unwrap();
            let read = readers::ask(&target, node.index, SPARE, How::Usual).await;
            let seen = read.outcome.unwrap();
            assert!(!seen.is_marked, "{read}");
            if seen.value.stamp == 777_777 {
                new_seen += 1;
            } else {
                assert!(
                    read.started < changed + scene.plan.bound,
                    "the old price after the bound: {read}"
                );
            }
        }
    }
    assert!(new_seen > 100, "{new_seen} reads show nothing");
}
