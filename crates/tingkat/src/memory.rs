//! The first tier: entries of this process, bounded by bytes.
//!
//! # Bytes per entry
//!
//! An entry is charged `key + its heap + value size + deps + 8 per transaction under way + FIXED_BYTES`.
//! The value's size is what [`Entity::memory_size`](crate::entity::Entity::memory_size) says, a dep
//! is charged its name, its hash and the pointer to it, the transactions are those that the load's
//! snapshot saw running, and [`FIXED_BYTES`] covers the slot, the table and the allocator. A value that
//! grows once it is used is charged for that by [`Cache::weigh_again`](crate::Cache::weigh_again).

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use quick_cache::sync::{Cache as QuickCache, EntryAction};
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, OptionsBuilder, Weighter};

use crate::certificate::{Certificate, Dep, Watched};
use crate::key::Key;
use crate::ports::Tick;
use crate::stats::Stats;

/// Bytes that an entry takes whatever is in it: slot, index, ghost, reference counts, what the
/// allocator rounds up. Measured; see the memory benchmark.
pub const FIXED_BYTES: usize = 400;

/// Recency matters more than frequency in a shop: measured on real traces, see the benchmarks.
const HOT_ALLOCATION: f64 = 0.9;
const GHOST_ALLOCATION: f64 = 1.0;

/// What a small entry takes.
const SMALL_ENTRY: u64 = FIXED_BYTES as u64 + 100;

/// An entry as a hit sees it.
#[derive(Debug)]
pub(crate) struct Slot<V> {
    /// The value; nothing when it is known that there is none.
    pub(crate) value: Option<Arc<V>>,
    /// The epoch in which it was last accepted; 0 when it is only usable as stale.
    epoch: AtomicU64,
    /// Before this, a hit has nothing more to think about.
    calm_until: Tick,
    /// When the load was sent, if this node loaded it; else the beginning of time.
    pub(crate) loaded_at: Tick,
    /// The rest; a clone leaves it behind.
    cold: Option<Arc<Cold>>,
}

/// What a hit does not need.
#[derive(Debug)]
pub(crate) struct Cold {
    /// Tells this fill from every other one.
    pub(crate) id: [u8; 16],
    /// What the load had seen.
    pub(crate) certificate: Certificate,
    /// What the entry shows besides its own key.
    pub(crate) deps: Box<[Dep]>,
    /// The same and its own key, as changes are compared with them.
    pub(crate) watched: Watched,
    /// Needs a refresh from here on.
    pub(crate) fresh_until: Tick,
    /// Usable as a stale value until here.
    pub(crate) stale_until: Tick,
    /// Not to be asked for again before this, after a failure; in nanoseconds of the clock.
    pub(crate) retry_at: AtomicU64,
    /// When it was loaded, on whichever node, as far as wall clocks agree.
    pub(crate) created_at: Tick,
    /// How long the load took.
    pub(crate) load_time: Duration,
    /// Bytes that the value takes. Once it is in the table they change under the lock of its shard
    /// alone: the table must find what it counted.
    pub(crate) value_bytes: AtomicUsize,
}

impl Cold {
    /// Whether the value changes without a row of the log.
    pub(crate) fn changes_by_itself(&self) -> bool {
        self.deps.iter().any(Dep::is_time)
    }

    /// Bytes that the value takes.
    pub(crate) fn value_bytes(&self) -> usize {
        self.value_bytes.load(Ordering::Relaxed)
    }
}

/// Counting references of the cold part would cost a hit a second contended write, so the clone
/// that the table hands out goes without it.
impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            epoch: AtomicU64::new(self.epoch()),
            calm_until: self.calm_until,
            loaded_at: self.loaded_at,
            cold: None,
        }
    }
}

// Slots are reached under the lock of their shard, which orders what is written to them.
impl<V> Slot<V> {
    pub(crate) fn new(
        value: Option<Arc<V>>,
        epoch: u64,
        calm_until: Tick,
        loaded_at: Tick,
        cold: Cold,
    ) -> Self {
        Self {
            value,
            epoch: AtomicU64::new(epoch),
            calm_until,
            loaded_at,
            cold: Some(Arc::new(cold)),
        }
    }

