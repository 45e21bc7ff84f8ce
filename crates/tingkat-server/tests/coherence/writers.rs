//! Those who write, as any program of the store would: transactions over `psql`, with time to think
//! inside, so that ids and commits cross; one in twenty is rolled back. Some read at once what they
//! wrote, from any node, with the token of their transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tingkat_testkit::postgres::{Session, SessionError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::history::{At, How, Key, Outcome, Read, Value, Write, now};
use crate::node::Node;
use crate::readers;
use crate::store::{Store, id, value};

/// One transaction in so many is read at once by who wrote it.
const TOKENS: u32 = 4;

/// The longest that a writer thinks before it ends its transaction.
const THOUGHT: Duration = Duration::from_millis(60);

/// The first number that marks a write; the rows begin with smaller ones.
const FIRST_STAMP: i64 = 1_000;

/// After a lost connection, before the next one.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Writers under way.
pub(crate) struct Writers {
    tasks: JoinSet<Done>,
    stop: CancellationToken,
    state: Arc<State>,
}

/// What a writer wrote, and what it read with its tokens.
#[derive(Default)]
struct Done {
    writes: Vec<Write>,
    reads: Vec<Read>,
}

struct State {
    store: Arc<Store>,
    nodes: Vec<Arc<Node>>,
    next_stamp: AtomicI64,
    committed: AtomicU64,
    /// Writers between two transactions wait while this is so.
    is_paused: watch::Sender<bool>,
    /// Writers in a transaction.
    busy: watch::Sender<usize>,
    pace: Duration,
}

