//! What goes wrong, when, and for how long.

mod database;
mod redis;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tingkat::certificate::Incarnation;
use tingkat::ports::Hint;
use tingkat_testkit::fakes::Mood;
use tokio_util::task::TaskTracker;

use crate::history::{Fault, Window};
use crate::machine::Machine;
use crate::random::Random;
use crate::world::World;

/// Something of a process that one fault at a time may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Redis,
    RedisLink,
    Log,
    LogLink,
    Source,
    SourceLink,
    Process,
    Database,
}

/// The faults of a run.
struct Faults {
    world: Arc<World>,
    random: Random,
    broken: Mutex<BTreeSet<(Part, usize)>>,
    running: TaskTracker,
}

/// Breaks things for the length of the run; returns when all is well again.
pub(crate) async fn play(world: &Arc<World>) {
    let faults = Arc::new(Faults {
        world: Arc::clone(world),
        random: Random::of(world.plan.seed, "faults", 0),
        broken: Mutex::default(),
        running: TaskTracker::new(),
    });
    let end = world.now() + world.plan.length;
    while world.now() < end {
        tokio::time::sleep(faults.random.millis(100, 900)).await;
        if world.plan.faults.is_empty() {
            continue;
        }
        let fault = *faults.random.pick(&world.plan.faults);
        let slot = faults.random.below(world.plan.nodes as u64);
        let slot = usize::try_from(slot).unwrap_or(0);
        let faults_too = Arc::clone(&faults);
        faults
            .running
            .spawn(async move { faults_too.strike(fault, slot).await });
    }
    faults.running.close();
    faults.running.wait().await;
}

/// Brings a hint to every node, as far as the faults of the moment allow.
pub(crate) fn deliver(world: &Arc<World>, hint: Hint) {
    let now = world.now();
    let is_at_work = |fault| {
        world
            .windows()
            .iter()
            .any(|window| window.fault == fault && window.from <= now && now < window.to)
    };
    let (lost, late, repeated) = (
        is_at_work(Fault::HintsLost),
        is_at_work(Fault::HintsLate),
        is_at_work(Fault::HintsRepeated),
    );
    for machine in world.machines() {
        if lost && world.random.chance(70) {
            world.tally.add("hint lost");
            continue;
        }
        let times = if repeated {
            world.random.between(1, 4)
        } else {
            1
        };
        for _ in 0..times {
            let pause = if late {
                world.random.millis(50, 2_000)
            } else {
                world.random.millis(0, 4)
            };
            let machine = Arc::clone(&machine);
            world.tally.add("hint");
            world.spawn(async move {
                tokio::time::sleep(pause).await;
                machine.gate.pass().await;
                machine.node.hinted(hint);
            });
        }
    }
}

impl Faults {
    async fn strike(self: Arc<Self>, fault: Fault, slot: usize) {
        // Longer than the hard deadline only where a load is to be given up.
        let longest = if fault == Fault::SourceHanging {
            8_000
        } else {
            3_000
        };
        let length = self.random.millis(100, longest);
        match fault {
            Fault::HintsLost | Fault::HintsLate | Fault::HintsRepeated => {
                // The window itself is what hints look at, so it is known before its end.
                self.note(fault, None, self.world.now(), length);
                tokio::time::sleep(length).await;
            }
            Fault::HintsForged => self.forge_hints(slot, length).await,
            Fault::RedisFlushed
            | Fault::RedisRestored
            | Fault::RedisRubbish
            | Fault::RedisOtherLog
            | Fault::RedisMixedUp => self.spoil(fault, length).await,
            Fault::Compaction | Fault::Burst | Fault::Patterns => self.load_the_log(fault).await,
            Fault::Crash | Fault::FailOver | Fault::Restore => self.lose(fault).await,
            Fault::Paused | Fault::Restarted | Fault::Killed => self.stop(fault, slot).await,
            Fault::RedisCut
            | Fault::RedisSlow
            | Fault::RedisLate
            | Fault::RedisReadOnly
            | Fault::LogCut
            | Fault::LogSlow
            | Fault::LogLate
            | Fault::LogFailing
            | Fault::SourceSlow
            | Fault::SourceLate
            | Fault::SourceFailing
            | Fault::SourcePanicking
            | Fault::SourceHanging => self.disturb(fault, slot, length).await,
        }
    }

