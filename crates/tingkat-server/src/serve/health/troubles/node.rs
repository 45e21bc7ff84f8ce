//! What goes wrong around a node.

use std::time::Duration;

use tingkat_faults::{Direction, Proxy};
use tingkat_testkit::{Postgres, eventually};

use super::super::counts::SETTLED;
use super::ward::{PATIENCE, Store, Ward, evicting, install};

pub(super) async fn a_database_that_is_out_of_reach() -> Ward {
    let store = Store::new().await;
    let server = store.database.server();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let control = proxy.control();
    let url = server.url_at(control.addr().port(), store.database.name());
    let mut ward = store.ward(&[("DATABASE_URL", &url)]).await;
    ward.product(1).await.unwrap();
    control.down().await.unwrap();
    ward.raises("poll_age").await;
    eventually(PATIENCE, async || {
        // The last known value, and marked.
        let _ = ward.product(1).await;
        ward.stale_answers() > 0
    })
    .await
    .unwrap();
    ward.raises("stale_answers").await;
    control.heal().await.unwrap();
    ward.heals().await;
    ward
}

pub(super) async fn triggers_that_are_gone() -> Ward {
    let store = Store::new().await;
    let mut ward = store.ward(&[]).await;
    store.psql("ALTER TABLE product DISABLE TRIGGER USER").await;
    ward.raises("change_log").await;
    store.psql("ALTER TABLE product ENABLE TRIGGER USER").await;
    ward.heals().await;
    ward
}

pub(super) async fn a_change_that_the_triggers_do_not_see() -> Ward {
    let store = Store::new().await;
    let mut ward = store.ward(&[]).await;
    ward.product(1).await.unwrap();
    let unseen =
        "SET session_replication_role = replica; UPDATE product SET name = 'other' WHERE id = '1'";
    store.psql(unseen).await;
    ward.raises("audit").await;
    ward.forgets_all().await;
    ward.product(1).await.unwrap();
    ward.heals().await;
    ward
}

/// What was changed a moment ago is compared before anything else that memory has.
pub(super) async fn a_key_among_many_that_was_changed_before() -> Ward {
    let store = Store::new().await;
    let mut ward = store.ward(&[]).await;
    for first in (1..500).step_by(100) {
        ward.products(first..first + 100).await;
    }
    store
        .psql("UPDATE product SET name = 'heard' WHERE id = '1'")
        .await;
    let is_heard = eventually(PATIENCE, async || {
        ward.name_of(1).await.as_deref() == Some("heard")
    });
    is_heard.await.unwrap();
    let unseen =
        "SET session_replication_role = replica; UPDATE product SET name = 'other' WHERE id = '1'";
    store.psql(unseen).await;
    tokio::time::sleep(SETTLED).await;
    assert!(ward.look_after(10).await.contains(&"audit".to_owned()));
    ward.forgets_all().await;
    ward.product(1).await.unwrap();
    ward.heals().await;
    ward
}

pub(super) async fn a_node_that_learns_of_changes_late() -> Ward {
    let store = Store::new().await;
    let server = store.database.server();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let control = proxy.control();
    let url = server.url_at(control.addr().port(), store.database.name());
    let mut other = store.ward(&[]).await;
    let mut ward = store.ward(&[("DATABASE_URL", &url)]).await;
    // Each has heard of the other.
    for _ in 0..3 {
        other.look_after(3).await;
        ward.look_after(3).await;
    }
    control.down().await.unwrap();
    store
        .psql("UPDATE product SET name = 'new' WHERE id = '1'")
        .await;
    until(&mut other, &mut ward, |ward| ward.is_bad("canary")).await;
    control.heal().await.unwrap();
    until(&mut other, &mut ward, |ward| !ward.is_bad("canary")).await;
    ward.heals().await;
    other.has_shown(&[], &[]).await;
    ward
}

pub(super) async fn a_log_that_begins_anew() -> Ward {
    let server = Postgres::start().await.unwrap();
    let database = server.database().await.unwrap();
    install(&database.url()).await;
    let redis = evicting().start().await.unwrap();
    let (url, at) = (database.url(), redis.url());
    let mut ward = Ward::of(&[("DATABASE_URL", &url), ("REDIS_URL", &at)]).await;
    server.kill_immediate().await.unwrap();
    server.restart().await.unwrap();
    ward.raises("cold_resets").await;
    ward.heals().await;
    ward
}

