//! What warming asks of the remote tier: much, in portions, behind what customers ask of it.

use std::time::Duration;

use bytes::Bytes;

use super::Part;
use crate::cache::search::Finding;
use crate::key::Key;
use crate::node::{Access, Bulk, Called, Guarded};

/// So many calls in a row without an answer are enough.
const MOST_LATE: u32 = 5;

/// The pause after the first of them, twice as long after each: what was asked for is on its way still.
const PAUSE: Duration = Duration::from_millis(50);

/// A cell on its way to the remote tier.
pub(super) struct Written {
    pub(super) place: usize,
    pub(super) name: String,
    pub(super) cell: Bytes,
    pub(super) life: Duration,
}

impl<K: Key, V: Send + Sync + 'static> Part<'_, K, V> {
    /// Asks the remote tier for keys, as many at once as it answers in time.
    pub(super) async fn find(&self, keys: &[&K]) -> Vec<Finding<V>> {
        let (shared, policy) = (self.shared, &self.attempt.policy);
        let mut findings = Vec::with_capacity(keys.len());
        let (mut rest, mut late) = (keys, 0);
        if let Some(remote) = shared.usable_remote(policy) {
            while !rest.is_empty() {
                let count = shared.portions.cells().min(rest.len());
                let (asked, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
                let names: Vec<String> = asked.iter().map(|key| shared.space.cell(*key)).collect();
                let read_as = shared.read_as();
                match self.read(remote, &names).await {
                    Bulk::Answered(cells) if cells.len() == names.len() => {
                        let there = cells.iter().flatten();
                        let bytes = there.clone().map(Bytes::len).sum();
                        shared.portions.was_read(count, there.count(), bytes);
                        let found = asked.iter().zip(cells);
                        findings.extend(found.map(|(key, cell)| {
                            shared.read_cell(key, policy, cell, read_as.as_ref())
                        }));
                        (rest, late) = (others, 0);
                    }
                    Bulk::Late if late + 1 < MOST_LATE => {
                        shared.portions.was_not_read(count);
                        self.give_time(late).await;
                        late += 1;
                    }
                    Bulk::Answered(_) | Bulk::Late | Bulk::Failed => {
                        shared.stats.remote_failures.add(1);
                        break;
                    }
                }
            }
        }
        findings.extend(rest.iter().map(|_| Finding::Unknown));
        findings
    }

    async fn read(&self, remote: &Guarded, names: &[String]) -> Bulk<Vec<Option<Bytes>>> {
        let node = &self.shared.node;
        if names.len() > 1 {
            return remote
                .call_in_bulk(node, Access::Read, |remote| remote.get_many(names))
                .await;
        }
        // A customer would meet the same.
        let budget = remote.budget();
        let called = remote
            .timed_call(node, &budget, Access::Read, |remote| remote.get_many(names))
            .await;
        match called {
            Called::Answered(cells, _) => Bulk::Answered(cells),
            Called::Failed { may_have_run, .. } if may_have_run => Bulk::Late,
            Called::Failed { .. } | Called::Barred => Bulk::Failed,
        }
    }

    /// Writes what was loaded, plainly: the lives of leases are not worth a round trip per key here.
    pub(super) async fn write(&mut self) {
        let shared = self.shared;
        let Some(remote) = &shared.node.0.remote else {
            return;
        };
        let written = std::mem::take(&mut self.written);
        let (mut rest, mut late) = (&written[..], 0);
        while !rest.is_empty() {
            let (count, bytes) = portion(rest, shared.portions.bytes());
            let (now, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            let cells = now
                .iter()
                .map(|it| (it.name.clone(), it.cell.clone(), it.life));
            let cells = cells.collect();
            let set = remote
                .call_in_bulk(&shared.node, Access::Write, |remote| remote.set_many(cells))
                .await;
            match set {
                Bulk::Answered(()) => {
                    shared.portions.was_written(count, bytes);
                    shared.stats.fills.add(count as u64);
                    (rest, late) = (others, 0);
                }
                // It is written again, though it may be there already: it is the same.
                Bulk::Late if late + 1 < MOST_LATE => {
                    shared.portions.was_not_written(bytes);
                    self.give_time(late).await;
                    late += 1;
                }
                Bulk::Late => {
                    shared.stats.remote_failures.add(1);
                    for it in rest {
                        self.was_not_taken(it.place);
                    }
                    return;
                }
                Bulk::Failed => {
                    shared.stats.remote_failures.add(1);
                    for it in now {
                        self.was_not_taken(it.place);
                    }
                    rest = others;
                }
            }
        }
    }

    async fn give_time(&self, late: u32) {
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(late));
        self.shared.node.0.clock.sleep(pause).await;
    }
}

/// How many of these cells are written at once, and their bytes: one at least.
fn portion(cells: &[Written], most: usize) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for cell in cells {
        let with = bytes + cell.cell.len();
        if count > 0 && with > most {
            break;
        }
        (count, bytes) = (count + 1, with);
    }
    (count, bytes)
}
