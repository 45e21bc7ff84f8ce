//! A run: the neighbours, the processes, and everything that is written down about them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tingkat::ports::{Hint, Written};
use tingkat_testkit::TestClock;
use tingkat_testkit::fakes::{FakeDatabase, FakeRedis};
use tokio_util::task::TaskTracker;

use crate::gate::Gate;
use crate::history::{History, Load, Read, Window};
use crate::machine::Machine;
use crate::plan::{BOUND, CLOCKS, LEASE, POLL, Plan, ROWS, SILENT, TRACKED};
use crate::random::Random;
use crate::tally::Tally;
use crate::truth::{Row, Truth, Version};
use crate::{faults, readers, writers};

/// The world of one seed.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) clock: TestClock,
    pub(crate) database: FakeDatabase,
    pub(crate) redis: FakeRedis,
    pub(crate) tally: Arc<Tally>,
    pub(crate) random: Random,
    /// Closed while nobody may write.
    pub(crate) writes: Gate,
    pub(crate) tasks: TaskTracker,
    machines: Mutex<Vec<Arc<Machine>>>,
    retired: Mutex<Vec<Arc<Machine>>>,
    truth: Mutex<Truth>,
    reads: Mutex<Vec<Read>>,
    loads: Mutex<Vec<Load>>,
    windows: Mutex<Vec<Window>>,
    tokens: Mutex<Vec<Token>>,
    locked: Mutex<BTreeSet<Row>>,
    versions: AtomicU64,
    lives: AtomicU64,
    is_over: AtomicBool,
    is_quiet: AtomicBool,
    quiet_since: Mutex<Duration>,
}

/// What a writer gives to whoever must see its write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) row: Row,
    pub(crate) written: Written,
    pub(crate) at: Duration,
}

/// What a run leaves.
pub(crate) struct Outcome {
    pub(crate) history: History,
    pub(crate) tally: Arc<Tally>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one seed from beginning to end.
pub(crate) fn run(seed: u64) -> Outcome {
    run_plan(Plan::of(seed))
}

/// Runs a plan.
pub(crate) fn run_plan(plan: Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing");
    runtime.block_on(async {
        let world = Arc::new(World::new(plan));
        world.play().await;
        world.outcome()
    })
}

impl World {
    fn new(plan: Plan) -> Self {
        Self {
            random: Random::of(plan.seed, "world", 0),
            plan,
            clock: TestClock::new(),
            database: FakeDatabase::new(),
            redis: FakeRedis::new(),
            tally: Arc::default(),
            writes: Gate::default(),
            tasks: TaskTracker::new(),
            machines: Mutex::default(),
            retired: Mutex::default(),
            truth: Mutex::default(),
            reads: Mutex::default(),
            loads: Mutex::default(),
            windows: Mutex::default(),
            tokens: Mutex::default(),
            locked: Mutex::default(),
            versions: AtomicU64::new(1),
            lives: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            is_quiet: AtomicBool::new(false),
            quiet_since: Mutex::default(),
        }
    }

    async fn play(self: &Arc<Self>) {
        for row in ROWS {
            // Some rows come into being later.
            let is_there = row == SILENT[0] || row == SILENT[1] || self.random.chance(70);
            let version = if is_there { self.next_version() } else { 0 };
            if is_there {
                self.database.write("product", row, version);
            }
            self.truth().set(row, version, Duration::ZERO);
        }
        let hints = self.follow_hints();
        self.redis.on_hint(move |hint| {
            // The run is over when nobody listens.
            let _ = hints.send(hint);
        });
        for slot in 0..self.plan.nodes {
            let machine = self.boot(slot);
            lock(&self.machines).push(machine);
        }
        if self.plan.is_calm {
            // A node that knows nothing yet refuses what the others have loaded.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        for machine in self.machines() {
            readers::start(self, &machine);
        }
        let writing = writers::start(self);
        faults::play(self).await;
        self.is_quiet.store(true, Ordering::Relaxed);
        writing.close();
        writing.wait().await;
        *lock(&self.quiet_since) = self.now();
        let mut settling = (BOUND + POLL * 5).div_f64(0.9);
        if self.plan.leaves_traces() {
            settling += Duration::from_secs(6);
        }
        tokio::time::sleep(settling).await;
        self.is_over.store(true, Ordering::Relaxed);
        readers::read_finally(self).await;
    }