pub(super) async fn loads_that_hang() -> Ward {
    let store = Store::new().await;
    let hasty = ("TINGKAT__ENTITY__PRODUCT__HARD_DEADLINE", "200ms");
    let soft = ("TINGKAT__ENTITY__PRODUCT__SOFT_DEADLINE", "100ms");
    let mut ward = store.ward(&[hasty, soft]).await;
    let mut lock = locked(&store).await;
    assert!(ward.product(1).await.is_err());
    ward.raises("hung_loads").await;
    lock.run("COMMIT;").await.unwrap();
    ward.heals().await;
    ward
}

pub(super) async fn loads_that_fail() -> Ward {
    let store = Store::new().await;
    let mut ward = store.ward(&[]).await;
    store
        .psql("ALTER TABLE product_image RENAME TO image")
        .await;
    assert!(ward.product(1).await.is_err());
    ward.products(2..9).await;
    ward.raises("failed_loads").await;
    store
        .psql("ALTER TABLE image RENAME TO product_image")
        .await;
    ward.heals().await;
    ward
}

pub(super) async fn more_loads_than_may_wait() -> Ward {
    let store = Store::new().await;
    let keys = [
        ("TINGKAT__ENTITY__PRODUCT__MAX_QUEUE", "10"),
        ("TINGKAT__ENTITY__PRODUCT__MAX_LOADS", "1"),
        ("TINGKAT__ENTITY__PRODUCT__HARD_DEADLINE", "1s"),
        ("TINGKAT__ENTITY__PRODUCT__SOFT_DEADLINE", "500ms"),
    ];
    let mut ward = store.ward(&keys).await;
    let mut lock = locked(&store).await;
    ward.products(1..1_000).await;
    ward.raises("load_queue").await;
    lock.run("COMMIT;").await.unwrap();
    ward.heals().await;
    ward
}

pub(super) async fn a_cache_that_has_nothing_of_what_is_asked_for() -> Ward {
    let store = Store::new().await;
    let slow = ("TINGKAT__ENTITY__PRODUCT__OBJECTIVE__P99", "1h");
    let mut ward = store.ward(&[slow]).await;
    ward.products(1..200).await;
    ward.raises("hit_ratio.product").await;
    ward.heals().await;
    ward
}

pub(super) async fn answers_that_take_longer_than_promised() -> Ward {
    let store = Store::new().await;
    let any = ("TINGKAT__ENTITY__PRODUCT__OBJECTIVE__HIT_RATIO", "0");
    let mut ward = store.ward(&[any]).await;
    let mut lock = locked(&store).await;
    let unlock = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        lock.run("COMMIT;").await.unwrap();
    };
    tokio::join!(ward.products(1..200), unlock);
    ward.raises("latency.product").await;
    ward.heals().await;
    ward
}

pub(super) async fn calls_that_redis_does_not_answer() -> Ward {
    let store = Store::new().await;
    let proxy = Proxy::start(store.redis.addr()).await.unwrap();
    let control = proxy.control();
    let url = format!("redis://{}/", control.addr());
    let mut ward = store.ward(&[("REDIS_URL", &url)]).await;
    control.pause(Direction::Both);
    for id in 1..5 {
        ward.product(id).await.unwrap();
    }
    control.heal().await.unwrap();
    ward.raises("tier_failures").await;
    ward.heals().await;
    ward
}

#[tokio::test]
async fn what_another_node_knew_is_nothing_to_wait_for_without_redis() {
    let store = Store::new().await;
    let mut other = store.ward(&[]).await;
    let mut ward = store.ward(&[]).await;
    until(&mut other, &mut ward, |ward| ward.is_known("canary")).await;
    store.redis.kill();
    until(&mut other, &mut ward, |ward| !ward.is_known("canary")).await;
    other.stop().await;
    ward.stop().await;
}

/// Both look until one of them is as wanted.
async fn until(other: &mut Ward, ward: &mut Ward, is_right: impl Fn(&Ward) -> bool) {
    let both = tokio::sync::Mutex::new((other, ward));
    let right = eventually(PATIENCE, async || {
        let mut both = both.lock().await;
        both.0.look_after(3).await;
        both.1.look_after(3).await;
        is_right(both.1)
    });
    right.await.unwrap();
}

/// Nobody reads products until the session says `COMMIT`.
async fn locked(store: &Store) -> tingkat_testkit::postgres::Session {
    let server = store.database.server();
    let mut session = server.session(store.database.name(), PATIENCE).unwrap();
    let lock = "BEGIN; LOCK TABLE product IN ACCESS EXCLUSIVE MODE;";
    session.run(lock).await.unwrap();
    session
}
