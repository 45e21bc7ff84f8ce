//! What is looked up most: each miss is counted, and one hit in so many for all of them.

use std::sync::PoisonError;

use super::Shared;
use crate::key::Key;

/// One hit in so many is counted, and stands for all of them.
const SAMPLED: u64 = 64;

/// Whether a hit of this number is one that is counted. Spread by the golden ratio (Knuth, The Art
/// of Computer Programming 3, 6.4): each sixty-fourth one would always meet the same keys of customers
/// who go round in circles.
#[inline]
pub(super) const fn is_sampled(number: u64) -> bool {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) < u64::MAX / SAMPLED
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Counts a hit that stands for others.
    #[cold]
    #[inline(never)]
    pub(super) fn note_hit(&self, key: &K) {
        self.note(key, SAMPLED);
    }

    /// Counts a look-up that memory did not answer.
    pub(super) fn note_miss(&self, key: &K) {
        self.note(key, 1);
    }

    /// An account of what is frequent may miss one: nobody waits for it.
    fn note(&self, key: &K, times: u64) {
        if let Some(accesses) = &self.accesses
            && let Ok(mut accesses) = accesses.try_lock()
        {
            accesses.add(key, times);
        }
    }

    /// What was counted since the last call, in no order.
    pub(crate) fn take_accesses(&self) -> Vec<(K, u64)> {
        self.accesses.as_ref().map_or_else(Vec::new, |accesses| {
            let mut accesses = accesses.lock().unwrap_or_else(PoisonError::into_inner);
            accesses.take()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hit_in_sixty_four_is_sampled_whatever_the_circle() {
        for circle in [1, 2, 3, 7, 64, 100, 128, 4_096] {
            for place in [0, 1, circle / 2] {
                let hits = (0..640_000).map(|round| round * circle + place);
                let sampled = hits.filter(|number| is_sampled(*number)).count();
                assert!(
                    (9_000..11_000).contains(&sampled),
                    "{circle}, {place}: {sampled}"
                );
            }
        }
    }
}