    fn outcome(self: &Arc<Self>) -> Outcome {
        let quiet_since = *lock(&self.quiet_since);
        for machine in lock(&self.machines)
            .iter()
            .chain(lock(&self.retired).iter())
        {
            machine.tally(&self.tally);
        }
        let strict = if self.plan.has_strict_pairs {
            vec!["pair"]
        } else {
            Vec::new()
        };
        let history = History {
            rates: CLOCKS.iter().map(|(rate, _)| *rate).collect(),
            bound: BOUND,
            poll: POLL,
            patience: self.plan.policy().soft_deadline,
            lease: LEASE,
            is_calm: self.plan.is_calm,
            has_own_loads: self.plan.has_own_loads,
            strict,
            truth: self.truth().clone(),
            reads: std::mem::take(&mut lock(&self.reads)),
            loads: std::mem::take(&mut lock(&self.loads)),
            faults: std::mem::take(&mut lock(&self.windows)),
            quiet_since,
        };
        Outcome {
            history,
            tally: Arc::clone(&self.tally),
        }
    }

    /// True time since the run began.
    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// No write begins any more.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet.load(Ordering::Relaxed)
    }

    pub(crate) fn machines(&self) -> Vec<Arc<Machine>> {
        lock(&self.machines).clone()
    }

    pub(crate) fn machine(&self, slot: usize) -> Arc<Machine> {
        Arc::clone(&lock(&self.machines)[slot])
    }

    fn boot(self: &Arc<Self>, slot: usize) -> Arc<Machine> {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        Machine::boot(self, slot, life)
    }

    /// Another process takes the place of the one in this slot.
    pub(crate) fn replace(self: &Arc<Self>, slot: usize) {
        let machine = self.boot(slot);
        readers::start(self, &machine);
        let old = std::mem::replace(&mut lock(&self.machines)[slot], machine);
        lock(&self.retired).push(old);
    }

    pub(crate) fn truth(&self) -> MutexGuard<'_, Truth> {
        lock(&self.truth)
    }

    pub(crate) fn windows(&self) -> MutexGuard<'_, Vec<Window>> {
        lock(&self.windows)
    }

    pub(crate) fn note_read(&self, read: Read) {
        lock(&self.reads).push(read);
    }

    pub(crate) fn note_load(&self, load: Load) {
        lock(&self.loads).push(load);
    }

    pub(crate) fn next_version(&self) -> Version {
        self.versions.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn give_token(&self, token: Token) {
        lock(&self.tokens).push(token);
    }

    /// One of the newest tokens of the log that a node follows: others say nothing to it.
    pub(crate) fn token(&self, machine: &Machine, random: &Random) -> Option<Token> {
        let tokens = lock(&self.tokens);
        let newest: Vec<Token> = tokens.iter().rev().take(6).copied().collect();
        if newest.is_empty() {
            return None;
        }
        let token = *random.pick(&newest);
        let present = self.database.certificate().incarnation;
        let followed = machine.node.feed()?.incarnation;
        (token.written.incarnation == present && followed == Some(present)).then_some(token)
    }

    /// Locks a row as a transaction does; nothing when another one has it.
    pub(crate) fn lock_row(self: &Arc<Self>, row: Row) -> Option<RowLock> {
        lock(&self.locked).insert(row).then(|| RowLock {
            world: Arc::clone(self),
            row,
        })
    }

    /// What the rows really are, after the database lost or regained something.
    pub(crate) fn rows_now(&self) -> Vec<(Row, Version)> {
        ROWS.into_iter()
            .map(|row| (row, self.database.read("product", row).0.unwrap_or(0)))
            .collect()
    }

    /// A tracked row, the first ones more often.
    pub(crate) fn some_row(random: &Random) -> Row {
        let index = usize::try_from(random.skewed(TRACKED.len() as u64)).unwrap_or(0);
        TRACKED[index]
    }

    /// Runs beside everything else, as long as the run lasts.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    fn follow_hints(self: &Arc<Self>) -> tokio::sync::mpsc::UnboundedSender<Hint> {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let world = Arc::clone(self);
        self.spawn(async move {
            while let Some(hint) = receiver.recv().await {
                faults::deliver(&world, hint);
            }
        });
        sender
    }
}

/// A row that is being written.
pub(crate) struct RowLock {
    world: Arc<World>,
    row: Row,
}

impl Drop for RowLock {
    fn drop(&mut self) {
        lock(&self.world.locked).remove(self.row);
    }
}
