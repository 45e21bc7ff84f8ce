//! A database in memory with transactions, a change log and all that can happen to both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tingkat::certificate::{Certificate, Change, ChangeKind, Dep, Incarnation, Position};
use tingkat::error::{LogError, Recovery};
use tingkat::ports::{ChangeLog, History, Poll, Written};

use super::switch::Switch;

/// The database; clones are the same one. Ids are given out at `begin` and become visible at
/// `commit`, in any order.
#[derive(Clone, Debug)]
pub struct FakeDatabase {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug)]
struct State {
    lives: u64,
    /// Connections end with it, and with them the transactions under way.
    session: u64,
    next_xid: u64,
    open: BTreeSet<u64>,
    rows: BTreeMap<String, u64>,
    log: Vec<(u64, Change)>,
    compacted: BTreeMap<(String, u8), (u64, Change)>,
    floor: Option<Position>,
}

/// A write under way.
#[derive(Debug)]
pub struct Transaction {
    database: FakeDatabase,
    session: u64,
    xid: u64,
    writes: Vec<(String, u64)>,
    changes: Vec<Change>,
}

impl FakeDatabase {
    /// An empty database.
    pub fn new() -> Self {
        let state = State {
            lives: 1,
            session: 1,
            next_xid: 100,
            open: BTreeSet::new(),
            rows: BTreeMap::new(),
            log: Vec::new(),
            compacted: BTreeMap::new(),
            floor: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// A node's way to the change log, with a switch of its own.
    pub fn log(&self) -> LogHandle {
        LogHandle {
            database: self.clone(),
            switch: Switch::new(),
        }
    }

    /// Begins a write: takes an id.
    pub fn begin(&self) -> Transaction {
        let mut state = self.lock();
        let xid = state.next_xid;
        state.next_xid += 1;
        state.open.insert(xid);
        Transaction {
            database: self.clone(),
            session: state.session,
            xid,
            writes: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Writes a row of an entity and its change in one transaction.
    pub fn write(&self, entity: &str, key: &str, version: u64) -> Written {
        let mut transaction = self.begin();
        transaction.write(entity, key, version);
        transaction.commit()
    }

    /// Writes a row and no change: a trigger was bypassed.
    pub fn write_silently(&self, entity: &str, key: &str, version: u64) {
        self.lock().rows.insert(format!("{entity}:{key}"), version);
    }

    /// The value of a row with what the reader has seen.
    pub fn read(&self, entity: &str, key: &str) -> (Option<u64>, Certificate) {
        let state = self.lock();
        (
            state.rows.get(&format!("{entity}:{key}")).copied(),
            state.certificate(),
        )
    }

    /// What a reader has seen now.
    pub fn certificate(&self) -> Certificate {
        self.lock().certificate()
    }

    /// Folds all settled changes into the compacted history.
    pub fn compact(&self) {
        let mut state = self.lock();
        let position = state.position();
        let log = std::mem::take(&mut state.log);
        for (xid, change) in log {
            if xid < position.xmin() {
                let kind = match change.kind {
                    ChangeKind::Forget => 0,
                    ChangeKind::Expire => 1,
                    ChangeKind::Pattern => 2,
                };
                let key = (change.dep.name().to_owned(), kind);
                let folded = state.compacted.entry(key).or_insert((0, change));
                folded.0 = folded.0.max(xid);
            } else {
                state.log.push((xid, change));
            }
        }
        state.floor = Some(position);
    }

    /// A crash: transactions under way are gone, ids may be given out again, the log is empty.
    pub fn crash(&self) {
        let mut state = self.lock();
        state.lives += 1;
        if let Some(&oldest) = state.open.iter().next() {
            state.next_xid = oldest;
        }
        state.disconnect();
        state.log.clear();
        state.compacted.clear();
        state.floor = None;
    }

    /// A copy of everything, to [`restore`](Self::restore) later.
    pub fn backup(&self) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.lock().clone())),
        }
    }

    /// Goes back to a copy with the same incarnation: nobody told the log. Transactions under way
    /// are gone, those of the copy as well.
    pub fn restore(&self, backup: &Self) {
        let copy = backup.lock().clone();
        let mut state = self.lock();
        let (lives, session) = (state.lives, state.session);
        *state = copy;
        (state.lives, state.session) = (lives, session);
        state.disconnect();
    }