    /// The epoch in which it was last accepted; 0 when it is only usable as stale.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Before this, a hit has nothing more to think about.
    pub(crate) const fn calm_until(&self) -> Tick {
        self.calm_until
    }

    /// Says in which epoch it was accepted.
    pub(crate) fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The slot with everything.
    pub(crate) fn whole(&self) -> Self {
        Self {
            cold: self.cold.clone(),
            ..self.clone()
        }
    }

    /// The cold part; there is one wherever the slot did not come from a plain hit.
    pub(crate) fn cold(&self) -> Option<&Arc<Cold>> {
        self.cold.as_ref()
    }
}

#[derive(Clone, Debug)]
struct Bytes;

impl<K: Key, V> Weighter<K, Slot<V>> for Bytes {
    fn weight(&self, key: &K, slot: &Slot<V>) -> u64 {
        let cold = slot.cold.as_ref();
        let deps: usize = cold.map_or(0, |cold| {
            cold.deps
                .iter()
                .map(|dep| size_of::<Dep>() + size_of::<u64>() + dep.name().len())
                .sum()
        });
        let value = cold.map_or(0, |cold| cold.value_bytes());
        let running = cold.map_or(0, |cold| size_of_val(cold.certificate.position.xip()));
        (FIXED_BYTES + size_of::<K>() + key.heap_size() + deps + running + value) as u64
    }
}

/// The keys that are evicted last. Together they have half of the memory, each as much of it as
/// the others: an entry beyond its share is evicted like any other, so that there is always something
/// to evict.
#[derive(Debug)]
struct Favourites<K>(RwLock<Favoured<K>>);

#[derive(Debug)]
struct Favoured<K> {
    keys: HashSet<K>,
    share: u64,
}

impl<K: Key> Favourites<K> {
    fn none() -> Arc<Self> {
        Arc::new(Self(RwLock::new(Favoured {
            keys: HashSet::new(),
            share: 0,
        })))
    }

    fn now(&self) -> RwLockReadGuard<'_, Favoured<K>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, new: Favoured<K>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

/// Counts what is evicted, and spares the favourites.
#[derive(Debug)]
struct Evictions<K> {
    stats: Arc<Stats>,
    favourites: Arc<Favourites<K>>,
}

impl<K> Clone for Evictions<K> {
    fn clone(&self) -> Self {
        Self {
            stats: Arc::clone(&self.stats),
            favourites: Arc::clone(&self.favourites),
        }
    }
}

impl<K: Key, V> Lifecycle<K, Slot<V>> for Evictions<K> {
    type RequestState = ();

    /// Asked of what would be evicted, never on a hit.
    fn is_pinned(&self, key: &K, slot: &Slot<V>) -> bool {
        let favoured = self.favourites.now();
        favoured.keys.contains(key) && Bytes.weight(key, slot) <= favoured.share
    }

    /// Asked of what there is no room for. `on_evict` hears of entries as well that another one takes the
    /// place of.
    fn before_evict(&self, (): &mut (), _key: &K, _slot: &mut Slot<V>) {
        self.stats.evictions.add(1);
    }
}

/// The memory tier of one entity.
#[derive(Debug)]
pub(crate) struct Memory<K: Key, V> {
    table: QuickCache<K, Slot<V>, Bytes, DefaultHashBuilder, Evictions<K>>,
    favourites: Arc<Favourites<K>>,
    capacity: u64,
}

impl<K: Key, V> Memory<K, V> {
    pub(crate) fn new(bytes: u64, stats: Arc<Stats>) -> Self {
        // A guess at the number of entries, small ones; the table grows beyond it, but remembers no
        // more of what it evicted, which costs hits.
        let items = usize::try_from(bytes / SMALL_ENTRY)
            .unwrap_or(usize::MAX)
            .clamp(16, 1 << 20);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(bytes)
            .hot_allocation(HOT_ALLOCATION)
            .ghost_allocation(GHOST_ALLOCATION)
            .build();
        let hasher = DefaultHashBuilder::default();
        let favourites = Favourites::none();
        let evictions = Evictions {
            stats,
            favourites: Arc::clone(&favourites),
        };
        let table = match options {
            Ok(options) => QuickCache::with_options(options, Bytes, hasher, evictions),
            // The options are constants but for two numbers, which have defaults.
            Err(_) => QuickCache::with(items, bytes, Bytes, hasher, evictions),
        };
        Self {
            table,
            favourites,
            capacity: bytes,
        }
    }