impl Writers {
    /// So many writers, each with up to `pace` between two transactions.
    pub(crate) fn start(
        store: &Arc<Store>,
        nodes: &[Arc<Node>],
        count: usize,
        pace: Duration,
        seed: u64,
    ) -> Self {
        let state = Arc::new(State {
            store: Arc::clone(store),
            nodes: nodes.to_vec(),
            next_stamp: AtomicI64::new(FIRST_STAMP),
            committed: AtomicU64::new(0),
            is_paused: watch::Sender::new(false),
            busy: watch::Sender::new(0),
            pace,
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let chance = Chance::of(seed, 1_000 + number as u64);
            let (state, stop) = (Arc::clone(&state), stop.clone());
            tasks.spawn(async move { state.write_until(&stop, chance).await });
        }
        Self { tasks, stop, state }
    }

    /// Transactions committed so far.
    pub(crate) fn committed(&self) -> u64 {
        self.state.committed.load(Ordering::Relaxed)
    }

    /// Lets nobody begin another transaction, and waits until those under way have ended.
    pub(crate) async fn pause(&self) {
        self.state.is_paused.send_replace(true);
        let mut busy = self.state.busy.subscribe();
        // The sender is in `state`.
        let _ = busy.wait_for(|busy| *busy == 0).await;
    }

    /// Lets them go on.
    pub(crate) fn go_on(&self) {
        self.state.is_paused.send_replace(false);
    }

    /// Ends them; what they wrote, and what they read.
    pub(crate) async fn finish(self) -> (Vec<Write>, Vec<Read>) {
        self.stop.cancel();
        self.go_on();
        let mut all = Done::default();
        for mut done in self.tasks.join_all().await {
            all.writes.append(&mut done.writes);
            all.reads.append(&mut done.reads);
        }
        (all.writes, all.reads)
    }

    /// Numbers for the stamps of so many writes, which no other write has; the first of them.
    pub(crate) fn stamps(&self, count: usize) -> i64 {
        let count = i64::try_from(count).unwrap();
        self.state.next_stamp.fetch_add(count, Ordering::Relaxed)
    }
}

/// The end of a transaction.
struct Ended {
    rows: Vec<(Key, Value, Value)>,
    /// The transaction's number.
    token: String,
    asked: At,
    outcome: Outcome,
}

impl Ended {
    fn record(self, writes: &mut Vec<Write>) {
        let (asked, outcome) = (self.asked, self.outcome);
        writes.extend(self.rows.into_iter().map(|(key, over, value)| Write {
            key,
            value,
            over,
            asked,
            outcome,
        }));
    }
}

impl State {
    async fn write_until(&self, stop: &CancellationToken, mut chance: Chance) -> Done {
        let mut done = Done::default();
        let mut session = None;
        while !stop.is_cancelled() {
            let mut is_paused = self.is_paused.subscribe();
            self.busy.send_modify(|busy| *busy += 1);
            if *is_paused.borrow_and_update() {
                self.busy.send_modify(|busy| *busy -= 1);
                // The sender is in `self`.
                let _ = is_paused.changed().await;
                continue;
            }
            let mut connected = session.take().unwrap_or_else(|| self.store.session());
            let mut keys = vec![chance.written_key()];
            if chance.once_in(5) {
                keys.push(chance.any_written_key());
            }
            // One order for all, so that nobody waits for each other.
            keys.sort_unstable();
            keys.dedup();
            let (thought, rolls_back) = (chance.up_to(THOUGHT), chance.once_in(20));
            let ended = self
                .change(&mut connected, &keys, thought, rolls_back)
                .await;
            let is_connected = match ended {
                Ok(ended) => {
                    let is_connected = ended.outcome != Outcome::Unknown;
                    let is_committed = matches!(ended.outcome, Outcome::Committed(_));
                    if is_committed && chance.once_in(TOKENS) {
                        done.reads.extend(self.read_own(&ended, &mut chance).await);
                    }
                    ended.record(&mut done.writes);
                    is_connected
                }
                // A statement that was refused leaves its transaction open.
                Err(SessionError::Refused { .. }) => connected.run("ROLLBACK;").await.is_ok(),
                Err(SessionError::Ended) => false,
            };
            self.busy.send_modify(|busy| *busy -= 1);
            if is_connected {
                session = Some(connected);
                tokio::time::sleep(chance.up_to(self.pace)).await;
            } else {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
        done
    }

    /// Reads what a transaction wrote from some node, with its token.
    async fn read_own(&self, ended: &Ended, chance: &mut Chance) -> Option<Read> {
        let (key, _, value) = *ended.rows.first()?;
        let node = self.nodes.get(chance.below(self.nodes.len()))?;
        let target = node.target()?;
        let headers = [("tingkat-position", ended.token.as_str())];
        Some(readers::ask_with(&target, node.index, key, How::AtLeast(value), &headers).await)
    }

    /// One transaction. An error is one before its end was asked for: nothing was written.
    async fn change(
        &self,
        session: &mut Session,
        keys: &[Key],
        thought: Duration,
        rolls_back: bool,
    ) -> Result<Ended, SessionError> {
        session.run("BEGIN;").await?;
        let mut rows = Vec::new();
        for key in keys {
            // Only numbers: two transactions never write the same one.
            let stamp = self.next_stamp.fetch_add(1, Ordering::Relaxed);
            let id = id(*key);
            let found = session
                .run(&format!(
                    "SELECT version, stock_quantity FROM product WHERE id = '{id}' FOR UPDATE;"
                ))
                .await?;
            // A table that has just been emptied or made anew.
            let Some(over) = value(&found) else { continue };
            let made = Value {
                version: over.version + 1,
                stamp,
            };
            session
                .run(&format!(
                    "UPDATE product SET version = {}, stock_quantity = {stamp}, updated_at = now() \
                     WHERE id = '{id}';",
                    made.version
                ))
                .await?;
            rows.push((*key, over, made));
        }
        let token = session.run("SELECT pg_current_xact_id();").await?;
        tokio::time::sleep(thought).await;
        let asked = now();
        let end = if rolls_back { "ROLLBACK;" } else { "COMMIT;" };
        let outcome = match session.run(end).await {
            _ if rolls_back => Outcome::RolledBack,
            Ok(_) => {
                self.committed.fetch_add(1, Ordering::Relaxed);
                Outcome::Committed(now())
            }
            Err(SessionError::Refused { .. }) => Outcome::RolledBack,
            Err(SessionError::Ended) => Outcome::Unknown,
        };
        Ok(Ended {
            rows,
            token,
            asked,
            outcome,
        })
    }
}
