//! What customers of all nodes look up: each node adds what it saw to an account in Redis, in which
//! what was long ago counts less and less. It carries no truth; what is lost of it is counted anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tingkat::Node;
use tingkat::ports::{CellHead, Clock, Remote};

/// After so long a look-up counts half.
const HALF_LIFE: Duration = Duration::from_hours(12);

/// An account that nobody added to for so long is gone.
const KEPT_FOR: Duration = Duration::from_hours(24 * 7);

/// Somebody else may have written between reading and writing.
const ATTEMPTS: u32 = 5;

/// What the cell of an account begins with.
const KIND: u8 = b'A';

/// Less than this is as good as nothing.
const LEAST: f64 = 0.01;

/// And so for the other count of it, by which a key that is new is kept until the first one tells.
const HALF_LIFE_OF_RECENT: Duration = Duration::from_mins(2);

/// How often keys of one entity are looked up.
#[derive(Clone, Debug, Default, PartialEq)]
struct Account {
    as_of_ms: u64,
    counts: HashMap<String, Count>,
}

/// How often a key is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    /// By what keys are ranked.
    long: f64,
    /// Of late.
    recent: f64,
}

/// The accounts of all entities, as this node knows them.
#[derive(Debug)]
pub(crate) struct Accesses {
    /// Keys of each entity that are told.
    most: usize,
    known: Mutex<BTreeMap<String, Account>>,
}

