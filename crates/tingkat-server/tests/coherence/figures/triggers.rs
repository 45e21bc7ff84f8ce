//! What the triggers cost those who write: transactions a second, and bytes of the write-ahead log.

use std::time::Duration;

use tingkat_testkit::Postgres;

use crate::store::Store;

const CLIENTS: u32 = 8;

const MEASURED_FOR: Duration = Duration::from_secs(8);

/// Both ways in turn, so that a slow moment of the machine hurts both.
const ROUNDS: usize = 3;

/// One row of 1,900, by its key.
const UPDATE: &str = "\\set id random(1, 1900)\n\
    UPDATE product SET stock_quantity = stock_quantity + 1, version = version + 1 \
    WHERE id = (:id)::text;";

/// What was measured of a way to write.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    transactions: f64,
    wal_bytes: f64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure"]
async fn what_the_triggers_cost_writers() {
    // As in production: synced, on a disk.
    let store = Store::start(Postgres::config().fsync()).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        store.sql("ALTER TABLE product ENABLE TRIGGER USER").await;
        with.push(measured(&store).await);
        store.sql("ALTER TABLE product DISABLE TRIGGER USER").await;
        without.push(measured(&store).await);
    }
    let (with, without) = (median(&mut with), median(&mut without));
    println!(
        "triggers: {:.0} transactions a second with, {:.0} without: {:.2} of them",
        with.transactions,
        without.transactions,
        with.transactions / without.transactions
    );
    println!(
        "triggers: {:.0} bytes of WAL a transaction with, {:.0} without: {:.2} times as many",
        with.wal_bytes,
        without.wal_bytes,
        with.wal_bytes / without.wal_bytes
    );
}

async fn measured(store: &Store) -> Cost {
    let server = store.primary();
    // A page that is changed for the first time after a checkpoint is logged whole.
    store.sql("CHECKPOINT").await;
    let warm = Duration::from_secs(1);
    server
        .pgbench(crate::store::DATABASE, UPDATE, CLIENTS, warm)
        .await
        .unwrap();
    let lsn = store.sql("SELECT pg_current_wal_lsn()").await;
    let committed = committed(store).await;
    let transactions = server
        .pgbench(crate::store::DATABASE, UPDATE, CLIENTS, MEASURED_FOR)
        .await
        .unwrap();
    let bytes = format!("SELECT pg_current_wal_lsn() - '{lsn}'");
    let bytes: f64 = store.sql(&bytes).await.parse().unwrap();
    let count = self::committed(store).await - committed;
    Cost {
        transactions,
        wal_bytes: bytes / count,
    }
}

/// How often the rows were changed so far.
async fn committed(store: &Store) -> f64 {
    let sum = store.sql("SELECT sum(version) FROM product").await;
    sum.parse().unwrap()
}

/// The middle one by its transactions.
fn median(costs: &mut [Cost]) -> Cost {
    costs.sort_by(|one, other| one.transactions.total_cmp(&other.transactions));
    costs.get(costs.len() / 2).copied().unwrap_or_default()
}
