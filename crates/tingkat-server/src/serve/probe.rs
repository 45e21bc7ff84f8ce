//! Watches the neighbours: is the database there, is Redis there, are we stopping?

use std::sync::Arc;
use std::time::Duration;

use tingkat::ports::Clock;
use tingkat_health::{Observed, RedisState, SourceState};
use tingkat_redis::{Redis, State};
use tingkat_sql::Database;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often the database is asked; twice as often until it has answered once.
const INTERVAL: Duration = Duration::from_secs(1);

/// Who is watched.
pub(super) struct Neighbours {
    pub(super) database: Database,
    pub(super) redis: Option<Arc<Redis>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Neighbours {
    /// Begins to watch; ends soon after `stop`.
    pub(super) fn watch(
        self,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> watch::Receiver<Observed> {
        let redis = if self.redis.is_some() {
            RedisState::Connecting
        } else {
            RedisState::Off
        };
        let (sender, receiver) = watch::channel(Observed {
            redis,
            ..Observed::default()
        });
        let sender = Arc::new(sender);
        if let Some(redis) = &self.redis {
            tasks.spawn(watch_redis(
                redis.state(),
                Arc::clone(&sender),
                stop.clone(),
            ));
        }
        tasks.spawn(watch_database(self.database, self.clock, sender, stop));
        receiver
    }
}

async fn watch_redis(
    mut state: watch::Receiver<State>,
    sender: Arc<watch::Sender<Observed>>,
    stop: CancellationToken,
) {
    loop {
        let now = match &*state.borrow_and_update() {
            State::Connecting => RedisState::Connecting,
            State::Up => RedisState::Up,
            State::Down(why) => RedisState::Down { why: why.clone() },
        };
        match &now {
            RedisState::Up => tracing::info!("redis is connected"),
            RedisState::Down { why } => tracing::warn!("redis is away: {why}"),
            RedisState::Off | RedisState::Connecting => {}
        }
        sender.send_modify(|observed| observed.redis = now);
        if !matches!(
            stop.run_until_cancelled(state.changed()).await,
            Some(Ok(()))
        ) {
            return;
        }
    }
}

async fn watch_database(
    database: Database,
    clock: Arc<dyn Clock>,
    sender: Arc<watch::Sender<Observed>>,
    stop: CancellationToken,
) {
    loop {
        let Some(checked) = stop.run_until_cancelled(database.check()).await else {
            break;
        };
        let before = sender.borrow().source.clone();
        let now = match (checked, &before) {
            (Ok(()), _) => SourceState::Up,
            (Err(error), SourceState::Down { since_ms, .. }) => SourceState::Down {
                why: error.to_string(),
                since_ms: *since_ms,
            },
            (Err(error), SourceState::Up | SourceState::Unknown) => SourceState::Down {
                why: error.to_string(),
                since_ms: clock.wall_ms(),
            },
        };
        if now != before {
            match &now {
                SourceState::Up => tracing::info!("the database answers"),
                SourceState::Down { why, .. } => {
                    tracing::warn!("the database does not answer: {why}");
                }
                SourceState::Unknown => {}
            }
        }
        let is_up = now == SourceState::Up;
        sender.send_modify(|observed| {
            observed.source_was_ever_up |= is_up;
            observed.source = now;
        });
        let pause = if is_up { INTERVAL } else { INTERVAL / 2 };
        if stop.run_until_cancelled(clock.sleep(pause)).await.is_none() {
            break;
        }
    }
    sender.send_modify(|observed| observed.draining = true);
}
