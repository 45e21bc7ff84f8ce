//! Databases with the demo store, and loading from a source.

use std::path::{Path, PathBuf};

use jiff::civil::{Date, date};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Executor as _, Row as _};
use tempfile::TempDir;
use tingkat::error::SourceError;
use tingkat::ports::{Found, Loaded, Source, Wanted};
use tingkat_sql::{Config, Database, Preset, Queries, Url, install_changes, install_demo};
use tingkat_testkit::{Postgres, postgres};

/// The day that every store of these tests is made for.
pub(crate) const DAY: Date = date(2026, 3, 1);

pub(crate) fn config() -> Config {
    Config {
        demo_day: Some(DAY),
        ..Config::default()
    }
}

/// An embedded database with the demo store.
pub(crate) struct Embedded {
    pub(crate) database: Database,
    folder: TempDir,
}

impl Embedded {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = Url::sqlite(folder.path().join("store.db"));
        let database = Database::open(&url, &config()).await.unwrap();
        Self { database, folder }
    }

    /// As another process would open it.
    pub(crate) async fn open_again(&self) -> Database {
        let url = Url::sqlite(self.folder.path().join("store.db"));
        Database::open(&url, &config()).await.unwrap()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// As a program without any of our settings would open it.
    pub(crate) async fn foreign(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path());
        options.foreign_keys(false).connect().await.unwrap()
    }

    /// Runs SQL beside the database, free of its checks.
    pub(crate) async fn run(&self, sql: &str) {
        let path = self.folder.path().join("store.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let options = options.pragma("ignore_check_constraints", "ON");
        let mut connection = options.connect().await.unwrap();
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        connection.execute(sql).await.unwrap();
    }

    /// The steps by which a statement of one parameter is answered.
    pub(crate) async fn plan(&self, sql: &str) -> Vec<String> {
        let path = self.folder.path().join("store.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.unwrap();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let steps = sqlx::query(explain)
            .bind("[]")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        steps.iter().map(|step| step.get("detail")).collect()
    }
}

/// A PostgreSQL database with the demo store.
pub(crate) struct Served {
    pub(crate) database: Database,
    pub(crate) server: postgres::Database<'static>,
}

impl Served {
    pub(crate) async fn new() -> Self {
        let empty = Self::empty().await;
        install(&empty.database).await;
        empty
    }

    pub(crate) async fn empty() -> Self {
        let server = Postgres::shared().await.unwrap();
        let database = open(&server.url()).await;
        Self { database, server }
    }
}

/// A PostgreSQL database with the tables of a Prisma storefront, and a database that reads them.
pub(crate) async fn prisma() -> Served {
    let server = Postgres::shared().await.unwrap();
    server.psql(postgres::PRISMA_STORE).await.unwrap();
    let database = open_with(&server.url(), Queries::of(Preset::Prisma)).await;
    Served { database, server }
}

pub(crate) async fn open_with(url: &str, queries: Queries) -> Database {
    let config = Config {
        queries,
        ..config()
    };
    Database::open(&url.parse().unwrap(), &config)
        .await
        .unwrap()
}

/// Puts the demo store and the change log into a database.
pub(crate) async fn install(database: &Database) {
    install_demo(database).await.unwrap();
    install_changes(database).await.unwrap();
}

pub(crate) async fn open(url: &str) -> Database {
    Database::open(&url.parse().unwrap(), &config())
        .await
        .unwrap()
}

/// Loads keys in one batch.
pub(crate) async fn load<K: 'static, V: 'static>(
    source: &dyn Source<K, V>,
    keys: impl IntoIterator<Item = K>,
) -> Result<Vec<Loaded<V>>, SourceError> {
    let wanted: Vec<Wanted<K, V>> = keys
        .into_iter()
        .map(|key| Wanted { key, known: None })
        .collect();
    let batch = source.load(&wanted).await?;
    assert_eq!(batch.loaded.len(), wanted.len());
    Ok(batch.loaded)
}

/// The values of keys that exist.
pub(crate) async fn values<K: 'static, V: 'static>(
    source: &dyn Source<K, V>,
    keys: impl IntoIterator<Item = K>,
) -> Vec<V> {
    let loaded = load(source, keys).await.unwrap().into_iter();
    loaded
        .map(|loaded| {
            let Found::Value(value) = loaded.found else {
                panic!("a key that exists has no value")
            };
            value
        })
        .collect()
}

/// A file of the data that ships, its lines in fields.
pub(crate) fn csv(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name);
    csv::Reader::from_path(path)
        .unwrap()
        .into_records()
        .map(|record| record.unwrap().iter().map(ToOwned::to_owned).collect())
        .collect()
}

pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}