    /// One neighbour of one node.
    async fn disturb(&self, fault: Fault, slot: usize, length: Duration) {
        let part = match fault {
            Fault::RedisCut | Fault::RedisSlow | Fault::RedisReadOnly => Part::Redis,
            Fault::RedisLate => Part::RedisLink,
            Fault::LogLate => Part::LogLink,
            Fault::SourceLate => Part::SourceLink,
            _ if fault.cuts_log() => Part::Log,
            _ => Part::Source,
        };
        let Some(_broken) = self.break_part(part, slot) else {
            return;
        };
        let (machine, from) = (self.world.machine(slot), self.world.now());
        let pause = match fault {
            Fault::RedisSlow | Fault::RedisLate => self.random.millis(5, 200),
            Fault::LogSlow | Fault::LogLate => self.random.millis(300, 2_500),
            _ => self.random.millis(100, 3_000),
        };
        machine.meets(fault, pause);
        tokio::time::sleep(length).await;
        machine.recovers(part);
        // What was on its way when the fault ended is as late as the others.
        let is_slow = matches!(
            fault,
            Fault::LogSlow | Fault::LogLate | Fault::SourceSlow | Fault::SourceLate
        );
        let behind = if is_slow { pause } else { Duration::ZERO };
        let length = self.world.now() + behind - from;
        self.note(fault, Some(slot), from, length);
    }

    async fn stop(&self, fault: Fault, slot: usize) {
        let Some(_broken) = self.break_part(Part::Process, slot) else {
            return;
        };
        let (machine, from) = (self.world.machine(slot), self.world.now());
        match fault {
            Fault::Paused => {
                machine.gate.close();
                tokio::time::sleep(self.random.millis(200, 5_000)).await;
                machine.gate.open();
            }
            Fault::Killed => {
                machine.gate.close();
                tokio::time::sleep(self.random.millis(50, 1_000)).await;
                self.world.replace(slot);
            }
            _ => {
                self.world.replace(slot);
                machine.retire();
                machine.node.shut_down(Duration::from_secs(1)).await;
            }
        }
        let length = self.world.now() - from;
        self.note(fault, Some(slot), from, length);
    }

    async fn forge_hints(&self, slot: usize, length: Duration) {
        let from = self.world.now();
        while self.world.now() < from + length {
            let real = self.world.database.certificate().incarnation;
            let incarnation = if self.random.chance(50) {
                real
            } else {
                Incarnation::of(&["forged", &self.random.bits().to_string()])
            };
            let machine = self.world.machine(slot);
            if !machine.gate.is_closed() {
                machine.node.hinted(Hint {
                    incarnation,
                    n: self.random.bits(),
                });
            }
            tokio::time::sleep(self.random.millis(1, 60)).await;
        }
        self.note(Fault::HintsForged, None, from, length);
    }

    fn note(&self, fault: Fault, node: Option<usize>, from: Duration, length: Duration) {
        self.world.tally.add(format!("fault {fault:?}"));
        self.world.windows().push(Window {
            fault,
            node,
            from,
            to: from + length,
        });
    }

    /// Nothing when it is broken already.
    fn break_part(&self, part: Part, slot: usize) -> Option<Broken<'_>> {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        // Not `then_some`: dropping the broken part that is not to be had would mend it.
        broken.insert((part, slot)).then(|| Broken {
            faults: self,
            part,
            slot,
        })
    }
}

/// A broken part; whole again when this goes.
struct Broken<'a> {
    faults: &'a Faults,
    part: Part,
    slot: usize,
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        let mut broken = self
            .faults
            .broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        broken.remove(&(self.part, self.slot));
    }
}

impl Machine {
    fn meets(&self, fault: Fault, pause: Duration) {
        match fault {
            Fault::RedisCut => self.redis.cut(),
            Fault::RedisSlow => {
                self.redis.reads.slow(pause);
                self.redis.writes.slow(pause);
            }
            Fault::RedisReadOnly => self.redis.refuse_writes(true),
            Fault::RedisLate => self.redis_link.set_late(pause),
            Fault::LogCut => self.log.switch.cut(),
            Fault::LogSlow => self.log.switch.slow(pause),
            Fault::LogFailing => self.log.switch.set(Mood::Failing),
            Fault::LogLate => self.log_link.set_late(pause),
            Fault::SourceSlow => self.source.slow(pause),
            Fault::SourceFailing => self.source.set(Mood::Failing),
            Fault::SourcePanicking => self.source.set(Mood::Panicking),
            Fault::SourceHanging => self.source.cut(),
            Fault::SourceLate => self.source_link.set_late(pause),
            _ => {}
        }
    }

    fn recovers(&self, part: Part) {
        match part {
            Part::Redis => self.redis.restore(),
            Part::RedisLink => self.redis_link.set_late(Duration::ZERO),
            Part::Log => self.log.switch.restore(),
            Part::LogLink => self.log_link.set_late(Duration::ZERO),
            Part::Source => self.source.restore(),
            Part::SourceLink => self.source_link.set_late(Duration::ZERO),
            Part::Process | Part::Database => {}
        }
    }
}
