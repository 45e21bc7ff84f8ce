//! What is asked for most in an endless stream of keys, in bounded memory.
//!
//! Frequent items by counters of which the smaller half is let go of at once (Anderson, Bevin, Lang,
//! Liberty, Rhodes, Thaler: A High-Performance Algorithm for Identifying Frequent Items in Data
//! Streams, IMC 2017): a key whose share of the stream is above 2/capacity is always among them.

use std::collections::HashMap;
use std::hash::Hash;

/// Counts keys; the least frequent are forgotten.
#[derive(Clone, Debug)]
pub struct Frequent<K> {
    counts: HashMap<K, u64>,
    capacity: usize,
}

impl<K: Hash + Eq + Clone> Frequent<K> {
    /// Keeps at most so many keys.
    pub fn new(capacity: usize) -> Self {
        Self {
            counts: HashMap::new(),
            capacity: capacity.max(2),
        }
    }

    /// Counts a key `times`.
    pub fn add(&mut self, key: &K, times: u64) {
        if times == 0 {
            return;
        }
        if let Some(count) = self.counts.get_mut(key) {
            *count = count.saturating_add(times);
            return;
        }
        if self.counts.len() >= self.capacity {
            self.let_go();
        }
        self.counts.insert(key.clone(), times);
    }

    /// Takes the middle one's count off all, and keeps what is left.
    fn let_go(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().copied().collect();
        let middle = counts.len() / 2;
        let (_, off, _) = counts.select_nth_unstable(middle);
        let off = *off;
        self.counts.retain(|_, count| {
            *count = count.saturating_sub(off);
            *count > 0
        });
    }

    /// How many keys are counted.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// All keys with their counts, in no order; nothing is counted any more.
    pub fn take(&mut self) -> Vec<(K, u64)> {
        std::mem::take(&mut self.counts).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frequent_outlives_an_endless_stream_of_others() {
        let mut frequent = Frequent::new(100);
        for other in 0..100_000_u64 {
            // One in ten is the frequent one, and one in twenty another.
            let key = match other % 20 {
                0 | 10 => 1,
                5 => 2,
                _ => other + 1_000,
            };
            frequent.add(&key, 1);
            assert!(frequent.len() <= 100);
        }
        let mut all = frequent.take();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        assert_eq!((all[0].0, all[1].0), (1, 2));
        // Each purge takes off what it takes off all; the error is bounded by the stream over half
        // of the capacity.
        assert!(
            all[0].1 > 10_000 - 100_000 / 50 && all[0].1 <= 10_000,
            "{all:?}"
        );
        assert!(frequent.is_empty());
    }

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut frequent = Frequent::new(10);
        for (key, times) in [("a", 3), ("b", 2), ("a", 1), ("c", 0)] {
            frequent.add(&key, times);
        }
        let mut all = frequent.take();
        all.sort_unstable();
        assert_eq!(all, [("a", 4), ("b", 2)]);
    }
}
