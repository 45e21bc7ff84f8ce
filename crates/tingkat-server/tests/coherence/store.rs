//! The store: a real `PostgreSQL` with the demo store, and the rows that a run writes and reads.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use tempfile::TempDir;
use tingkat_testkit::Postgres;
use tingkat_testkit::postgres::{Config, Session};
use tokio::process::Command;

use crate::history::{Key, Value};

/// Rows that are read.
pub(crate) const KEYS: usize = 50;

/// The first of them are written by the writers; the last ones are left to what a run does itself.
pub(crate) const WRITTEN: usize = 48;

/// One that is left.
pub(crate) const SPARE: Key = KEYS - 1;

/// The database of the store.
pub(crate) const DATABASE: &str = "shop";

/// A statement that gets no answer for so long is given up.
const SESSION_PATIENCE: Duration = Duration::from_secs(20);

/// The store, wherever its primary is.
pub(crate) struct Store {
    primary: RwLock<Arc<Postgres>>,
}

impl Store {
    /// A new store.
    pub(crate) async fn start(config: Config) -> Self {
        let server = config.pg_stat_statements().start().await.unwrap();
        server.create_database(DATABASE).await.unwrap();
        schema(&server.url(DATABASE), &["schema", "install", "--demo"]).await;
        let store = Self {
            primary: RwLock::new(Arc::new(server)),
        };
        // Stamps below the first one that a writer gives out, none of them twice.
        let stamps = "CREATE EXTENSION pg_stat_statements;
            UPDATE product SET stock_quantity = id::bigint, version = 1 WHERE id = ANY";
        store.sql(&format!("{stamps} ({})", ids())).await;
        store
    }

    pub(crate) fn primary(&self) -> Arc<Postgres> {
        Arc::clone(&self.primary.read().unwrap())
    }

    /// Another server is the primary from now on.
    pub(crate) fn moves_to(&self, server: Arc<Postgres>) {
        *self.primary.write().unwrap() = server;
    }

    /// Runs SQL as an operator would.
    pub(crate) async fn sql(&self, sql: &str) -> String {
        self.primary().psql_in(DATABASE, sql).await.unwrap()
    }

    /// A connection that stays open.
    pub(crate) fn session(&self) -> Session {
        self.session_with(SESSION_PATIENCE)
    }

    /// The same, for statements that take longer.
    pub(crate) fn session_with(&self, patience: Duration) -> Session {
        self.primary().session(DATABASE, patience).unwrap()
    }

    /// Lets loads of products be slowed down: what they read last is a view that can sleep. Their
    /// snapshot is taken before.
    pub(crate) async fn can_be_slow(&self) {
        self.can_be_slow_at("product_image").await;
    }

    /// The same for all statements that read this table.
    pub(crate) async fn can_be_slow_at(&self, table: &str) {
        self.sql(&format!(
            "BEGIN;
             CREATE TABLE slowness (seconds double precision NOT NULL, statement text NOT NULL);
             INSERT INTO slowness VALUES (0, '');
             ALTER TABLE {table} RENAME TO {table}_kept;
             CREATE FUNCTION slow_rows() RETURNS SETOF {table}_kept LANGUAGE plpgsql AS $$
             BEGIN
               PERFORM pg_sleep(seconds) FROM slowness
                 WHERE seconds > 0 AND strpos(current_query(), statement) > 0;
               RETURN QUERY SELECT * FROM {table}_kept;
             END $$;
             CREATE VIEW {table} AS SELECT * FROM slow_rows();
             COMMIT;"
        ))
        .await;
    }

    /// From now on a load takes this much longer.
    pub(crate) async fn is_slow(&self, by: Duration) {
        self.is_slow_for("", by).await;
    }

    /// The same for statements with this text in them, and for no others.
    pub(crate) async fn is_slow_for(&self, statement: &str, by: Duration) {
        let seconds = by.as_secs_f64();
        self.sql(&format!(
            "UPDATE slowness SET seconds = {seconds}, statement = '{statement}'"
        ))
        .await;
    }

    /// What every row of the workload is.
    pub(crate) async fn rows(&self) -> Vec<Value> {
        let rows = self
            .sql(&format!(
                "SELECT version, stock_quantity FROM product WHERE id = ANY ({}) \
                 ORDER BY id::bigint",
                ids()
            ))
            .await;
        let rows: Vec<Value> = rows.lines().filter_map(value).collect();
        assert_eq!(rows.len(), KEYS);
        rows
    }

    /// Rows that the loads of products have been given since the last reset.
    pub(crate) async fn rows_loaded(&self) -> u64 {
        let sum = self
            .sql(
                "SELECT coalesce(sum(rows), 0) FROM pg_stat_statements \
                 WHERE query LIKE '%product.id = ANY%' AND query LIKE '%product_variant%'",
            )
            .await;
        sum.parse().unwrap()
    }

    /// Polls of the change log since the last reset.
    pub(crate) async fn polls(&self) -> f64 {
        let sum = self
            .sql(
                "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
                 WHERE query LIKE '%tingkat.change AS c%' AND query LIKE '%pg_is_in_recovery%'",
            )
            .await;
        sum.parse().unwrap()
    }

    /// Statements with this text in them since the last reset.
    pub(crate) async fn calls_of(&self, text: &str) -> u64 {
        let text = text.replace('\'', "''");
        let sum = self
            .sql(&format!(
                "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
                 WHERE query LIKE '%{text}%' AND query NOT LIKE '%pg_stat_statements%'"
            ))
            .await;
        sum.parse().unwrap()
    }

    /// Statements of all kinds since the last reset, but for what this suite asks itself.
    pub(crate) async fn statements(&self) -> f64 {
        let sum = self
            .sql(
                "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
                 WHERE query NOT LIKE '%pg_stat_statements%'",
            )
            .await;
        sum.parse().unwrap()
    }

    /// Counts statements anew.
    pub(crate) async fn count_anew(&self) {
        self.sql("SELECT pg_stat_statements_reset()").await;
    }
}

/// The id of the product at this place.
pub(crate) fn id(key: Key) -> String {
    (key + 1).to_string()
}

/// A row as `psql` prints it: the version and the stamp.
pub(crate) fn value(line: &str) -> Option<Value> {
    let (version, stamp) = line.split_once('|')?;
    Some(Value {
        version: version.parse().ok()?,
        stamp: stamp.parse().ok()?,
    })
}

/// The ids of the workload, as an SQL array.
pub(crate) fn ids() -> String {
    let ids: Vec<String> = (0..KEYS).map(|key| format!("'{}'", id(key))).collect();
    format!("ARRAY[{}]", ids.join(","))
}

/// The SQL that installs the change log, as the program prints it for migrations.
pub(crate) async fn install_log_sql() -> String {
    schema("", &["schema", "install", "--dry-run"]).await
}

async fn schema(url: &str, arguments: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tingkat"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("DATABASE_URL", url)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
