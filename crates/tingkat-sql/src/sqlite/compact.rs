//! Keeping the change log short: of each name only the newest change stays, so a node that slept
//! for however long misses nothing. What is too long even so is cut, and says so itself.

use sqlx::{Connection as _, Row as _};

use super::log::{BUSY_FOR, Trouble};
use super::slot::Slot;

const POLL: &str = include_str!("../../setup/sqlite/log_poll.sql");
const FOLD: &str = include_str!("../../setup/sqlite/log_fold.sql");
const CUT: &str = include_str!("../../setup/sqlite/log_cut.sql");
const FLOOR: &str = include_str!("../../setup/sqlite/log_floor.sql");
const DROP: &str = include_str!("../../setup/sqlite/log_drop.sql");
const COMPACTED: &str = include_str!("../../setup/sqlite/log_compacted.sql");

/// Fewer new rows than this are not worth the work.
const SLACK: i64 = 10_000;

/// More names than this are cut to half as many; with it a log has at most about twice as many rows.
const MOST_KEPT: i64 = 100_000;

/// Whether half of the rows are newer than the last compaction; so each row is paid for once or twice.
pub(super) const fn is_due(rows: i64, kept: i64) -> bool {
    let new = rows.saturating_sub(kept);
    new > SLACK && new > kept
}

/// Compacts the log, if that is still due when its turn comes.
pub(super) async fn run(writer: &Slot<()>) -> Result<(), Trouble> {
    let mut turn = writer.turn(BUSY_FOR).await?.ok_or(Trouble::Queue)?;
    let mut transaction = turn.connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have been first.
    let log = sqlx::query(POLL)
        .bind(i64::MAX)
        .bind(0)
        .fetch_one(&mut *transaction)
        .await?;
    if is_due(log.try_get("rows")?, log.try_get("kept")?) {
        sqlx::query(FOLD).execute(&mut *transaction).await?;
        let too_many = sqlx::query(CUT)
            .bind(MOST_KEPT)
            .fetch_optional(&mut *transaction)
            .await?;
        if too_many.is_some() {
            let floor = sqlx::query(CUT)
                .bind(MOST_KEPT / 2)
                .fetch_one(&mut *transaction)
                .await?;
            let floor: i64 = floor.try_get("floor")?;
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
