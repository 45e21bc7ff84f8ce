//! The change log in the file: its position is the newest id, since there is one writer at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Row as _};
use tingkat::certificate::{Certificate, Change, ChangeKind, Dep, Incarnation, Position};
use tingkat::error::{LogError, Recovery};
use tingkat::ports::{ChangeLog, History, Poll, Written};
use tokio_util::task::TaskTracker;

use super::compact;
use super::life::Life;
use super::place::{Place, Replaced};
use super::slot::{Slot, Turn};
use crate::error::{sqlite, sqlite_code};

const POSITION: &str = include_str!("../../setup/sqlite/log_position.sql");
const POLL: &str = include_str!("../../setup/sqlite/log_poll.sql");
const HISTORY: &str = include_str!("../../setup/sqlite/log_history.sql");
const APPEND: &str = include_str!("../../setup/sqlite/log_append.sql");
const RENEW: &str = include_str!("../../setup/sqlite/log_renew.sql");

/// How long a write waits for the writes of this process before it, and again for those of others.
pub(super) const BUSY_FOR: Duration = Duration::from_secs(5);

/// Readers wait for nobody, but for a process that repairs the file after a crash.
const POLL_BUSY_FOR: Duration = Duration::from_millis(250);

/// The change log of one file.
pub(crate) struct Log {
    pub(super) place: Place,
    life: Life,
    /// Reads only: its own writes would not show in the version that it asks for first.
    follower: Slot<Option<Followed>>,
    /// All writes of this process, so that they queue here instead of racing for the file's lock.
    pub(super) writer: Arc<Slot<()>>,
    tasks: TaskTracker,
    is_compacting: Arc<AtomicBool>,
}

/// What the last poll on this connection saw.
struct Followed {
    data_version: i64,
    incarnation: Incarnation,
    position: Position,
}

/// Where the log stands, as a statement tells it.
struct Standing {
    incarnation: Incarnation,
    position: Position,
}

impl Log {
    pub(super) fn new(place: Place, life: Life, options: &SqliteConnectOptions) -> Self {
        let reading = options
            .clone()
            .busy_timeout(POLL_BUSY_FOR)
            .pragma("query_only", "ON");
        Self {
            place,
            life,
            follower: Slot::new(reading),
            writer: Arc::new(Slot::new(options.clone())),
            tasks: TaskTracker::new(),
            is_compacting: Arc::default(),
        }
    }

    /// What the transaction under way on a connection sees.
    pub(super) async fn certificate(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Certificate, sqlx::Error> {
        let row = sqlx::query(POSITION).fetch_one(connection).await?;
        let Standing {
            incarnation,
            position,
        } = self.standing(&row)?;
        Ok(Certificate {
            incarnation,
            position,
        })
    }

    /// Waits for work under way and lets go of the file, which nobody else of this process may use
    /// any more.
    pub(super) async fn close(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.follower.close().await;
        self.writer.close().await;
        self.life.end();
    }

    /// Whether nobody else had the file open when this process began.
    pub(super) const fn is_new(&self) -> bool {
        self.life.is_new()
    }

    /// Ids compare within one life of one file, as long as no backup was restored into it: that
    /// moves the version of its schema.
    fn standing(&self, row: &SqliteRow) -> Result<Standing, sqlx::Error> {
        let renewal: String = row.try_get("renewal")?;
        let schema: i64 = row.try_get("schema_version")?;
        let (place, schema) = (self.place.tag(), schema.to_string());
        let parts = [self.life.name(), &place, &renewal, &schema];
        let position: i64 = row.try_get("position")?;
        Ok(Standing {
            incarnation: Incarnation::of(&parts),
            position: Position::log_id(position.try_into().unwrap_or(0)),
        })
    }

    async fn try_poll(&self, after: &Position, limit: usize) -> Result<Poll, Trouble> {
        let mut turn = self.following().await?;
        // First of all: what is committed from now on shows in the next one.
        let data_version = data_version(&mut turn.connection).await?;
        if let Some(followed) = &turn.notes
            && followed.data_version == data_version
            && followed.position == *after
        {
            let poll = Poll {
                incarnation: followed.incarnation,
                position: after.clone(),
                floor: None,
                changes: Vec::new(),
                overflow: false,
            };
            turn.end();
            return Ok(poll);
        }
        let newest_seen = i64::try_from(after.xmax().saturating_sub(1)).unwrap_or(i64::MAX);
        let row = sqlx::query(POLL)
            .bind(newest_seen)
            .bind(one_more(limit))
            .fetch_one(&mut turn.connection)
            .await?;
        let poll = self.taken_in(turn, data_version, &row, limit)?;
        Ok(poll)
    }

    async fn try_history(&self, limit: usize) -> Result<History, Trouble> {
        let mut turn = self.following().await?;
        let data_version = data_version(&mut turn.connection).await?;
        let row = sqlx::query(HISTORY)
            .bind(one_more(limit))
            .fetch_one(&mut turn.connection)
            .await?;
        let mut poll = self.taken_in(turn, data_version, &row, limit)?;
        let compacted = std::mem::take(&mut poll.changes);
        Ok(History { poll, compacted })
    }

    async fn following(&self) -> Result<Turn<'_, Option<Followed>>, Trouble> {
        self.place.check()?;
        self.follower.turn(BUSY_FOR).await?.ok_or(Trouble::Queue)
    }

