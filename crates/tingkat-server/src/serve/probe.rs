//! Watches the neighbours: is the database there, is Redis there, are we stopping?

use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::ports::Clock;
use tingkat_health::{Observed, RedisState, SourceState, StandIn, Withheld};
use tingkat_redis::{Redis, State};
use tingkat_sql::{CheckErrorKind, Database};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::section_of;

/// How often the database is asked; twice as often until it has answered once.
const INTERVAL: Duration = Duration::from_secs(1);

/// Who is watched.
pub(super) struct Neighbours {
    pub(super) database: Database,
    pub(super) redis: Option<Arc<Redis>>,
    pub(super) node: Node,
    pub(super) clock: Arc<dyn Clock>,
}

impl Neighbours {
    /// Begins to watch; ends soon after `stop`.
    pub(super) fn watch(
        self,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Arc<watch::Sender<Observed>> {
        let redis = if self.redis.is_some() {
            RedisState::Connecting
        } else {
            RedisState::Off
        };
        let sender = Arc::new(watch::Sender::new(Observed {
            redis,
            ..Observed::default()
        }));
        if let Some(redis) = &self.redis {
            tasks.spawn(watch_redis(
                redis.state(),
                Arc::clone(&sender),
                stop.clone(),
            ));
        }
        if let Some(redis) = self.redis.clone() {
            tasks.spawn(watch_hints(
                redis,
                self.node.clone(),
                Arc::clone(&self.clock),
                stop.clone(),
            ));
        }
        tasks.spawn(watch_privacy(
            self.node.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&sender),
            stop.clone(),
        ));
        tasks.spawn(self.watch_database(Arc::clone(&sender), stop));
        sender
    }
}

async fn watch_redis(
    mut state: watch::Receiver<State>,
    sender: Arc<watch::Sender<Observed>>,
    stop: CancellationToken,
) {
    loop {
        let present = state.borrow_and_update().clone();
        let was_away = matches!(sender.borrow().redis, RedisState::Down { .. });
        match &present {
            State::Connecting => {}
            State::Up => tracing::info!("redis is connected"),
            State::Limited(why) => tracing::warn!("redis is connected, but {why}"),
            // The next attempts say the same in other words; /readyz has the newest.
            State::Down(why) if was_away => tracing::debug!("redis is still away: {why}"),
            State::Down(why) => tracing::warn!("redis is away: {why}"),
        }
        let why = present.for_anybody().unwrap_or_default();
        let now = match present {
            State::Connecting => RedisState::Connecting,
            State::Up => RedisState::Up,
            State::Limited(_) => RedisState::Limited { why },
            State::Down(_) => RedisState::Down { why },
        };
        sender.send_modify(|observed| observed.redis = now);
        if !matches!(
            stop.run_until_cancelled(state.changed()).await,
            Some(Ok(()))
        ) {
            return;
        }
    }
}

/// Hears the hints of other nodes, and says so when it can not although Redis is there.
async fn watch_hints(
    redis: Arc<Redis>,
    node: Node,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    if node.feed().is_none() {
        return;
    }
    let mut state = redis.listen(move |hint| node.hinted(hint));
    let mut is_silent = false;
    while let Some(Ok(())) = stop.run_until_cancelled(state.changed()).await {
        let now = state.borrow_and_update().clone();
        if now == State::Up && std::mem::take(&mut is_silent) {
            tracing::info!("hints of other nodes are heard again");
        }
        let State::Down(why) = now else { continue };
        // Usually both connections go, and that is told already.
        let _ = stop.run_until_cancelled(clock.sleep(INTERVAL)).await;
        let is_up = redis.state().borrow().is_usable();
        let is_down = matches!(&*state.borrow(), State::Down(_));
        if is_up && is_down && !is_silent {
            is_silent = true;
            tracing::warn!("hints of other nodes are not heard, polls alone find changes: {why}");
        }
    }
}

/// Counts what was kept out of Redis for a private field.
async fn watch_privacy(
    node: Node,
    clock: Arc<dyn Clock>,
    sender: Arc<watch::Sender<Observed>>,
    stop: CancellationToken,
) {
    while stop
        .run_until_cancelled(clock.sleep(INTERVAL))
        .await
        .is_some()
    {
        sender.send_if_modified(|observed| count_withheld(&mut observed.privacy, &node));
    }
}

/// Takes in how many values each entity kept out of Redis; whether that is news.
fn count_withheld(known: &mut Vec<Withheld>, node: &Node) -> bool {
    let mut is_news = false;
    for cache in node.registry().all() {
        let (entity, values) = (section_of(cache.name()), cache.stats().withheld.get());
        match known.iter_mut().find(|it| it.entity == entity) {
            Some(it) => is_news |= std::mem::replace(&mut it.values, values) != values,
            None if values == 0 => {}
            None => {
                is_news = true;
                known.push(Withheld {
                    entity,
                    // A field that is stripped keeps no value out.
                    policy: "refuse",
                    fields: Vec::new(),
                    values,
                });
            }
        }
    }
    is_news
}

