//! Many look-ups at once: memory for all, one round trip for the rest, one batch for what is left.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::join_all;

use super::read::{Attempt, Landing};
use super::{Answer, Cache, Mode, Options, Shared};
use crate::error::{GetError, GetErrorKind};
use crate::flight::{Leader, Role, Waiter};
use crate::key::Key;

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

    async fn read_missing(
        self: &Arc<Self>,
        keys: &[&K],
        options: Options,
    ) -> Vec<Result<Answer<V>, GetError>> {
        let started = self.node.0.clock.now();
        if self.node.is_shut_down() || self.mode() != Mode::Cache {
            return join_all(keys.iter().map(|key| self.read(key, options))).await;
        }
        let attempt = match self.attempt(started, options).await {
            Ok(attempt) => attempt,
            Err(error) => {
                let outcomes = keys.iter().map(|_| Err(error.clone()));
                return outcomes
                    .inspect(|outcome| self.time_shortfall(started, outcome))
                    .collect();
            }
        };
        self.stats.memory_misses.add(keys.len() as u64);
        if options.only_if_cached || !self.loader.has_source() {
            return self.read_cached_many(keys, &attempt).await;
        }
        let (mut steps, mut leaders) = (Vec::with_capacity(keys.len()), Vec::new());
        for key in keys {
            let ready = self
                .hit_after_poll(key, options)
                .map(Ok)
                .or_else(|| self.stand_in_at_once(key, &attempt));
            if let Some(answer) = ready {
                steps.push(Step::Answered(answer));
                continue;
            }
            match self
                .flights
                .join_or_lead(key, self.oldest_to_join(&attempt))
            {
                Role::Waiter(waiter) => {
                    self.join(key, &attempt);
                    steps.push(Step::Waits(waiter, true));
                }
                Role::Leader(leader) => {
                    steps.push(Step::Waits(leader.waiter(), false));
                    match self.landed_meanwhile(key, &attempt) {
                        Some(landed) => leader.complete(Landing::landed(landed)),
                        None => leaders.push(leader),
                    }
                }
            }
        }
        // What this call leads is on its way before it waits for anybody.
        self.take_off_many(leaders, &attempt).await;
        let attempt = &attempt;
        let waits = keys.iter().zip(steps).map(|(key, step)| async move {
            let outcome = match step {
                Step::Answered(answer) => answer,
                Step::Waits(waiter, joined) => {
                    self.conclude(key, attempt, Some((waiter, joined)), None)
                        .await
                }
            };
            self.time_shortfall(started, &outcome);
            outcome
        });
        join_all(waits).await
    }

    async fn take_off_many(
        self: &Arc<Self>,
        leaders: Vec<Leader<K, Landing<V>>>,
        attempt: &Attempt,
    ) {
        let keys: Vec<&K> = leaders.iter().map(Leader::key).collect();
        let findings = self.search_many(&keys, attempt).await;
        for (leader, finding) in leaders.into_iter().zip(findings) {
            self.go_on(leader, attempt, finding, None);
        }
    }

    async fn read_cached_many(
        self: &Arc<Self>,
        keys: &[&K],
        attempt: &Attempt,
    ) -> Vec<Result<Answer<V>, GetError>> {
        let findings = self.search_many(keys, attempt).await;
        keys.iter()
            .zip(findings)
            .map(|(key, finding)| {
                let cached = self.answer_cached(key, attempt, finding);
                let outcome = if attempt.options.only_if_cached {
                    cached
                } else {
                    cached.or_else(|error| self.nothing_to_ask(error))
                };
                self.time_shortfall(attempt.started, &outcome);
                outcome
            })
            .collect()
    }
}

/// How far the answer to one key is.
enum Step<V> {
    Answered(Result<Answer<V>, GetError>),
    /// With its flight, and whether another caller leads that.
    Waits(Waiter<Landing<V>>, bool),
}
