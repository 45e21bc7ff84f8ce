//! Nodes that want the same key at the same time: one of them loads it.

use std::time::Duration;

use tingkat::Tier;
use tingkat_testkit::{Redis, eventually};
use tokio::sync::oneshot;

use crate::nodes::{Prices, answer, has_filled, node, shop, tier};
use crate::server::{bytes_of, calls_of, keys};
use crate::stage::{SOON, connected};

/// A lease that a test can wait for the end of.
const LEASE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn two_nodes_on_a_cold_key_load_it_once() {
    let server = Redis::start().await.unwrap();
    let prices = Prices::closed();
    let first = prices.cache(&node(connected(&server.url()).await).build());
    let second = prices.cache(&node(connected(&server.url()).await).build());
    let (one, other, ()) = tokio::join!(tier(&first, "mug"), tier(&second, "mug"), async {
        let waits = || first.stats().lease_waits.get() + second.stats().lease_waits.get();
        eventually(SOON, async || waits() >= 3).await.unwrap();
        prices.open();
    });
    assert_eq!(prices.asked(), 1);
    assert!(matches!(
        (one, other),
        (Tier::Source, Tier::Remote) | (Tier::Remote, Tier::Source)
    ));
}

#[tokio::test]
async fn many_callers_on_many_nodes_load_each_key_once() {
    let server = Redis::start().await.unwrap();
    let prices = Prices::new();
    let mut caches = Vec::new();
    for _ in 0..4 {
        caches.push(prices.cache(&node(connected(&server.url()).await).build()));
    }
    let names: Vec<String> = (0..10).map(|n| format!("mug {n}")).collect();
    let all = (0..5)
        .flat_map(|_| &caches)
        .flat_map(|cache| names.iter().map(move |name| answer(cache, name)));
    futures::future::join_all(all).await;
    assert_eq!(prices.asked(), names.len());
}

#[tokio::test]
async fn a_lease_is_kept_for_as_long_as_its_holder_loads() {
    let server = Redis::start().await.unwrap();
    let prices = Prices::closed();
    let short = async || node(connected(&server.url()).await).lease(LEASE).build();
    let (first, second) = (prices.cache(&short().await), prices.cache(&short().await));
    tokio::join!(answer(&first, "mug"), answer(&second, "mug"), async {
        // Each renewal is a third of a lease after the one before.
        eventually(SOON, async || calls_of(&server, "pexpire").await >= 5)
            .await
            .unwrap();
        prices.open();
    });
    assert_eq!(prices.asked(), 1);
}

#[tokio::test]
async fn a_node_that_dies_while_it_loads_is_followed_by_another_when_its_lease_ends() {
    let server = Redis::start().await.unwrap();
    let url = server.url();
    let (kill, killed) = oneshot::channel::<()>();
    let doomed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let cache = Prices::closed().cache(&node(connected(&url).await).lease(LEASE).build());
            tokio::select! {
                _ = answer(&cache, "mug") => unreachable!("the source never answers"),
                _ = killed => {}
            }
        });
        // As the end of a process does: nobody gives anything back.
        runtime.shutdown_background();
    });
    let key = eventually(SOON, async || keys(&server, "shop:c:*").await.pop());
    let key = key.await.unwrap();
    assert!(bytes_of(&server, &key).await.unwrap().starts_with(b"L"));

    let prices = Prices::new();
    let heir = prices.cache(&node(connected(&server.url()).await).lease(LEASE).build());
    let (found, ()) = tokio::join!(tier(&heir, "mug"), async {
        // The holder is alive: its lease outlives its first life, and nobody loads beside it.
        eventually(SOON, async || {
            heir.stats().lease_waits.get() > 0 && calls_of(&server, "pexpire").await >= 4
        })
        .await
        .unwrap();
        assert_eq!(prices.asked(), 0);
        kill.send(()).unwrap();
        doomed.join().unwrap();
    });
    assert_eq!((found, prices.asked()), (Tier::Source, 1));
    has_filled(&heir, 1).await;
}

#[tokio::test]
async fn a_server_that_is_emptied_during_a_load_takes_no_entry_from_it() {
    let server = Redis::start().await.unwrap();
    let prices = Prices::closed();
    let first = prices.cache(&node(connected(&server.url()).await).build());
    let (found, ()) = tokio::join!(tier(&first, "mug"), async {
        eventually(SOON, async || prices.asked() == 1)
            .await
            .unwrap();
        server.cmd(&["FLUSHALL"]).await.unwrap();
        prices.open();
    });
    assert_eq!(found, Tier::Source);
    eventually(SOON, async || first.stats().fills_rejected.get() == 1)
        .await
        .unwrap();
    assert!(keys(&server, "*").await.is_empty());

    let (second, prices) = shop(&server).await;
    assert_eq!(
        (tier(&second, "mug").await, prices.asked()),
        (Tier::Source, 1)
    );
    has_filled(&second, 1).await;
}

#[tokio::test]
async fn a_server_that_dies_during_a_load_costs_its_callers_nothing() {
    let server = Redis::start().await.unwrap();
    let prices = Prices::closed();
    let cache = prices.cache(&node(connected(&server.url()).await).build());
    let (found, ()) = tokio::join!(tier(&cache, "mug"), async {
        eventually(SOON, async || prices.asked() == 1)
            .await
            .unwrap();
        server.kill();
        prices.open();
    });
    assert_eq!((found, prices.asked()), (Tier::Source, 1));
    assert_eq!(tier(&cache, "mug").await, Tier::Memory);
}