impl Neighbours {
    async fn watch_database(self, sender: Arc<watch::Sender<Observed>>, stop: CancellationToken) {
        while let Some(checked) = stop.run_until_cancelled(self.database.check()).await {
            let is_up = checked.is_ok();
            // One that refuses us is a mistake of the configuration, which no outage excuses.
            let is_silent = checked
                .as_ref()
                .is_err_and(|error| error.kind() == CheckErrorKind::Unreachable);
            let stand_in = if is_silent && allows_stale(&self.node) {
                StandIn::Redis
            } else {
                StandIn::Nobody
            };
            let before = sender.borrow().source.clone();
            let now = match (checked, &before) {
                (Ok(()), _) => SourceState::Up,
                (Err(error), SourceState::Down { since_ms, .. }) => SourceState::Down {
                    why: error.to_string(),
                    since_ms: *since_ms,
                },
                (Err(error), SourceState::Up | SourceState::Unknown) => SourceState::Down {
                    why: error.to_string(),
                    since_ms: self.clock.wall_ms(),
                },
            };
            log_change(&before, &now);
            let feed_is_adrift = self.feed_is_adrift();
            sender.send_modify(|observed| {
                observed.source_was_ever_up |= is_up;
                observed.source = now;
                observed.stand_in = stand_in;
                observed.feed_is_adrift = feed_is_adrift;
            });
            let pause = if is_up { INTERVAL } else { INTERVAL / 2 };
            if stop
                .run_until_cancelled(self.clock.sleep(pause))
                .await
                .is_none()
            {
                break;
            }
        }
        sender.send_modify(|observed| observed.draining = true);
    }

    fn feed_is_adrift(&self) -> bool {
        self.node.feed().is_some_and(|feed| {
            let age = feed.poll_age;
            age.is_none_or(|age| age > feed.bound)
        })
    }
}

/// Whether of some entity what Redis has may be served while nobody knows whether it is current.
fn allows_stale(node: &Node) -> bool {
    node.registry().all().iter().any(|cache| {
        let policy = cache.policy();
        policy.placement.in_remote() && !policy.strict && !policy.stale_for.is_zero()
    })
}

fn log_change(before: &SourceState, now: &SourceState) {
    if before == now {
        return;
    }
    match now {
        SourceState::Up => tracing::info!("the database answers"),
        // The next attempts say the same in other words; /readyz has the newest.
        SourceState::Down { why, .. } if matches!(before, SourceState::Down { .. }) => {
            tracing::debug!("the database still does not answer: {why}");
        }
        SourceState::Down { why, .. } => {
            tracing::warn!("the database does not answer: {why}");
        }
        SourceState::Unknown => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tingkat::ports::Loaded;
    use tingkat::privacy::{Names, OnPrivate};
    use tingkat::{Cache, Placement, Policy};
    use tingkat_testkit::fakes::FakeRedis;

    use super::*;

    #[tokio::test]
    async fn a_value_that_brings_a_private_field_along_is_counted_in_health() {
        let node = Node::builder()
            .remote(Arc::new(FakeRedis::new().handle()))
            .build();
        let names = Arc::new(Names::usual());
        let load = |_| async { Ok(Loaded::value(notes("email"))) };
        let cache = Cache::<String, BTreeMap<String, String>>::builder("parcel")
            .node(&node)
            .privacy(&names, OnPrivate::Refuse)
            .load(load)
            .build();
        let mut known = Vec::new();
        assert!(!count_withheld(&mut known, &node) && known.is_empty());
        for key in ["a", "b"] {
            cache.get(&key.to_owned()).await.unwrap();
        }
        assert!(count_withheld(&mut known, &node));
        let told: Vec<_> = known.iter().map(|it| (it.entity, it.values)).collect();
        assert_eq!(told, [("parcel", 2)]);
        assert!(!count_withheld(&mut known, &node));
        cache.get(&"c".to_owned()).await.unwrap();
        assert!(count_withheld(&mut known, &node));
        assert_eq!(known.iter().map(|it| it.values).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn one_entity_that_may_be_stale_is_enough_and_it_has_to_be_in_redis() {
        let usual = Policy::default();
        let strict = Policy {
            strict: true,
            ..usual.clone()
        };
        let brief = Policy {
            stale_for: Duration::ZERO,
            ..usual.clone()
        };
        let alone = Policy {
            placement: Placement::Memory,
            ..usual.clone()
        };
        for (policies, expected) in [
            (vec![], false),
            (vec![&usual], true),
            (vec![&strict, &brief, &alone], false),
            (vec![&strict, &usual], true),
        ] {
            let node = Node::builder().build();
            let cache = |policy: &Policy| {
                let load = |_| async { Ok(Loaded::value(String::new())) };
                let cache = Cache::<String, String>::builder("parcel").node(&node);
                cache.policy(policy.clone()).load(load).build()
            };
            let _caches: Vec<_> = policies.into_iter().map(cache).collect();
            assert_eq!(allows_stale(&node), expected);
        }
    }

    fn notes(name: &str) -> BTreeMap<String, String> {
        [(name.to_owned(), "siti@example.com.my".to_owned())].into()
    }
}
