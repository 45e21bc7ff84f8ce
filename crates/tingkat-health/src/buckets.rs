//! Counts by powers of two, and what can be told from them.

/// How many of something were below 1, 2, 4, 8, … of its unit.
///
/// Bucket `n` counts those below `2^n`, the last one the rest, as the caches' own histograms do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets(pub [u64; Self::COUNT]);

impl Buckets {
    /// Up to eight million of the unit, and beyond.
    pub const COUNT: usize = 24;

    /// Adds one.
    pub fn record(&mut self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        if let Some(count) = self.0.get_mut(bucket.min(Self::COUNT - 1)) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds so many to the bucket with this number.
    pub fn add(&mut self, bucket: usize, count: u64) {
        if let Some(place) = self.0.get_mut(bucket) {
            *place = place.saturating_add(count);
        }
    }

    /// Those of both.
    pub fn and(&self, other: &Self) -> Self {
        let mut sum = *self;
        for (place, count) in sum.0.iter_mut().zip(other.0) {
            *place = place.saturating_add(count);
        }
        sum
    }

    /// What came since an earlier look at the same counts.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut rest = *self;
        for (place, count) in rest.0.iter_mut().zip(earlier.0) {
            *place = place.saturating_sub(count);
        }
        rest
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What this share of them is below, as if they lay evenly in their bucket; nothing of none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = share.clamp(0.0, 1.0) * exact(count);
        let mut below = 0.0;
        let mut floor = 0.0;
        let mut edge = 1.0;
        for &here in &self.0 {
            let here = exact(here);
            if here > 0.0 && below + here >= wanted {
                let part = ((wanted - below) / here).clamp(0.0, 1.0);
                return Some(floor + (edge - floor) * part);
            }
            below += here;
            floor = edge;
            edge *= 2.0;
        }
        Some(floor)
    }
}

/// Counts are far below what a double holds exactly.
#[expect(clippy::cast_precision_loss, reason = "a count, for ratios and people")]
pub(crate) fn exact(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_values() {
        let mut buckets = Buckets::default();
        for _ in 0..99 {
            buckets.record(100);
        }
        buckets.record(5_000);
        let median = buckets.quantile(0.5).unwrap();
        assert!((64.0..128.0).contains(&median), "{median}");
        let last = buckets.quantile(1.0).unwrap();
        assert!((4_096.0..=8_192.0).contains(&last), "{last}");
        assert_eq!(Buckets::default().quantile(0.5), None);
    }

    #[test]
    fn what_came_since_is_counted_and_nothing_negative() {
        let mut before = Buckets::default();
        before.record(3);
        let mut now = before;
        now.record(3);
        now.record(u64::MAX);
        assert_eq!(now.since(&before).count(), 2);
        assert_eq!(before.since(&now).count(), 0);
        assert_eq!(now.and(&before).count(), 4);
    }
}
