//! Readers: what they ask, and what they write down.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tingkat::{Answer, GetError, Options, Tier};

use crate::history::{Failed, How, Read, Seen};
use crate::machine::Machine;
use crate::plan::{PAIRS, ROWS, rows_of};
use crate::random::Random;
use crate::source::Shown;
use crate::truth::{Row, Version};
use crate::world::World;

/// Readers on each process.
const READERS: u64 = 4;

/// A value under a key that it is not of.
const FOREIGN: Version = Version::MAX;

/// How long a process that was shut down is still asked.
const AFTERLIFE: Duration = Duration::from_secs(2);

/// Begins to read on a process.
pub(crate) fn start(world: &Arc<World>, machine: &Arc<Machine>) {
    for number in 0..READERS {
        let part = machine.slot as u64 * READERS + number;
        let random = Random::of(world.plan.seed, "reader", part ^ (world.random.bits() << 8));
        let reader = Reader {
            world: Arc::clone(world),
            machine: Arc::clone(machine),
            random,
        };
        world.spawn(reader.run());
    }
}

/// Reads everything once on every process, when all is over.
pub(crate) async fn read_finally(world: &Arc<World>) {
    let readers = world.machines().into_iter().map(|machine| Reader {
        world: Arc::clone(world),
        random: Random::of(world.plan.seed, "final", machine.slot as u64),
        machine,
    });
    join_all(readers.map(|reader| async move {
        for key in ROWS {
            reader.look_up("product", key, How::Final).await;
        }
        for key in PAIRS {
            reader.look_up("pair", key, How::Final).await;
        }
    }))
    .await;
}

struct Reader {
    world: Arc<World>,
    machine: Arc<Machine>,
    random: Random,
}

impl Reader {
    async fn run(self) {
        let mut retired_at = None;
        while !self.world.is_over() {
            tokio::time::sleep(self.random.millis(1, 45)).await;
            self.machine.gate.pass().await;
            let now = self.world.now();
            if self.machine.is_retired() && now > *retired_at.get_or_insert(now) + AFTERLIFE {
                return;
            }
            self.read().await;
        }
    }

    async fn read(&self) {
        let row = self.random.skewed(ROWS.len() as u64);
        let row = ROWS[usize::try_from(row).unwrap_or(0)];
        let pair = *self.random.pick(&PAIRS);
        match self.random.below(100) {
            0..13 => self.look_up("pair", pair, How::Get).await,
            13..23 => self.many().await,
            23..33 => self.at_least().await,
            33..37 => self.look_up("product", row, How::Validated).await,
            37..39 => self.look_up("pair", pair, How::Validated).await,
            39..47 => {
                let most = self.random.millis(20, 1_500);
                self.look_up("product", row, How::MaxAge(most)).await;
            }
            47..51 if self.world.plan.has_own_loads => self.own_load(row).await,
            _ => self.look_up("product", row, How::Get).await,
        }
    }

    async fn look_up(&self, entity: &'static str, key: &'static str, how: How) {
        let options = match how {
            How::Validated => Options::default().validated(),
            How::MaxAge(most) => Options::default().max_age(most),
            How::Get | How::Many | How::AtLeast | How::OwnLoad | How::Final => Options::default(),
        };
        let begun = self.begin(entity, key, how);
        let name = key.to_owned();
        let cache = self.machine.cache(entity);
        let answer =
            tokio::time::timeout(Duration::from_mins(2), cache.look_up(&name, options)).await;
        let answer = answer.map_or(Err(Failed::Deadline), seen_in(key));
        self.end(begun, answer);
    }

    async fn many(&self) {
        let keys: Vec<&'static str> = (0..self.random.between(2, 4))
            .map(|_| *self.random.pick(&ROWS))
            .collect();
        let begun: Vec<Read> = keys
            .iter()
            .map(|key| self.begin("product", key, How::Many))
            .collect();
        let names: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let cache = &self.machine.products;
        let answers = cache.look_up_many(&names, Options::default()).await;
        for ((read, key), answer) in begun.into_iter().zip(keys).zip(answers) {
            self.end(read, seen_in(key)(answer));
        }
    }

    async fn at_least(&self) {
        let Some(token) = self.world.token(&self.machine, &self.random) else {
            return;
        };
        let mut begun = self.begin("product", token.row, How::AtLeast);
        begun.floors.push((token.row, token.at));
        let cache = &self.machine.products;
        let answer = cache
            .get_at_least(&token.row.to_owned(), token.written)
            .await;
        self.end(begun, seen_in(token.row)(answer));
    }

    /// With a load that the caller brings; such an answer tells no tier and bears no mark.
    async fn own_load(&self, key: &'static str) {
        let begun = self.begin("product", key, How::OwnLoad);
        let rows = self.machine.rows.clone();
        let value = self
            .machine
            .products
            .get_or_load(
                &key.to_owned(),
                move |_| async move { rows.load_one(key).await },
            )
            .await;
        let seen = value.map(|value| Seen {
            rows: rows_shown(key, value.as_deref()),
            is_stale: false,
            tier: Tier::Source,
        });
        self.end(begun, seen.map_err(|error| error.kind().into()));
    }

    fn begin(&self, entity: &'static str, key: &'static str, how: How) -> Read {
        let now = self.world.now();
        Read {
            node: self.machine.slot,
            entity,
            key,
            how,
            start: now,
            end: now,
            floors: self.machine.floors(&rows_of(key)),
            seen: Err(Failed::Deadline),
        }
    }

    fn end(&self, begun: Read, seen: Result<Seen, Failed>) {
        // A node that was shut down answers from memory, or not at all.
        if seen.is_err() && self.machine.is_retired() {
            return;
        }
        if let Ok(seen) = &seen {
            let mark = if seen.is_stale { ", marked" } else { "" };
            let tally = &self.world.tally;
            tally.add(format!(
                "read {:?} from {:?}{mark}",
                begun.how.name(),
                seen.tier
            ));
        }
        self.world.note_read(Read {
            end: self.world.now(),
            seen,
            ..begun
        });
    }
}

impl How {
    /// Its name.
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Many => "get_many",
            Self::AtLeast => "get_at_least",
            Self::Validated => "validated",
            Self::MaxAge(_) => "max_age",
            Self::OwnLoad => "get_or_load",
            Self::Final => "final",
        }
    }
}

fn seen_in(key: &'static str) -> impl Fn(Result<Answer<Shown>, GetError>) -> Result<Seen, Failed> {
    move |answer| {
        let answer = answer.map_err(|error| Failed::from(error.kind()))?;
        let trail = answer.trail();
        Ok(Seen {
            rows: rows_shown(key, answer.value()),
            is_stale: trail.stale,
            tier: trail.tier,
        })
    }
}

/// The versions of the key's rows; such as were never given out where the value is not of the key.
fn rows_shown(key: &'static str, value: Option<&Shown>) -> Vec<(Row, Version)> {
    let rows = rows_of(key);
    let Some(value) = value else {
        return rows.into_iter().map(|row| (row, 0)).collect();
    };
    let is_of_key = value.key == key
        && value.rows.len() == rows.len()
        && rows
            .iter()
            .zip(&value.rows)
            .all(|(row, (shown, _))| row == shown);
    rows.into_iter()
        .zip(&value.rows)
        .map(|(row, (_, version))| (row, if is_of_key { *version } else { FOREIGN }))
        .collect()
}
