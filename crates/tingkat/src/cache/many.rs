//! Many look-ups at once: memory for all, one round trip for the rest, one batch for what is left.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::join_all;

use super::read::{Attempt, Landing};
use super::search::Finding;
use super::{Answer, Cache, Mode, Options, Shared};
use crate::error::{GetError, GetErrorKind};
use crate::flight::{Leader, Role};
use crate::key::Key;
use crate::node::Access;

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Answers many look-ups, in the order of the keys; duplicates are looked up once.
    pub(super) async fn read_many(
        self: &Arc<Self>,
        keys: &[K],
        options: Options,
    ) -> Vec<Result<Answer<V>, GetError>> {
        let cache = Cache(Arc::clone(self));
        let mut places: HashMap<&K, usize> = HashMap::with_capacity(keys.len());
        let mut unique: Vec<&K> = Vec::with_capacity(keys.len());
        for key in keys {
            places.entry(key).or_insert_with(|| {
                unique.push(key);
                unique.len() - 1
            });
        }
        let mut answers: Vec<Option<Result<Answer<V>, GetError>>> = unique
            .iter()
            .map(|key| cache.hit(key, options).map(Ok))
            .collect();
        let missing: Vec<usize> = (0..unique.len())
            .filter(|&place| answers.get(place).is_some_and(Option::is_none))
            .collect();
        if !missing.is_empty() {
            let wanted: Vec<&K> = missing
                .iter()
                .filter_map(|&place| unique.get(place).copied())
                .collect();
            let found = self.read_missing(&wanted, options).await;
            for (place, answer) in missing.into_iter().zip(found) {
                if let Some(slot) = answers.get_mut(place) {
                    *slot = Some(answer);
                }
            }
        }
        keys.iter()
            .map(|key| {
                let answer = places
                    .get(key)
                    .and_then(|&place| answers.get(place)?.clone());
                // Every key has a place and every place an answer.
                answer.unwrap_or_else(|| Err(GetError::new(GetErrorKind::NotCached)))
            })
            .collect()
    }

    pub(super) async fn read_missing(
        self: &Arc<Self>,
        keys: &[&K],
        options: Options,
    ) -> Vec<Result<Answer<V>, GetError>> {
        let started = self.node.0.clock.now();
        if self.node.is_shut_down() || self.mode() != Mode::Cache || options != Options::default() {
            return join_all(keys.iter().map(|key| self.read(key, options))).await;
        }
        let attempt = match self.attempt(started, options).await {
            Ok(attempt) => attempt,
            Err(error) => return keys.iter().map(|_| Err(error.clone())).collect(),
        };
        self.stats.memory_misses.add(keys.len() as u64);
        let (mut waiters, mut leaders) = (Vec::with_capacity(keys.len()), Vec::new());
        for key in keys {
            if self.stand_in_at_once(key, &attempt).is_some() {
                waiters.push(None);
                continue;
            }
            match self
                .flights
                .join_or_lead(key, self.oldest_to_join(&attempt))
            {
                Role::Waiter(waiter) => {
                    self.stats.joined.add(1);
                    waiters.push(Some((waiter, true)));
                }
                Role::Leader(leader) => {
                    waiters.push(Some((leader.waiter(), false)));
                    leaders.push(leader);
                }
            }
        }
        self.take_off_many(leaders, &attempt).await;
        let waits = keys
            .iter()
            .zip(waiters)
            .map(|(key, waiter)| self.conclude(key, &attempt, waiter, None));
        join_all(waits).await
    }

    pub(super) async fn take_off_many(
        self: &Arc<Self>,
        leaders: Vec<Leader<K, Landing<V>>>,
        attempt: &Attempt,
    ) {
        let Some(remote) = self.usable_remote(attempt) else {
            for leader in leaders {
                self.go_on(leader, attempt, Finding::Unknown, None);
            }
            return;
        };
        if leaders.is_empty() {
            return;
        }
        let names: Vec<String> = leaders
            .iter()
            .map(|leader| self.space.cell(leader.key()))
            .collect();
        let read_as = self.node.0.knowledge.cursor();
        let started = self.node.0.clock.now();
        let cells = remote
            .call(&self.node, &attempt.budget, Access::Read, |remote| {
                remote.get_many(&names)
            })
            .await;
        let took = self.node.0.clock.now().since(started);
        let cells = cells.unwrap_or_default();
        let known = !cells.is_empty();
        let mut cells = cells.into_iter();
        for leader in leaders {
            let finding = match cells.next() {
                Some(cell) => self.read_cell(leader.key(), &attempt.policy, cell, read_as.as_ref()),
                None => Finding::Unknown,
            };
            if known {
                self.count_search(&finding, took);
            }
            self.go_on(leader, attempt, finding, None);
        }
    }
}
