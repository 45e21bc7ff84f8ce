//! Waiting for a condition.

use std::cell::Cell;
use std::time::Duration;

use tingkat_testkit::redis::{Cluster, Sentinel};
use tingkat_testkit::{Postgres, Redis, eventually};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn it_asks_until_the_condition_is_true() {
    let asked = Cell::new(0);
    let value = eventually(SOON, async || {
        asked.set(asked.get() + 1);
        (asked.get() == 4).then_some("ready")
    });
    assert_eq!(value.await.unwrap(), "ready");
    assert_eq!(asked.get(), 4);
    eventually(SOON, async || true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_also_when_the_condition_hangs() {
    let error = eventually(SOON, async || false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the condition did not come true within 5s"
    );
    eventually(SOON, std::future::pending::<bool>)
        .await
        .unwrap_err();
}

#[test]
fn servers_can_be_started_in_any_task() {
    fn in_any_task<F: Future + Send>(_: F) {}
    in_any_task(Redis::start());
    in_any_task(Sentinel::start());
    in_any_task(Cluster::start());
    in_any_task(Postgres::start());
    in_any_task(Postgres::shared());
}