    /// A failover to a standby that missed what was written since `backup`.
    pub fn fail_over(&self, backup: &Self) {
        self.restore(backup);
        self.crash();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeDatabase {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn disconnect(&mut self) {
        self.session += 1;
        self.open.clear();
    }

    #[expect(clippy::expect_used, reason = "a fake that is wrong shall say so")]
    fn position(&self) -> Position {
        let mut open: Vec<u64> = self.open.iter().copied().collect();
        // As PostgreSQL tells it: the newest below `xmax` has ended.
        let mut xmax = self.next_xid;
        while open.last() == Some(&(xmax - 1)) {
            xmax -= 1;
            open.pop();
        }
        let xmin = open.first().copied().unwrap_or(xmax);
        Position::snapshot(xmin, xmax, open).expect("open transactions lie in the range")
    }

    fn certificate(&self) -> Certificate {
        Certificate {
            incarnation: self.incarnation(),
            position: self.position(),
        }
    }

    fn incarnation(&self) -> Incarnation {
        Incarnation::of(&["fake", &self.lives.to_string()])
    }

    fn poll(&self, is_new: impl Fn(u64) -> bool, limit: usize) -> Poll {
        let visible = |xid: u64| !self.open.contains(&xid);
        let mut changes: Vec<(u64, Change)> = self
            .log
            .iter()
            .filter(|(xid, _)| visible(*xid) && is_new(*xid))
            .cloned()
            .collect();
        let overflow = changes.len() > limit;
        changes.truncate(limit);
        Poll {
            incarnation: self.incarnation(),
            position: self.position(),
            floor: self.floor.clone(),
            changes,
            overflow,
        }
    }
}

impl Transaction {
    /// Its id.
    pub const fn xid(&self) -> u64 {
        self.xid
    }

    /// Writes a row of an entity, and that it changed.
    pub fn write(&mut self, entity: &str, key: &str, version: u64) {
        self.writes.push((format!("{entity}:{key}"), version));
        self.change(Dep::of_key(entity, key), ChangeKind::Forget);
    }

    /// Writes a change.
    pub fn change(&mut self, dep: Dep, kind: ChangeKind) {
        self.changes.push(Change { dep, kind });
    }

    /// Whether the database still knows it: a crash ends what is under way.
    pub fn is_alive(&self) -> bool {
        self.database.lock().session == self.session
    }

    /// Makes it visible; nothing happens when it is not alive any more.
    pub fn commit(mut self) -> Written {
        let mut state = self.database.lock();
        let written = Written {
            incarnation: state.incarnation(),
            xid: self.xid,
        };
        if state.session == self.session {
            state.open.remove(&self.xid);
            state.rows.extend(std::mem::take(&mut self.writes));
            state.log.extend(
                std::mem::take(&mut self.changes)
                    .into_iter()
                    .map(|change| (self.xid, change)),
            );
        }
        written
    }
}

/// One that is dropped is rolled back.
impl Drop for Transaction {
    fn drop(&mut self) {
        let mut state = self.database.lock();
        if state.session == self.session {
            state.open.remove(&self.xid);
        }
    }
}

/// One node's way to the change log.
#[derive(Clone, Debug)]
pub struct LogHandle {
    database: FakeDatabase,
    /// What calls meet.
    pub switch: Switch,
}

impl LogHandle {
    /// A call to the log: the wait comes first, so the answer is as of its arrival.
    async fn call<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, LogError> {
        if !self.switch.pass().await {
            return Err(LogError::new(Recovery::Reconnect, "the database is away"));
        }
        Ok(work(&mut self.database.lock()))
    }
}

impl ChangeLog for LogHandle {
    fn poll<'a>(
        &'a self,
        after: &'a Position,
        limit: usize,
    ) -> BoxFuture<'a, Result<Poll, LogError>> {
        Box::pin(self.call(move |state| state.poll(|xid| !after.covers(xid), limit)))
    }

    fn history(&self, limit: usize) -> BoxFuture<'_, Result<History, LogError>> {
        Box::pin(self.call(move |state| History {
            poll: state.poll(|_| true, limit),
            compacted: state.compacted.values().cloned().collect(),
        }))
    }

    fn replace_incarnation(&self, seen: Incarnation) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(self.call(move |state| {
            if state.incarnation() == seen {
                state.lives += 1;
            }
        }))
    }

    fn append(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<Written, LogError>> {
        Box::pin(async move {
            if !self.switch.pass().await {
                return Err(LogError::new(Recovery::Reconnect, "the database is away"));
            }
            let mut transaction = self.database.begin();
            transaction.changes = changes;
            Ok(transaction.commit())
        })
    }
}
