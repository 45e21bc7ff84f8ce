//! The change log in PostgreSQL: followed by the difference of snapshots, on a connection of its own.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tingkat::certificate::{Change, ChangeKind, Dep, Incarnation, Position};
use tingkat::error::{LogError, Recovery};
use tingkat::ports::{ChangeLog, History, Poll, Written};

use super::Postgres;
use super::life::{Life, Trouble, decoded, incarnation, log_error};
use super::literal;
use super::script::Script;
use crate::error::spares_connection;

const POLL: &str = include_str!("../../setup/postgres/log_poll.sql");
const HISTORY: &str = include_str!("../../setup/postgres/log_history.sql");
const APPEND: &str = include_str!("../../setup/postgres/log_append.sql");

/// A history has at most so many times as many rows as deps: of a dep that changes all the time it has
/// one for each transaction since the log was last compacted.
const ROWS_OF_A_DEP: usize = 2;

/// A log that was found empty, or copied, is asked again so often after it began a new life.
const ATTEMPTS: usize = 3;

/// The change log of one database.
#[derive(Debug)]
pub(crate) struct Log {
    postgres: Arc<Postgres>,
}

/// What one statement tells of the log.
struct Answer {
    life: Life,
    floor: Option<Position>,
    changes: Vec<(u64, Change)>,
    /// Told by a history alone, as is what follows.
    compacted: Vec<(u64, Change)>,
    is_too_much: bool,
}

impl Log {
    pub(crate) const fn new(postgres: Arc<Postgres>) -> Self {
        Self { postgres }
    }

    fn failed(&self, tried: &str, error: &sqlx::Error) -> LogError {
        log_error(tried, error, &self.postgres.server)
    }

    /// Asks the log; gives it a life first where it has none, and another one where it turns out to
    /// be a copy.
    async fn ask(&self, sql: &str, literals: &[String]) -> Result<Answer, LogError> {
        for _ in 0..ATTEMPTS {
            let answer = self.ask_once(sql, literals).await?;
            let Some(uuid) = answer.life.uuid.as_deref() else {
                self.renew(None).await?;
                continue;
            };
            if !answer.is_of_this_server() {
                self.renew(Some(uuid)).await?;
                continue;
            }
            return Ok(answer);
        }
        Err(LogError::new(
            Recovery::Retry,
            "the change log has no life that lasts",
        ))
    }

    async fn ask_once(&self, sql: &str, literals: &[String]) -> Result<Answer, LogError> {
        let failed = |error| self.failed("the poll of the change log", &error);
        let mut held = self.postgres.feed.hold().await.map_err(failed)?;
        // No settings: this is sent ten times a second, and the feed gives up by itself.
        let mut script = Script::default();
        let place = script.add(sql, literals);
        let row = script.run(&mut held).await.one(place);
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                let is_standby = matches!(
                    Trouble::of(&error, &self.postgres.server),
                    Some(Trouble::Standby(_))
                );
                if spares_connection(&error) && !is_standby {
                    held.keep();
                }
                return Err(failed(error));
            }
        };
        if row.try_get("is_standby").map_err(failed)? {
            let trouble = Trouble::Standby(self.postgres.server.address());
            return Err(LogError::new(Recovery::Reconnect, trouble.message()));
        }
        held.keep();
        Answer::read(&row).map_err(failed)
    }

    async fn renew(&self, seen: Option<&str>) -> Result<(), LogError> {
        self.postgres
            .renew(seen)
            .await
            .map_err(|error| self.failed("a new life of the change log", &error))
    }

    async fn write(&self, changes: &[Change]) -> Result<Option<Written>, sqlx::Error> {
        let kinds: Vec<String> = changes
            .iter()
            .map(|change| kind_name(change.kind).to_owned())
            .collect();
        let deps: Vec<String> = changes
            .iter()
            .map(|change| change.dep.name().to_owned())
            .collect();
        let literals = [literal::texts(&kinds)?, literal::texts(&deps)?];
        let rows = self
            .postgres
            .operate(|script| Ok(script.add(APPEND, &literals)))
            .await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let xid: String = row.try_get("xid")?;
        let uuid: Option<String> = row.try_get("uuid")?;
        let Some(uuid) = uuid else { return Ok(None) };
        Ok(Some(Written {
            incarnation: incarnation(row, &uuid)?,
            xid: decoded(xid.parse())?,
        }))
    }
}