    /// The entry as a hit needs it, without its cold part.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Slot<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.table.get(key)
    }

    /// The whole entry, without counting as a use.
    pub(crate) fn inspect(&self, key: &K) -> Option<Slot<V>> {
        self.look(key, Slot::whole)
    }

    /// Looks at the entry where it stands, under the lock of its shard: `look` may take the lock of
    /// what is known, and must not come back to the table.
    pub(crate) fn look<T>(&self, key: &K, look: impl FnOnce(&Slot<V>) -> T) -> Option<T> {
        let mut look = Some(look);
        let mut seen = None;
        // The table shows an entry in place only to this method; nothing is ever removed here.
        self.table.remove_if(key, |slot| {
            seen = look.take().map(|look| look(slot));
            false
        });
        seen
    }

    pub(crate) fn insert(&self, key: K, slot: Slot<V>) {
        self.table.insert(key, slot);
    }

    pub(crate) fn remove(&self, key: &K) -> bool {
        self.table.remove(key).is_some()
    }

    /// Charges the entry what `weigh` says of its value now, and makes room for what it grew.
    pub(crate) fn weigh_again(&self, key: &K, weigh: impl FnOnce(&V) -> usize) {
        let mut weigh = Some(weigh);
        let weighed = self.table.entry(key, Some(Duration::ZERO), |_, slot| {
            let parts = slot.value.as_ref().zip(slot.cold.as_ref());
            if let Some(((value, cold), weigh)) = parts.zip(weigh.take()) {
                let bytes = weigh(value);
                cold.value_bytes.store(bytes, Ordering::Relaxed);
            }
            EntryAction::Retain(())
        });
        // Where the entry is gone this is a place for another, which nobody wants.
        drop(weighed);
        if self.table.weight() > self.capacity {
            // The table evicts by itself when it is filled; who looks up alone fills nothing.
            self.table.set_capacity(self.capacity);
        }
    }

    /// Removes the entry if it is this fill still.
    pub(crate) fn remove_fill(&self, key: &K, id: [u8; 16]) {
        self.table.remove_if(key, |slot| {
            slot.cold.as_ref().is_some_and(|cold| cold.id == id)
        });
    }

    /// Keeps what `keep` says; walks every entry, so not for a hot path.
    pub(crate) fn retain(&self, keep: impl Fn(&K, &Slot<V>) -> bool) {
        self.table.retain(keep);
    }

    pub(crate) fn clear(&self) {
        self.table.clear();
    }

    /// From now on these are evicted last, and no others.
    pub(crate) fn favour(&self, keys: HashSet<K>) {
        let share = self.capacity / 2 / (keys.len() as u64).max(1);
        self.favourites.replace(Favoured { keys, share });
    }

    pub(crate) fn is_favourite(&self, key: &K) -> bool {
        self.favourites.now().keys.contains(key)
    }

    pub(crate) fn favourites(&self) -> usize {
        self.favourites.now().keys.len()
    }

    pub(crate) fn entries(&self) -> u64 {
        self.table.len() as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.table.weight()
    }

    /// Some of the keys, other ones each time as far as there are more.
    pub(crate) fn keys(&self, most: usize) -> Vec<K> {
        let others = self.table.len().saturating_sub(most);
        // Each step takes a lock, so whoever wants a few does not walk through all of a large table.
        let skipped = rand::random_range(0..=others.min(MOST_SKIPPED));
        let keys = self.table.iter().map(|(key, _)| key);
        keys.skip(skipped).take(most).collect()
    }
}

