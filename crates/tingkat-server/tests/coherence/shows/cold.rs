//! Many cold keys at once: few statements, and never more than the cap at a time.

use std::cell::Cell;
use std::time::Duration;

use tingkat::Options;
use tingkat_testkit::{Postgres, Redis};
use tokio::task::JoinSet;

use crate::inside::Inside;
use crate::store::{DATABASE, Store};

/// Distinct keys that are wanted at once.
const WANTED: usize = 1_000;

/// Statements that may load them.
const MOST_STATEMENTS: u64 = 20;

/// Loads of one entity at a time.
const CAP: u64 = 8;

const BUDGET: Duration = Duration::from_secs(5);

/// So much longer a load takes.
const SLOW: Duration = Duration::from_millis(300);

/// What is wanted of a product: its id, sku and slug.
type Names = [String; 3];

/// Each of them, and what the statement has in it that loads by it.
const WAYS: [(usize, &str); 3] = [
    (0, "product.id = ANY"),
    (1, "product.sku = ANY"),
    (2, "product.slug = ANY"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cold_keys_are_few_statements_by_id_by_sku_and_by_slug() {
    let (store, redis) = tokio::join!(Store::start(Postgres::config()), Redis::start());
    let redis = redis.unwrap();
    let database = store.primary().url(DATABASE);
    let names = names(&store).await;
    for (way, statement) in WAYS {
        // Nobody has anything yet.
        let prefix = format!("cold:{way}:");
        let node = Inside::start(&database, &redis.url(), &prefix, BUDGET).await;
        node.is_anchored().await;
        node.has_redis().await;
        store.count_anew().await;
        ask_all(&node, &names, way).await;
        let own = store.calls_of(statement).await;
        let products = store.calls_of("product.id = ANY").await;
        assert!((1..=MOST_STATEMENTS).contains(&own), "{statement}: {own}");
        assert!(
            (1..=MOST_STATEMENTS).contains(&products),
            "{statement}: {own}, and {products} for the products"
        );
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cold_keys_never_load_more_than_the_cap_at_a_time() {
    let (store, redis) = tokio::join!(Store::start(Postgres::config()), Redis::start());
    let redis = redis.unwrap();
    let database = store.primary().url(DATABASE);
    let names = names(&store).await;
    store.can_be_slow_at("product").await;
    for (way, statement) in WAYS {
        // What was found is then loaded by id, which has a cap of its own.
        store.is_slow_for(statement, SLOW).await;
        let prefix = format!("cap:{way}:");
        let node = Inside::start(&database, &redis.url(), &prefix, BUDGET).await;
        node.is_anchored().await;
        node.has_redis().await;
        let most = Cell::new(0);
        let mut session = store.session();
        let watching = async {
            loop {
                let running = session
                    .run("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep';");
                let running = running.await.unwrap().parse::<u64>().unwrap();
                most.set(most.get().max(running));
            }
        };
        tokio::select! {
            () = watching => {}
            () = ask_all(&node, &names, way) => {}
        }
        let most = most.get();
        assert!(
            (2..=CAP).contains(&most),
            "{statement}: {most} loads at a time"
        );
        node.stop().await;
    }
}

/// Those of all that are wanted.
async fn names(store: &Store) -> Vec<Names> {
    let names = store
        .sql(&format!(
            "SELECT id, sku, slug FROM product ORDER BY id::bigint LIMIT {WANTED}"
        ))
        .await;
    let names: Vec<Names> = names.lines().map(names_of).collect();
    assert_eq!(names.len(), WANTED);
    names
}

/// Asks for each product once, all at the same time.
async fn ask_all(node: &Inside, names: &[Names], way: usize) {
    let mut callers = JoinSet::new();
    for [id, sku, slug] in names {
        let (shop, id) = (node.shop.clone(), id.clone());
        let (sku, slug) = (sku.clone(), slug.clone());
        callers.spawn(async move {
            let (products, usual) = (&shop.products, Options::default());
            let answer = match way {
                0 => products.by_id(&id.parse().unwrap(), usual).await,
                1 => products.by_sku(&sku.parse().unwrap(), usual).await,
                _ => products.by_slug(&slug.parse().unwrap(), usual).await,
            };
            let product = answer.unwrap().into_shared().unwrap();
            assert_eq!(product.id.as_str(), id);
        });
    }
    callers.join_all().await;
}

fn names_of(line: &str) -> Names {
    let names: Vec<String> = line.split('|').map(str::to_owned).collect();
    names.try_into().unwrap()
}
