//! What customers meet after a start: the first pages, what they looked up, on every node.

use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_testkit::eventually;

use crate::program::{Node, PATIENCE};
use crate::warm::{Store, answered_by, entity, report};

/// Whoever opens the shop first waits for no load: not of the menu, nor of a page that it leads to.
#[tokio::test]
async fn the_first_pages_are_warm_after_a_start() {
    let (database, store) = Store::new().await;
    // A category that has no products itself.
    let sql = "INSERT INTO category (id, parent_id, slug, name) \
               VALUES ('c-empty', NULL, 'empty', 'Empty')";
    database.psql(sql).await.unwrap();
    let node = store
        .program(&["serve"])
        .with("TINGKAT__WARM__ON_START", "true")
        .with("TINGKAT__WARM__TOP", "3000")
        .listening()
        .await;
    eventually(PATIENCE, async || {
        node.readiness().await.1["warm"] == "done"
    })
    .await
    .unwrap();
    let standing = node.get("/v1/warm").await.json().unwrap();
    let loads = || async { loaded(&node).await };
    let before = loads().await;
    let tree = node.get("/v1/categories").await.json().unwrap();
    let tops = tree["items"].as_array().unwrap();
    assert!(tops.len() > 3, "{tree}");
    let mut paths = vec![
        "/v1/categories".to_owned(),
        "/v1/products".to_owned(),
        "/v1/products?limit=20".to_owned(),
        "/v1/products?sort=popularity".to_owned(),
        "/v1/products?featured=true".to_owned(),
        "/v1/products?promoted=true".to_owned(),
        "/v1/products?sort=price".to_owned(),
        "/v1/products?sort=-price".to_owned(),
        "/v1/products?sort=name".to_owned(),
        "/v1/states".to_owned(),
    ];
    for top in tops {
        let id = top["id"].as_str().unwrap();
        paths.push(format!("/v1/categories/{id}"));
        paths.push(format!("/v1/categories/{id}/products"));
    }
    let states = node.get("/v1/states").await.json().unwrap();
    for state in states["items"].as_array().unwrap() {
        let code = state["code"].as_str().unwrap();
        paths.push(format!("/v1/postcodes?state={code}"));
    }
    for path in paths {
        let answer = answered_by(&node, &path).await;
        assert!(
            answer.starts_with("memory; hit"),
            "{path}: {answer}, {standing}"
        );
    }
    assert_eq!(loads().await, before);
}

/// Keys that all entities loaded from the database so far.
async fn loaded(node: &Node) -> u64 {
    let caches = node.get("/v1/caches").await.json().unwrap();
    let items = caches["items"].as_array().unwrap().iter();
    items.filter_map(|it| it["source"]["keys"].as_u64()).sum()
}

/// A shop that has not sold anything yet: what customers look up is what is warmed for them.
#[tokio::test]
async fn without_orders_what_customers_look_up_is_warmed() {
    let (database, store) = Store::new().await;
    for table in ["order_line", "orders", "cart_line", "wishlist_line"] {
        database
            .psql(&format!("DELETE FROM {table}"))
            .await
            .unwrap();
    }
    let mut node = store.program(&["serve"]).listening().await;
    node.sees("redis", "up").await;
    let page = node
        .get("/v1/products?sort=-price&featured=false&limit=5")
        .await;
    let page: Value = page.json().unwrap();
    let items = page["items"].as_array().unwrap().iter();
    let ids: Vec<&str> = items.map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 5);
    for _ in 0..600 {
        for id in &ids {
            assert_eq!(node.get(&format!("/v1/products/{id}")).await.status, 200);
        }
    }
    node.process.signal(rustix::process::Signal::TERM);
    assert_eq!(node.process.ended().await.code, Some(0));
    // What the node had there is gone, and the account is kept.
    let keys = store.redis.cmd(&["KEYS", "*c:product*"]).await.unwrap();
    let keys = keys
        .items()
        .iter()
        .filter_map(tingkat_testkit::redis::Reply::text);
    for key in keys {
        store.redis.cmd(&["DEL", &key]).await.unwrap();
    }
    assert_eq!(store.products().await, 0);
    let ended = store
        .program(&["warm", "--entity", "product", "--top", "20", "--json"])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        entity(&report(&ended), "product")["wanted"],
        20,
        "{ended:?}"
    );
    let next = store.program(&["serve"]).listening().await;
    next.sees("redis", "up").await;
    for id in ids {
        let answer = answered_by(&next, &format!("/v1/products/{id}")).await;
        assert_eq!(answer, "memory; fwd=uri-miss, redis; hit", "{id}");
    }
}

/// Takes about a minute: that is what the shortest schedule takes. One node loads what Redis keeps, and
/// each has its own memory warm in the end.
#[tokio::test]
async fn a_scheduled_run_is_loaded_by_one_node_and_warms_the_memory_of_all() {
    let (_database, store) = Store::new().await;
    // The next minute before which there is time for both to start.
    let minute = (SystemClock.wall_ms() + 15_000) / 60_000 + 1;
    let schedule = format!("{} * * * *", minute % 60);
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let program = store
            .program(&["serve"])
            .with("TINGKAT__WARM__SCHEDULE", &schedule)
            .with("TINGKAT__WARM__JITTER", "1ms")
            .with("TINGKAT__WARM__TOP", "20")
            .with("TINGKAT__ENTITY__POSTCODE__PLACEMENT", "memory");
        nodes.push(program.listening().await);
    }
    let standing = async |node: &Node| -> Value { node.get("/v1/warm").await.json().unwrap() };
    for node in &nodes {
        node.sees("redis", "up").await;
        let next = standing(node).await["next_runs"].as_array().unwrap().len();
        assert_eq!(next, 5);
    }
    eventually(PATIENCE * 3, async || {
        let mut count = 0;
        for node in &nodes {
            count += usize::from(standing(node).await["last"]["reason"] == "schedule");
        }
        count == nodes.len()
    })
    .await
    .unwrap();
    assert_eq!(store.products().await, 20);
    let (mut loaded, mut redis) = (Vec::new(), Vec::new());
    for node in &nodes {
        let report = standing(node).await["last"]["report"].clone();
        assert_eq!(entity(&report, "postcode")["loaded"], 20, "{report}");
        let product = entity(&report, "product");
        loaded.push(product["loaded"].as_u64().unwrap());
        redis.push(product["already_warm"]["redis"].as_u64().unwrap());
    }
    loaded.sort_unstable();
    redis.sort_unstable();
    assert_eq!((loaded, redis), (vec![0, 20], vec![0, 20]));
    let logs = nodes.iter().map(|node| node.process.log());
    let others = logs.filter(|log| log.contains("another node has warmed redis"));
    assert_eq!(others.count(), 1);
}
