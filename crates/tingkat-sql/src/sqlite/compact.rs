//! Keeping the change log short: of each name only the newest change stays, so a node that slept
//! for however long misses nothing. What is too long even so is cut, and says so itself.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use super::log::{BUSY_FOR, Trouble};
use super::slot::Slot;

const POLL: &str = include_str!("../../setup/sqlite/log_poll.sql");
const FOLD: &str = include_str!("../../setup/sqlite/log_fold.sql");
const CUT: &str = include_str!("../../setup/sqlite/log_cut.sql");
const FLOOR: &str = include_str!("../../setup/sqlite/log_floor.sql");
const DROP: &str = include_str!("../../setup/sqlite/log_drop.sql");
const COMPACTED: &str = include_str!("../../setup/sqlite/log_compacted.sql");

/// How long a log may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Fewer new rows than this are not worth the work.
    slack: i64,
    /// More names than this are cut to half as many.
    most_kept: i64,
}

/// A log has at most about twice as many rows as are kept.
pub(super) const LIMITS: Limits = Limits {
    slack: 10_000,
    most_kept: 50_000,
};

impl Limits {
    /// Whether half of the rows are newer than the last compaction; so each row is paid for once or
    /// twice.
    pub(super) const fn is_due(self, rows: i64, kept: i64) -> bool {
        let new = rows.saturating_sub(kept);
        new > self.slack && new > kept
    }
}