    fn taken_in(
        &self,
        mut turn: Turn<'_, Option<Followed>>,
        data_version: i64,
        row: &SqliteRow,
        limit: usize,
    ) -> Result<Poll, Trouble> {
        let Standing {
            incarnation,
            position,
        } = self.standing(row)?;
        let mut changes = changes(row)?;
        let overflow = changes.len() > limit;
        changes.truncate(limit);
        if compact::LIMITS.is_due(row.try_get("rows")?, row.try_get("kept")?) {
            self.compact();
        }
        turn.notes = Some(Followed {
            data_version,
            incarnation,
            position: position.clone(),
        });
        turn.end();
        Ok(Poll {
            incarnation,
            position,
            floor: None,
            changes,
            overflow,
        })
    }

    /// Behind the back of polls, which must not wait for it.
    fn compact(&self) {
        if self.tasks.is_closed() || self.is_compacting.swap(true, Ordering::AcqRel) {
            return;
        }
        let (writer, is_compacting) = (Arc::clone(&self.writer), Arc::clone(&self.is_compacting));
        self.tasks.spawn(async move {
            if let Err(error) = compact::run(&writer, compact::LIMITS).await {
                // Whoever polls after the next change tries again.
                tracing::warn!(%error, "failed to compact the change log");
            }
            is_compacting.store(false, Ordering::Release);
        });
    }

    pub(super) async fn writing(&self) -> Result<Turn<'_, ()>, Trouble> {
        self.place.check()?;
        self.writer.turn(BUSY_FOR).await?.ok_or(Trouble::Queue)
    }

    async fn try_append(&self, changes: &[Change]) -> Result<Written, Trouble> {
        let mut turn = self.writing().await?;
        let mut transaction = turn.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(APPEND)
            .bind(json(changes)?)
            .execute(&mut *transaction)
            .await?;
        let certificate = self.certificate(&mut transaction).await?;
        transaction.commit().await?;
        turn.end();
        Ok(written(&certificate))
    }

    async fn try_replace(&self, seen: Incarnation) -> Result<(), Trouble> {
        let mut turn = self.writing().await?;
        let mut transaction = turn.connection.begin_with("BEGIN IMMEDIATE").await?;
        if self.certificate(&mut transaction).await?.incarnation == seen {
            sqlx::query(RENEW).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        turn.end();
        Ok(())
    }
}

impl ChangeLog for Log {
    fn poll<'a>(
        &'a self,
        after: &'a Position,
        limit: usize,
    ) -> BoxFuture<'a, Result<Poll, LogError>> {
        Box::pin(async move {
            let polled = self.try_poll(after, limit).await;
            polled.map_err(|trouble| trouble.of_log("poll the change log"))
        })
    }

    fn history(&self, limit: usize) -> BoxFuture<'_, Result<History, LogError>> {
        Box::pin(async move {
            let read = self.try_history(limit).await;
            read.map_err(|trouble| trouble.of_log("read the change log"))
        })
    }

    fn replace_incarnation(&self, seen: Incarnation) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async move {
            let replaced = self.try_replace(seen).await;
            replaced.map_err(|trouble| trouble.of_log("renew the change log"))
        })
    }

    fn append(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<Written, LogError>> {
        Box::pin(async move {
            let appended = self.try_append(&changes).await;
            appended.map_err(|trouble| trouble.of_log("write the change log"))
        })
    }
}

/// The token of a transaction that ends where `certificate` stands.
pub(super) fn written(certificate: &Certificate) -> Written {
    Written {
        incarnation: certificate.incarnation,
        xid: certificate.position.xmax().saturating_sub(1),
    }
}

async fn data_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("PRAGMA data_version")
        .fetch_one(connection)
        .await?;
    row.try_get("data_version")
}

/// One more than the limit, to see whether there are more.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// A text that is not UTF-8 names nothing that could be cached, and must not stop the poll.
fn changes(row: &SqliteRow) -> Result<Vec<(u64, Change)>, sqlx::Error> {
    let list: Vec<u8> = row.try_get("changes")?;
    let list: Vec<(u64, String, String)> = serde_json::from_str(&String::from_utf8_lossy(&list))
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(list
        .into_iter()
        .map(|(id, kind, dep)| (id, change(&kind, dep)))
        .collect())
}

pub(super) fn change(kind: &str, dep: String) -> Change {
    let (kind, dep) = match kind {
        "f" => (ChangeKind::Forget, Dep::new(dep)),
        "e" => (ChangeKind::Expire, Dep::new(dep)),
        "p" => (ChangeKind::Pattern, Dep::new(dep)),
        // Of a release that is newer than this one.
        _ => (ChangeKind::Forget, Dep::everything()),
    };
    Change { dep, kind }
}

fn json(changes: &[Change]) -> Result<String, sqlx::Error> {
    let list: Vec<[&str; 2]> = changes
        .iter()
        .map(|change| {
            let kind = match change.kind {
                ChangeKind::Forget => "f",
                ChangeKind::Expire => "e",
                ChangeKind::Pattern => "p",
            };
            [kind, change.dep.name()]
        })
        .collect();
    serde_json::to_string(&list).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Replaced(#[from] Replaced),
    #[error("earlier writes of this process have not ended")]
    Queue,
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

impl Trouble {
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Replaced(_) => false,
            Self::Queue => true,
            Self::Sql(error) => matches!(sqlite_code(error), Some(sqlite::BUSY | sqlite::LOCKED)),
        }
    }

    /// As the engine wants it.
    fn of_log(&self, what: &str) -> LogError {
        let recovery = match self {
            Self::Replaced(_) => Recovery::GiveUp,
            Self::Queue | Self::Sql(_) => Recovery::Retry,
        };
        let message = if self.is_busy() {
            format!("failed to {what}: the database file is busy")
        } else {
            format!("failed to {what}: {self}")
        };
        LogError::new(recovery, message)
    }
}
