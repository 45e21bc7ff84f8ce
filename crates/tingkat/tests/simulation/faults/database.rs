//! What happens to the database and its log.

use std::time::Duration;

use tingkat::certificate::{ChangeKind, Dep};

use super::{Faults, Part};
use crate::history::Fault;
use crate::world::{Token, World};

/// For how long writers wait for a log that was restored to be found out.
const PATIENCE: Duration = Duration::from_secs(4);

/// A backup must be so many transactions old that those that are on their way while it is brought
/// in can not hide it. A database that was overtaken before anybody polled can not be found out.
const DISTANCE: u64 = 20;

impl Faults {
    /// Work for the log: compaction, many changes of one row between two polls, many patterns.
    pub(super) async fn load_the_log(&self, fault: Fault) {
        let world = &self.world;
        let from = world.now();
        match fault {
            Fault::Compaction => world.database.compact(),
            Fault::Burst => self.burst().await,
            _ => {
                let mut transaction = world.database.begin();
                for _ in 0..40 {
                    let glob = format!("z{}*", self.random.below(1_000));
                    transaction.change(Dep::of_key("product", &glob), ChangeKind::Pattern);
                }
                world.writes.pass().await;
                transaction.commit();
            }
        }
        self.note(fault, None, from, world.now() - from);
    }

    async fn burst(&self) {
        let world = &self.world;
        let row = World::some_row(&self.random);
        let Some(_lock) = world.lock_row(row) else {
            return;
        };
        // Some are more than a poll takes.
        let most = if self.random.chance(20) { 90 } else { 30 };
        for _ in 0..self.random.between(9, most) {
            world.writes.pass().await;
            let version = world.next_version();
            let written = world.database.write("product", row, version);
            let at = world.now();
            world.truth().set(row, version, at);
            world.give_token(Token { row, written, at });
            if self.random.chance(40) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// The database loses its log, its newest commits, or both.
    pub(super) async fn lose(&self, fault: Fault) {
        let Some(_broken) = self.break_part(Part::Database, 0) else {
            return;
        };
        let world = &self.world;
        let from = world.now();
        let backup = world.database.backup();
        if fault == Fault::Crash {
            world.database.crash();
        } else {
            tokio::time::sleep(self.random.millis(200, 2_000)).await;
            if fault == Fault::FailOver {
                world.database.fail_over(&backup);
                let now = world.now();
                for (row, version) in world.rows_now() {
                    world.truth().set(row, version, now);
                }
            } else {
                self.restore(&backup).await;
            }
        }
        self.note(fault, None, from, world.now() - from);
    }

    /// An older copy comes back, and nobody tells the log. The promise holds from the moment on in
    /// which a node has found out; nobody writes before that.
    async fn restore(&self, backup: &tingkat_testkit::fakes::FakeDatabase) {
        let world = &self.world;
        let (then, before) = (backup.certificate(), world.database.certificate());
        if then.incarnation != before.incarnation
            || before.position.xmax() < then.position.xmax() + DISTANCE
        {
            return;
        }
        world.writes.close();
        world.database.restore(backup);
        let now = world.now();
        for (row, version) in world.rows_now() {
            world.truth().open(row, version, now);
        }
        world.tally.add("restored with its incarnation");
        while world.database.certificate().incarnation == then.incarnation {
            if world.now() > now + PATIENCE {
                world.tally.add("restore not found out in time");
                world.database.crash();
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let now = world.now();
        for (row, version) in world.rows_now() {
            world.truth().close_others(row, version, now);
        }
        world.writes.open();
    }
}