impl ChangeLog for Log {
    fn poll<'a>(
        &'a self,
        after: &'a Position,
        limit: usize,
    ) -> BoxFuture<'a, Result<Poll, LogError>> {
        Box::pin(async move {
            let literals = [
                format!("'{}'", after.xmax()),
                literal::numbers(after.xip()),
                limit.saturating_add(1).to_string(),
            ];
            let answer = self.ask(POLL, &literals).await?;
            Ok(answer.poll(limit))
        })
    }

    fn history(&self, limit: usize) -> BoxFuture<'_, Result<History, LogError>> {
        Box::pin(async move {
            let most_rows = limit.saturating_mul(ROWS_OF_A_DEP);
            let literals = [limit, most_rows].map(|most| most.saturating_add(1).to_string());
            let mut answer = self.ask(HISTORY, &literals).await?;
            let compacted = std::mem::take(&mut answer.compacted);
            let is_too_much = answer.is_too_much;
            // The node will refuse all that is older than the poll, whatever it is.
            let poll = Poll {
                overflow: is_too_much,
                ..answer.poll(usize::MAX)
            };
            Ok(History { poll, compacted })
        })
    }

    fn replace_incarnation(&self, seen: Incarnation) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async move {
            let literals = ["'0'".to_owned(), literal::numbers(&[]), "0".to_owned()];
            let answer = self.ask(POLL, &literals).await?;
            match answer.life.uuid.as_deref() {
                Some(uuid) if answer.life.incarnation == seen => self.renew(Some(uuid)).await,
                // Another node was faster.
                _ => Ok(()),
            }
        })
    }

    fn append(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<Written, LogError>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                let written = self.write(&changes).await;
                let written =
                    written.map_err(|error| self.failed("the write to the change log", &error))?;
                match written {
                    Some(written) => return Ok(written),
                    // It was written to a log that is about to begin anew.
                    None => self.renew(None).await?,
                }
            }
            Err(LogError::new(
                Recovery::Retry,
                "the change log has no life that lasts",
            ))
        })
    }
}

impl Answer {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let floor: Option<String> = row.try_get("floor")?;
        Ok(Self {
            life: Life::read(row)?,
            floor: floor.map(|floor| decoded(floor.parse())).transpose()?,
            changes: changes(row, "changes")?,
            compacted: match row.try_column("compacted") {
                Ok(_) => changes(row, "compacted")?,
                Err(_) => Vec::new(),
            },
            is_too_much: match row.try_column("is_too_much") {
                Ok(_) => row.try_get("is_too_much")?,
                Err(_) => false,
            },
        })
    }

    /// Whether all that it tells can have happened before it. A log that was copied to a server
    /// with lower transaction numbers tells of the future.
    fn is_of_this_server(&self) -> bool {
        let position = &self.life.position;
        let told = self.changes.iter().chain(&self.compacted);
        told.into_iter().all(|(xid, _)| position.covers(*xid))
            && self
                .floor
                .as_ref()
                .is_none_or(|floor| position.contains(floor))
    }

    fn poll(self, limit: usize) -> Poll {
        Poll {
            incarnation: self.life.incarnation,
            position: self.life.position,
            floor: self.floor,
            overflow: self.changes.len() > limit,
            changes: self.changes,
        }
    }
}

/// A list of changes with the transaction of each.
pub(crate) fn changes(
    row: &PgRow,
    column: &'static str,
) -> Result<Vec<(u64, Change)>, sqlx::Error> {
    let text: String = row.try_get(column)?;
    let rows: Vec<(String, String, String)> = decoded(serde_json::from_str(&text))?;
    rows.into_iter()
        .map(|(xid, kind, dep)| {
            let change = Change {
                dep: Dep::new(dep),
                // A kind of a later release, of which this one can only know that something changed.
                kind: kind_of(&kind).unwrap_or(ChangeKind::Forget),
            };
            Ok((decoded(xid.parse())?, change))
        })
        .collect()
}

const KINDS: [(ChangeKind, &str); 3] = [
    (ChangeKind::Forget, "f"),
    (ChangeKind::Expire, "e"),
    (ChangeKind::Pattern, "p"),
];

fn kind_name(kind: ChangeKind) -> &'static str {
    let known = KINDS.into_iter().find(|(known, _)| *known == kind);
    known.map_or("f", |(_, name)| name)
}

fn kind_of(name: &str) -> Option<ChangeKind> {
    KINDS
        .into_iter()
        .find(|(_, known)| *known == name)
        .map(|(kind, _)| kind)
}