/// Compacts the log, if that is still due when its turn comes.
pub(super) async fn run(writer: &Slot<()>, limits: Limits) -> Result<(), Trouble> {
    let mut turn = writer.turn(BUSY_FOR).await?.ok_or(Trouble::Queue)?;
    let mut transaction = turn.connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have been first.
    let log = sqlx::query(POLL)
        .bind(i64::MAX)
        .bind(0)
        .fetch_one(&mut *transaction)
        .await?;
    if limits.is_due(log.try_get("rows")?, log.try_get("kept")?) {
        sqlx::query(FOLD).execute(&mut *transaction).await?;
        if floor(&mut transaction, limits.most_kept).await?.is_some()
            && let Some(floor) = floor(&mut transaction, limits.most_kept / 2).await?
        {
            for statement in [FLOOR, DROP] {
                sqlx::query(statement)
                    .bind(floor)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        sqlx::query(COMPACTED).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    turn.end();
    Ok(())
}

/// The newest change that does not stay where so many do.
async fn floor(connection: &mut SqliteConnection, most: i64) -> Result<Option<i64>, sqlx::Error> {
    let row = sqlx::query(CUT)
        .bind(most)
        .fetch_optional(connection)
        .await?;
    row.map(|row| row.try_get("floor")).transpose()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
    use tempfile::TempDir;

    use super::super::options;
    use super::*;

    const SMALL: Limits = Limits {
        slack: 3,
        most_kept: 5,
    };

    struct Log {
        _folder: TempDir,
        writer: Slot<()>,
        connection: SqliteConnection,
    }

    impl Log {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let options = options(&folder.path().join("log.db"))
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Off);
            let mut connection = options
                .clone()
                .create_if_missing(true)
                .connect()
                .await
                .unwrap();
            for migration in super::super::file::MIGRATIONS {
                sqlx::raw_sql(*migration)
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
            Self {
                _folder: folder,
                writer: Slot::new(options),
                connection,
            }
        }

        async fn append(&mut self, dep: &str) -> i64 {
            let insert = sqlx::query("INSERT INTO tingkat_change (dep) VALUES (?1)").bind(dep);
            insert
                .execute(&mut self.connection)
                .await
                .unwrap()
                .last_insert_rowid()
        }

        async fn rows(&mut self) -> Vec<(i64, String)> {
            let all = sqlx::query("SELECT id, dep FROM tingkat_change ORDER BY id");
            let rows = all.fetch_all(&mut self.connection).await.unwrap();
            rows.iter()
                .map(|row| (row.get("id"), row.get("dep")))
                .collect()
        }

        async fn counted(&mut self) -> i64 {
            let poll = sqlx::query(POLL).bind(i64::MAX).bind(0);
            poll.fetch_one(&mut self.connection)
                .await
                .unwrap()
                .get("rows")
        }
    }

    /// Whoever knows all up to a position learns from the rest of the log of every later change: by
    /// its own name, or by that of everything, and by an id that is not older.
    fn assert_tells(log: &[(i64, String)], changes: &[(i64, String)]) {
        for (id, dep) in changes {
            for after in 0..*id {
                let tells = |(row, name): &&(i64, String)| {
                    *row > after && *row >= *id && (name == dep || name == "*")
                };
                assert!(
                    log.iter().any(|row| tells(&row)),
                    "{dep} {id} after {after}: {log:?}"
                );
            }
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        /// A number is a change of that name, and nothing is a compaction.
        #[test]
        fn a_compacted_log_hides_no_change(steps in prop::collection::vec(prop::option::weighted(0.8, 0..9_u8), 1..60)) {
            runtime().block_on(async {
                let mut log = Log::new().await;
                let mut changes = Vec::new();
                for step in steps {
                    if let Some(number) = step {
                        let dep = format!("dep:{number}");
                        changes.push((log.append(&dep).await, dep));
                        continue;
                    }
                    let before = log.rows().await;
                    run(&log.writer, SMALL).await.unwrap();
                    let rows = log.rows().await;
                    if rows != before {
                        assert!(rows.len() <= 5, "{rows:?}");
                        // Newest changes are never replaced by less exact ones.
                        let is_exact = |row: &(i64, String)| row.1 != "*" && !changes.contains(row);
                        assert!(!rows.iter().any(is_exact), "{rows:?}");
                    }
                }
                let rows = log.rows().await;
                assert_tells(&rows, &changes);
                assert_eq!(log.counted().await, i64::try_from(rows.len()).unwrap());
            });
        }

        #[test]
        fn a_log_of_few_names_loses_none_of_them(steps in prop::collection::vec(0..5_u8, 4..60)) {
            runtime().block_on(async {
                let mut log = Log::new().await;
                let mut changes = Vec::new();
                for number in steps {
                    let dep = format!("dep:{number}");
                    changes.push((log.append(&dep).await, dep));
                }
                run(&log.writer, SMALL).await.unwrap();
                let mut newest: Vec<_> = changes
                    .iter()
                    .filter(|(id, dep)| !changes.iter().any(|(other, name)| name == dep && other > id))
                    .cloned()
                    .collect();
                newest.sort();
                assert_eq!(log.rows().await, newest);
            });
        }
    }

    #[tokio::test]
    async fn what_is_cut_is_told_by_one_change_of_everything() {
        let mut log = Log::new().await;
        for number in 1..=9 {
            log.append(&format!("dep:{number}")).await;
        }
        run(&log.writer, SMALL).await.unwrap();
        let rows = log.rows().await;
        let told: Vec<(i64, &str)> = rows.iter().map(|(id, dep)| (*id, dep.as_str())).collect();
        assert_eq!(told, [(7, "*"), (8, "dep:8"), (9, "dep:9")]);
    }

    #[tokio::test]
    async fn two_that_find_it_due_compact_once() {
        let mut log = Log::new().await;
        for _ in 0..9 {
            log.append("a").await;
        }
        run(&log.writer, SMALL).await.unwrap();
        for _ in 0..3 {
            log.append("a").await;
        }
        run(&log.writer, SMALL).await.unwrap();
        assert_eq!(log.rows().await.len(), 4);
    }

    #[test]
    fn a_log_is_compacted_when_it_is_twice_as_long_as_it_was() {
        let due = |rows, kept| SMALL.is_due(rows, kept);
        assert!(!due(3, 0) && due(4, 0));
        assert!(!due(200, 100) && due(201, 100));
    }

    #[tokio::test]
    async fn kinds_are_kept_apart() {
        let mut log = Log::new().await;
        for kind in ["e", "f", "e", "p", "f", "e"] {
            let insert = sqlx::query("INSERT INTO tingkat_change (kind, dep) VALUES (?1, 'a')");
            insert
                .bind(kind)
                .execute(&mut log.connection)
                .await
                .unwrap();
        }
        run(&log.writer, SMALL).await.unwrap();
        let ids: Vec<i64> = log.rows().await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [4, 5, 6]);
    }
}