impl Accesses {
    /// Of at most so many keys of each entity.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            known: Mutex::default(),
        }
    }

    /// The keys that are looked up most, the most wanted first.
    pub(crate) fn top(&self, entity: &str, most: usize) -> Vec<String> {
        let known = self.lock();
        let counts = known.get(entity).map(|account| &account.counts);
        let counts = counts.into_iter().flatten();
        let mut counts: Vec<(&String, f64)> =
            counts.map(|(key, count)| (key, count.long)).collect();
        counts.sort_by(|one, two| ranked((one.0, one.1), (two.0, two.1)));
        let keys = counts.into_iter().map(|(key, _)| key.clone());
        keys.take(most.min(self.most)).collect()
    }

    /// Adds what this node's caches saw since the last time, and takes in what other nodes added.
    pub(crate) async fn merge(
        &self,
        node: &Node,
        clock: &dyn Clock,
        remote: Option<&dyn Remote>,
        prefix: &str,
    ) {
        for cache in node.registry().all() {
            let seen = cache.take_accesses();
            let entity = cache.name();
            let name = cell_name(prefix, entity);
            let now = clock.wall_ms();
            let merged = match remote {
                Some(remote) => {
                    let known = self.lock().get(entity).cloned().unwrap_or_default();
                    merge_in_redis(remote, &name, known, &seen, now, self.most).await
                }
                None => None,
            };
            let mut known = self.lock();
            match merged {
                Some(account) => drop(known.insert(entity.to_owned(), account)),
                // This node goes on by itself; what it saw is not told to others any more.
                None if !seen.is_empty() => {
                    let account = known.entry(entity.to_owned()).or_default();
                    account.add(&seen, now, self.most);
                }
                None => {}
            }
        }
    }

    /// Takes in what the nodes have added, and adds nothing.
    pub(crate) async fn read(&self, node: &Node, remote: &dyn Remote, prefix: &str) {
        for cache in node.registry().all() {
            let cell = remote.get(&cell_name(prefix, cache.name())).await;
            if let Some(account) = cell.ok().flatten().and_then(|cell| Account::decode(&cell)) {
                self.lock().insert(cache.name().to_owned(), account);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account with what was seen, once it is written; nothing where Redis did not take it, or has none and
/// there is nothing to add. A Redis that lost it is told what this node knows of it.
async fn merge_in_redis(
    remote: &dyn Remote,
    name: &str,
    known: Account,
    seen: &[(String, u64)],
    now: u64,
    most: usize,
) -> Option<Account> {
    for _ in 0..ATTEMPTS {
        let cell = remote.get(name).await.ok()?;
        let found = cell.as_ref().and_then(Account::decode);
        if seen.is_empty() {
            return found;
        }
        let mut account = found.unwrap_or_else(|| known.clone());
        account.add(seen, now, most);
        let new = account.encode();
        let head = cell.as_ref().and_then(head_of);
        let is_ours = match (cell, head) {
            (None, _) => remote.set_if_absent(name, new, KEPT_FOR).await.ok()?,
            (Some(_), Some(head)) => remote.fill(name, &head, new, KEPT_FOR).await.ok()?,
            // Nobody's cell.
            (Some(_), None) => {
                remote.remove(&[name.to_owned()]).await.ok()?;
                false
            }
        };
        if is_ours {
            return Some(account);
        }
    }
    None
}

/// What is looked up most comes first; of those that are alike, the key that is first.
fn ranked(one: (&str, f64), two: (&str, f64)) -> std::cmp::Ordering {
    two.1.total_cmp(&one.1).then_with(|| one.0.cmp(two.0))
}

fn cell_name(prefix: &str, entity: &str) -> String {
    format!("{prefix}w:accesses:{entity}")
}

fn head_of(cell: &Bytes) -> Option<CellHead> {
    cell.get(..17)?.try_into().ok()
}

impl Account {
    /// Adds look-ups, after what is there has faded. So many keys are kept that are looked up most, and as
    /// many others that are looked up most of late: what rises would never get in if it had to have
    /// more in a minute than the others have in hours.
    fn add(&mut self, seen: &[(String, u64)], now_ms: u64, most: usize) {
        let passed = Duration::from_millis(now_ms.saturating_sub(self.as_of_ms));
        let left_after = |half_life: Duration| {
            let lives = passed.as_secs_f64() / half_life.as_secs_f64();
            0.5_f64.powf(lives)
        };
        let (left, left_of_recent) = (left_after(HALF_LIFE), left_after(HALF_LIFE_OF_RECENT));
        self.counts.retain(|_, count| {
            count.long *= left;
            count.recent *= left_of_recent;
            count.long >= LEAST
        });
        // A clock that goes back does not make others fade twice.
        self.as_of_ms = self.as_of_ms.max(now_ms);
        for (key, times) in seen {
            #[expect(clippy::cast_precision_loss, reason = "a count of a minute")]
            let times = *times as f64;
            let count = self.counts.entry(key.clone()).or_default();
            count.long += times;
            count.recent += times;
        }
        if self.counts.len() > most.saturating_mul(2) {
            let mut counts: Vec<(String, Count)> = self.counts.drain().collect();
            counts.sort_by(|one, two| ranked((&one.0, one.1.long), (&two.0, two.1.long)));
            let mut others = counts.split_off(most.min(counts.len()));
            others.sort_by(|one, two| ranked((&one.0, one.1.recent), (&two.0, two.1.recent)));
            others.truncate(most);
            self.counts.extend(counts.into_iter().chain(others));
        }
    }

    fn encode(&self) -> Bytes {
        let numbers =
            |(key, count): (&String, &Count)| (key.clone(), json!([count.long, count.recent]));
        let counts: serde_json::Map<String, Value> = self.counts.iter().map(numbers).collect();
        let text = json!({ "as_of_ms": self.as_of_ms, "counts": counts }).to_string();
        let mut cell = vec![KIND];
        cell.extend(rand::random::<u128>().to_be_bytes());
        cell.extend(text.as_bytes());
        cell.into()
    }

    fn decode(cell: &Bytes) -> Option<Self> {
        let text = cell.get(17..).filter(|_| cell.first() == Some(&KIND))?;
        let value: Value = serde_json::from_slice(text).ok()?;
        let counts = value.get("counts")?.as_object()?.iter();
        let counts = counts.filter_map(|(key, count)| {
            let number = |place| count.get(place).and_then(Value::as_f64);
            let count = Count {
                long: number(0).filter(|it| it.is_finite() && *it > 0.0)?,
                recent: number(1).filter(|it| it.is_finite() && *it >= 0.0)?,
            };
            Some((key.clone(), count))
        });
        Some(Self {
            as_of_ms: value.get("as_of_ms")?.as_u64()?,
            counts: counts.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
    use tingkat::Cache;
    use tingkat::ports::Loaded;
    use tingkat_testkit::TestClock;
    use tingkat_testkit::fakes::FakeRedis;

    use super::*;

    fn node() -> (Node, Cache<String, u64>) {
        let node = Node::builder().track_accesses(100).build();
        let load = |_| async { Ok(Loaded::value(1)) };
        let cache = Cache::builder("product").node(&node).load(load).build();
        (node, cache)
    }

    async fn look_up(cache: &Cache<String, u64>, key: &str, times: usize) {
        for _ in 0..times {
            // A miss each time, so that each counts.
            cache.forget(&key.to_owned()).await.unwrap();
            cache.get(&key.to_owned()).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_two_nodes_saw_is_added_up_and_fades() {
        let (redis, clock) = (FakeRedis::new(), TestClock::new());
        let (one, two) = (node(), node());
        let accounts = [Accesses::new(100), Accesses::new(100)];
        look_up(&one.1, "a", 3).await;
        look_up(&one.1, "b", 2).await;
        look_up(&two.1, "b", 2).await;
        let handle = redis.handle();
        for ((node, _), account) in [&one, &two].into_iter().zip(&accounts) {
            account.merge(node, &clock, Some(&handle), "t:").await;
        }
        assert_eq!(accounts[1].top("product", 10), ["b", "a"]);
        assert_eq!(accounts[0].top("product", 1), ["a"], "as it was then");
        accounts[0].merge(&one.0, &clock, Some(&handle), "t:").await;
        assert_eq!(accounts[0].top("product", 10), ["b", "a"]);
        assert_eq!(accounts[0].top("postcode", 10), [""; 0]);
        let fresh = Accesses::new(100);
        fresh.read(&one.0, &handle, "t:").await;
        assert_eq!(fresh.top("product", 10), ["b", "a"]);

        tokio::time::advance(HALF_LIFE * 3).await;
        look_up(&one.1, "c", 1).await;
        accounts[0].merge(&one.0, &clock, Some(&handle), "t:").await;
        assert_eq!(accounts[0].top("product", 10), ["c", "b", "a"]);
        tokio::time::advance(HALF_LIFE * 20).await;
        look_up(&one.1, "d", 1).await;
        accounts[0].merge(&one.0, &clock, Some(&handle), "t:").await;
        assert_eq!(accounts[0].top("product", 10), ["d"]);
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_that_write_at_once_lose_nothing() {
        let (redis, clock) = (FakeRedis::new(), TestClock::new());
        let nodes: Vec<_> = (0..4).map(|_| node()).collect();
        let account = Accesses::new(100);
        for (n, (_, cache)) in nodes.iter().enumerate() {
            look_up(cache, "all", 1).await;
            look_up(cache, &format!("k{n}"), 1).await;
        }
        let handle = Arc::new(redis.handle());
        let merges = nodes
            .iter()
            .map(|(node, _)| account.merge(node, &clock, Some(&*handle), "t:"));
        join_all(merges).await;
        let last = Accesses::new(100);
        last.read(&nodes[0].0, &*handle, "t:").await;
        let all = last.lock()["product"].counts.clone();
        assert_eq!(all.len(), 5, "{all:?}");
        assert!((all["all"].long - 4.0).abs() < 0.01, "{all:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_redis_a_node_goes_by_what_it_saw_itself() {
        let clock = TestClock::new();
        let (node, cache) = node();
        let account = Accesses::new(2);
        for (key, times) in [("a", 1), ("b", 3), ("c", 2)] {
            look_up(&cache, key, times).await;
        }
        account.merge(&node, &clock, None, "t:").await;
        assert_eq!(
            account.top("product", 10),
            ["b", "c"],
            "no more than it may keep"
        );
        look_up(&cache, "c", 5).await;
        account.merge(&node, &clock, None, "t:").await;
        assert_eq!(account.top("product", 1), ["c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_outlives_a_redis_that_is_away_and_one_that_comes_back_empty() {
        let (redis, clock) = (FakeRedis::new(), TestClock::new());
        let (node, cache) = node();
        let (account, handle) = (Accesses::new(100), redis.handle());
        look_up(&cache, "a", 3).await;
        account.merge(&node, &clock, Some(&handle), "t:").await;
        handle.disconnect(true);
        look_up(&cache, "b", 2).await;
        account.merge(&node, &clock, Some(&handle), "t:").await;
        assert_eq!(account.top("product", 10), ["a", "b"]);
        handle.restore();
        redis.flush();
        // Nobody asked for anything: there is nothing to tell Redis yet.
        account.merge(&node, &clock, Some(&handle), "t:").await;
        assert_eq!(account.top("product", 10), ["a", "b"]);
        look_up(&cache, "c", 1).await;
        account.merge(&node, &clock, Some(&handle), "t:").await;
        let other = Accesses::new(100);
        other.read(&node, &handle, "t:").await;
        assert_eq!(other.top("product", 10), ["a", "b", "c"]);
    }

    #[test]
    fn of_keys_that_are_alike_so_many_are_kept_as_there_is_room_for() {
        let mut account = Account::default();
        let seen: Vec<(String, u64)> = (0..30).map(|n| (format!("k{n:02}"), 1)).collect();
        account.add(&seen, 7, 10);
        let mut kept: Vec<&String> = account.counts.keys().collect();
        kept.sort();
        let first: Vec<&String> = seen.iter().map(|(key, _)| key).take(20).collect();
        assert_eq!(kept, first);
        account.add(&[("often".to_owned(), 2)], 7, 10);
        assert_eq!(account.counts.len(), 20);
        assert!(account.counts.contains_key("often") && !account.counts.contains_key("k19"));
    }

    /// Twelve hours of look-ups do not keep out what everybody wants since a few minutes, and what nobody
    /// wants twice does not push out what is wanted.
    #[test]
    fn what_rises_gets_in_though_each_minute_of_it_is_less_than_what_others_have() {
        let (minute, mut now) = (60_000, 0);
        let old: Vec<(String, u64)> = (0..20).map(|n| (format!("old{n:02}"), 500)).collect();
        let accesses = Accesses::new(10);
        let mut account = Account::default();
        account.add(&old, now, 10);
        now += 30 * minute;
        for round in 0..30 {
            now += minute;
            let once = (0..50).map(|n| (format!("a once{round:02}{n:02}"), 1));
            let mut seen: Vec<(String, u64)> = once.collect();
            seen.push(("new".to_owned(), 30));
            seen.push(("old00".to_owned(), 30));
            account.add(&seen, now, 10);
            assert!(account.counts.len() <= 20);
        }
        accesses.lock().insert("product".to_owned(), account);
        let top = accesses.top("product", 10);
        assert_eq!(top[..2], ["old00", "new"], "{top:?}");
        assert!(top[2..].iter().all(|key| key.starts_with("old")), "{top:?}");
    }

    #[test]
    fn a_cell_of_anything_else_is_no_account() {
        let account = Account {
            as_of_ms: 7,
            counts: [(
                "a".to_owned(),
                Count {
                    long: 1.5,
                    recent: 0.5,
                },
            )]
            .into(),
        };
        assert_eq!(Account::decode(&account.encode()), Some(account.clone()));
        assert_ne!(account.encode(), account.encode(), "each write is another");
        for cell in [
            &b""[..],
            b"A",
            &[b'A'; 40],
            &[b'V'; 40],
            b"A0123456789abcdef{}",
        ] {
            assert_eq!(Account::decode(&Bytes::copy_from_slice(cell)), None);
        }
    }
}
