//! What the triggers cost those who write: transactions a second, and bytes of the write-ahead log.

use std::time::Duration;

use tingkat_testkit::Postgres;
use tingkat_testkit::figures::{self, Limit};

use crate::store::Store;

const CLIENTS: u32 = 8;

const MEASURED_FOR: Duration = Duration::from_secs(5);

/// With and without take turns, so that a slow moment of the machine hurts both.
const ROUNDS: usize = 7;

/// One row of 1,900, by its key. A session that never does anything else gives its memory back to
/// the kernel after each transaction and asks for it again, which no session of a store does and
/// which costs as much as a trigger; so each of them reads something large first.
const UPDATE: &str = "\\if :new = 1\n\
    SELECT length(string_agg(p::text, '')) FROM product p;\n\
    \\set new 0\n\
    \\endif\n\
    \\set id random(1, 1900)\n\
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
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        // Each is the first one as often as the other.
        let mut costs = [Cost::default(); 2];
        for with in [round % 2 == 0, round % 2 == 1] {
            costs[usize::from(with)] = one_way(&store, with).await;
        }
        let [without, with] = costs;
        rounds.push((with, without));
    }
    println!(
        "triggers: with, without (transactions a second), with / without, and of WAL a transaction"
    );
    for (with, without) in &rounds {
        println!(
            "triggers: {:6.0} {:6.0} {:5.2}    {:5.0} {:5.0} {:5.2}",
            with.transactions,
            without.transactions,
            with.transactions / without.transactions,
            with.wal_bytes,
            without.wal_bytes,
            with.wal_bytes / without.wal_bytes
        );
    }
    let ratio = |of: fn(&Cost) -> f64| {
        let ratios = rounds.iter().map(|(with, without)| of(with) / of(without));
        median(ratios.collect())
    };
    let transactions = ratio(|cost| cost.transactions);
    let wal = ratio(|cost| cost.wal_bytes);
    println!(
        "triggers: {transactions:.2} times the transactions and {wal:.2} times the WAL, medians of \
         {ROUNDS} rounds"
    );
    let what = format!("triggers: transactions a second of {CLIENTS} clients");
    figures::target(&what, transactions, "× without", Limit::AtLeast(0.8));
    let what = "triggers: write-ahead log of a transaction";
    figures::target(what, wal, "× without", Limit::AtMost(1.1));
}

async fn one_way(store: &Store, with: bool) -> Cost {
    let switch = if with { "ENABLE" } else { "DISABLE" };
    let switch = format!("ALTER TABLE product {switch} TRIGGER USER");
    store.sql(&switch).await;
    measured(store).await
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

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or_default()
}