/// Whoever wants some keys begins at most so far into the table.
const MOST_SKIPPED: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{Incarnation, Position};

    const MILLION: u64 = 1_000_000;

    fn slot(number: u64) -> Slot<u64> {
        let cold = Cold {
            id: [0; 16],
            certificate: Certificate {
                incarnation: Incarnation::from_bytes([0; 16]),
                position: Position::log_id(number),
            },
            deps: Box::default(),
            watched: Watched::new("test", "key", &[]),
            fresh_until: Tick::from_nanos(u64::MAX),
            stale_until: Tick::from_nanos(u64::MAX),
            retry_at: AtomicU64::new(0),
            created_at: Tick::from_nanos(0),
            load_time: Duration::ZERO,
            value_bytes: AtomicUsize::new(size_of::<u64>()),
        };
        Slot::new(
            Some(Arc::new(number)),
            1,
            Tick::from_nanos(u64::MAX),
            Tick::from_nanos(0),
            cold,
        )
    }

    #[test]
    fn a_value_that_grew_is_charged_and_others_make_room_for_it() {
        const CAPACITY: u64 = 1 << 20;
        let memory: Memory<u64, u64> = Memory::new(CAPACITY, Arc::default());
        memory.insert(0, slot(0));
        let before = memory.bytes();
        memory.weigh_again(&0, |_| size_of::<u64>() + 1000);
        assert_eq!(memory.bytes(), before + 1000);
        memory.weigh_again(&0, |_| size_of::<u64>());
        assert_eq!(memory.bytes(), before);
        memory.weigh_again(&1, |_| panic!("it is not there"));
        assert_eq!((memory.bytes(), memory.entries()), (before, 1));

        for number in 0..10_000 {
            memory.insert(number, slot(number));
        }
        let entries = memory.entries();
        for number in 0..10_000 {
            memory.weigh_again(&number, |_| 4000);
        }
        assert!(memory.bytes() <= CAPACITY, "{}", memory.bytes());
        assert!(memory.entries() < entries / 4, "{}", memory.entries());
        memory.clear();
        assert_eq!(memory.bytes(), 0, "what was counted is what is taken back");
    }

    #[test]
    fn only_what_there_is_no_room_for_is_an_eviction() {
        let stats = Arc::new(Stats::default());
        let memory: Memory<u64, u64> = Memory::new(1 << 20, Arc::clone(&stats));
        for _ in 0..50 {
            for number in 0..100 {
                memory.insert(number, slot(number));
            }
        }
        memory.remove(&0);
        assert_eq!((stats.evictions.get(), memory.entries()), (0, 99));
        for number in 0..10_000 {
            memory.insert(number, slot(number));
        }
        let evicted = stats.evictions.get();
        assert_eq!(evicted + memory.entries(), 10_000);
        memory.clear();
        assert_eq!(stats.evictions.get(), evicted);
    }

    #[test]
    fn who_wants_some_keys_gets_other_ones_each_time() {
        let memory: Memory<u64, u64> = Memory::new(1 << 24, Arc::default());
        for number in 0..1_000 {
            memory.insert(number, slot(number));
        }
        let some: HashSet<Vec<u64>> = (0..20).map(|_| memory.keys(10)).collect();
        assert!(some.len() > 2, "{some:?}");
        assert!(some.iter().all(|keys| keys.len() == 10));
        assert_eq!(memory.keys(5_000).len(), 1_000);
    }

    #[cfg(target_os = "linux")]
    fn resident_bytes() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            << 10
    }

    /// Runs in a process of its own under nextest; elsewhere other tests may disturb it.
    #[cfg(target_os = "linux")]
    #[test]
    fn ten_million_distinct_keys_take_no_more_memory_than_one_million() {
        let memory: Memory<u64, u64> = Memory::new(32 << 20, Arc::default());
        let mut after_one = 0;
        for number in 0..10 * MILLION {
            memory.insert(number, slot(number));
            if number == MILLION {
                after_one = resident_bytes();
            }
        }
        let after_ten = resident_bytes();
        println!("resident bytes: {after_one} after one million keys, {after_ten} after ten");
        assert!(memory.entries() > 50_000, "the tier is in use");
        assert!(memory.bytes() <= 32 << 20);
        assert!(
            after_ten <= after_one + after_one / 10,
            "{after_one} bytes, then {after_ten}"
        );
    }
}
