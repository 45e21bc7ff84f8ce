//! Writers: transactions whose ids and commits cross, writes around the log, values put in.

use std::sync::Arc;
use std::time::Duration;

use tingkat::certificate::{Change, ChangeKind, Dep};
use tingkat::error::ChangeError;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::machine::Machine;
use crate::plan::{INSERTED, SILENT};
use crate::random::Random;
use crate::source::{Shown, tag_of};
use crate::truth::Row;
use crate::world::{Token, World};

/// One write in twenty is rolled back.
const ROLLBACKS: u64 = 5;

/// Begins to write; the tracker ends with the last write.
pub(crate) fn start(world: &Arc<World>) -> TaskTracker {
    let tracker = TaskTracker::new();
    for number in 0..4 {
        let writer = Writer {
            world: Arc::clone(world),
            random: Random::of(world.plan.seed, "writer", number),
        };
        if number < 2 || world.plan.is_calm {
            tracker.spawn(writer.write_rows(number % 2 == 1));
        } else if number == 2 {
            tracker.spawn(writer.write_around_the_log());
        } else if world.plan.allows_inserts() {
            tracker.spawn(writer.put_in());
        }
    }
    tracker
}

struct Writer {
    world: Arc<World>,
    random: Random,
}

impl Writer {
    /// Writes rows in transactions, from outside or through a node.
    async fn write_rows(self, through_node: bool) {
        while !self.world.is_quiet() {
            let pause = if self.world.plan.is_calm {
                self.random.millis(100, 600)
            } else {
                self.random.millis(5, 300)
            };
            tokio::time::sleep(pause).await;
            self.write_row(through_node).await;
        }
    }

    async fn write_row(&self, through_node: bool) {
        let (world, random) = (&self.world, &self.random);
        let mut transaction = world.database.begin();
        self.think().await;
        let mut rows = Vec::new();
        for _ in 0..random.between(1, 2) {
            let row = World::some_row(random);
            if let Some(lock) = world.lock_row(row) {
                let version = world.next_version();
                transaction.write("product", row, version);
                rows.push((row, version, lock));
            }
        }
        self.think().await;
        if rows.is_empty() || random.chance(ROLLBACKS) {
            world.tally.add("rollback");
            return;
        }
        let machine = through_node.then(|| self.some_machine());
        world.writes.pass().await;
        if !transaction.is_alive() {
            world.tally.add("transaction lost in a crash");
            return;
        }
        let (written, at) = (transaction.commit(), world.now());
        for (row, version, _) in &rows {
            world.truth().set(row, *version, at);
            world.give_token(Token { row, written, at });
        }
        if let Some(machine) = machine {
            let changes: Vec<Change> = rows
                .iter()
                .map(|(row, ..)| forget(Dep::of_key("product", row)))
                .collect();
            // A process that was killed never gets so far, so nobody waits for it.
            self.world.spawn(async move {
                machine.gate.pass().await;
                machine.node.committed(written, &changes);
                for (row, ..) in &rows {
                    machine.wrote(row, at);
                }
            });
        }
    }

    /// Most writers are quick; some make the others' snapshots full of holes.
    async fn think(&self) {
        let pause = match self.random.below(100) {
            0..60 => Duration::ZERO,
            60..95 => self.random.millis(1, 40),
            _ if self.world.plan.is_calm => Duration::ZERO,
            _ => {
                self.world.tally.add("long transaction");
                self.random.millis(300, 3_000)
            }
        };
        tokio::time::sleep(pause).await;
    }

    /// Writes a row past the triggers, then makes it known by one of the ways to forget.
    async fn write_around_the_log(self) {
        while !self.world.is_quiet() {
            tokio::time::sleep(self.random.millis(100, 700)).await;
            self.world.writes.pass().await;
            let (row, version) = (*self.random.pick(&SILENT), self.world.next_version());
            self.world.database.write_silently("product", row, version);
            let now = self.world.now();
            self.world.truth().open(row, version, now);
            tokio::time::sleep(self.random.millis(0, 20)).await;
            loop {
                self.world.writes.pass().await;
                let machine = self.some_machine();
                let way = self.random.below(9);
                let forgotten =
                    timeout(Duration::from_secs(3), self.make_known(&machine, row, way)).await;
                if matches!(forgotten, Ok(Ok(()))) {
                    self.world.tally.add(format!("forget {way}"));
                    self.is_known(&machine, row);
                    break;
                }
                self.world.tally.add("forget failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn make_known(&self, machine: &Machine, row: Row, way: u64) -> Result<(), ChangeError> {
        let (cache, key) = (&machine.products, row.to_owned());
        match way {
            0 => cache.forget(&key).await,
            1 => cache.expire(&key).await,
            2 => cache.forget_many(&[key, "p0".to_owned()]).await,
            3 => cache.forget_tag(&tag_of(row)).await,
            4 => cache.expire_tag(&tag_of(row)).await,
            5 => cache.forget_pattern("s*").await,
            6 => cache.clear().await,
            7 => cache.expire_all().await,
            _ => machine.node.forget_everything().await,
        }
    }

    /// Puts values in, each after the row itself was written.
    async fn put_in(self) {
        while !self.world.is_quiet() {
            tokio::time::sleep(self.random.millis(100, 700)).await;
            let version = self.world.next_version();
            self.world
                .database
                .write_silently("product", INSERTED, version);
            let now = self.world.now();
            self.world.truth().open(INSERTED, version, now);
            loop {
                self.world.writes.pass().await;
                let machine = self.some_machine();
                let value = Shown {
                    key: INSERTED.to_owned(),
                    rows: vec![(INSERTED.to_owned(), version)],
                };
                let key = INSERTED.to_owned();
                let insert = machine.products.insert(&key, value);
                if matches!(timeout(Duration::from_secs(3), insert).await, Ok(Ok(()))) {
                    self.world.tally.add("insert");
                    self.is_known(&machine, INSERTED);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// The change is in the log: whatever the database does not hold is over.
    fn is_known(&self, machine: &Machine, row: Row) {
        let now = self.world.now();
        let version = self.world.database.read("product", row).0;
        self.world
            .truth()
            .close_others(row, version.unwrap_or(0), now);
        machine.wrote(row, now);
    }

    fn some_machine(&self) -> Arc<Machine> {
        let machines = self.world.machines();
        Arc::clone(self.random.pick(&machines))
    }
}

fn forget(dep: Dep) -> Change {
    Change {
        dep,
        kind: ChangeKind::Forget,
    }
}
