//! Many look-ups at once: memory for all, one round trip for the rest, one batch for what is left.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::join_all;

use super::landing::{Landed, Landing};
use super::read::Attempt;
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
        let place_of = |key| {
            *places.entry(key).or_insert_with(|| {
                unique.push(key);
                unique.len() - 1
            })
        };
        let order: Vec<usize> = keys.iter().map(place_of).collect();
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
        let answers = order
            .iter()
            .map(|&place| answers.get(place).and_then(Option::clone));
        // Every key has a place and every place an answer.
        answers
            .map(|answer| answer.unwrap_or_else(|| Err(GetError::new(GetErrorKind::NotCached))))
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
        if !options.is_background {
            for key in keys {
                self.note_miss(key);
            }
        }
        if options.only_if_cached || !self.loader.has_source() {
            return self.read_cached_many(keys, &attempt).await;
        }
        let (mut steps, mut leaders) = (Vec::with_capacity(keys.len()), Vec::new());
        for (place, key) in keys.iter().enumerate() {
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
                    if let Some(landed) = self.landed_meanwhile(key, &attempt) {
                        leader.complete(Landing::landed(landed.clone()));
                        steps.push(self.arrived(&attempt, landed));
                    } else {
                        steps.push(Step::StartsAnew);
                        leaders.push((place, leader));
                    }
                }
            }
        }
        // What this call leads is on its way before it waits for anybody.
        self.take_off_many(leaders, &attempt, &mut steps).await;
        self.conclude_many(keys, &attempt, steps).await
    }

    /// Sends the flights on their way that this call leads; most of them are there at once.
    async fn take_off_many(
        self: &Arc<Self>,
        leaders: Vec<(usize, Leader<K, Landing<V>>)>,
        attempt: &Attempt,
        steps: &mut [Step<V>],
    ) {
        let keys: Vec<&K> = leaders.iter().map(|(_, leader)| leader.key()).collect();
        let findings = self.search_many(&keys, attempt).await;
        for ((place, leader), finding) in leaders.into_iter().zip(findings) {
            let step = match self.as_current(finding) {
                Ok(opened) => {
                    let landed = self.land_at_once(leader, &attempt.policy, &opened);
                    self.arrived(attempt, landed)
                }
                Err(finding) => {
                    let waiter = leader.waiter();
                    self.go_on(leader, attempt, finding, None);
                    Step::Waits(waiter, false)
                }
            };
            if let Some(slot) = steps.get_mut(place) {
                *slot = step;
            }
        }
    }

    /// What a flight brought that this call led, unless this caller must not have it.
    fn arrived(&self, attempt: &Attempt, landed: Landed<V>) -> Step<V> {
        if self.suits(attempt, &landed) {
            Step::Answered(Ok(self.landed_answer(attempt, landed, false)))
        } else {
            Step::StartsAnew
        }
    }

    /// The answers; waits for those that are not there yet, all at once.
    async fn conclude_many(
        self: &Arc<Self>,
        keys: &[&K],
        attempt: &Attempt,
        steps: Vec<Step<V>>,
    ) -> Vec<Result<Answer<V>, GetError>> {
        let mut waits = Vec::new();
        let mut answers: Vec<Option<Result<Answer<V>, GetError>>> = Vec::with_capacity(keys.len());
        for (key, step) in keys.iter().zip(steps) {
            let waiter = match step {
                Step::Answered(outcome) => {
                    self.time_shortfall(attempt.started, &outcome);
                    answers.push(Some(outcome));
                    continue;
                }
                Step::Waits(waiter, joined) => Some((waiter, joined)),
                Step::StartsAnew => None,
            };
            answers.push(None);
            waits.push(async move {
                let outcome = self.conclude(key, attempt, waiter, None).await;
                self.time_shortfall(attempt.started, &outcome);
                outcome
            });
        }
        let mut waited = join_all(waits).await.into_iter();
        let answers = answers.into_iter();
        // As many were waited for as there are gaps.
        answers
            .filter_map(|answer| answer.or_else(|| waited.next()))
            .collect()
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
    /// Its flight brought nothing that this caller may have.
    StartsAnew,
}
