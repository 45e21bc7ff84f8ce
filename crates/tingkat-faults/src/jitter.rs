//! The variation of a delay: the same for the same connection and chunk in every run.

use std::time::Duration;

use crate::direction::Way;

/// A sequence of numbers that looks random and is not (`SplitMix64`, Steele et al. 2014).
#[derive(Debug)]
pub(crate) struct Jitter {
    state: u64,
}

impl Jitter {
    /// The sequence of one way through the connection with this number.
    pub(crate) fn new(connection: u64, way: Way) -> Self {
        let way = match way {
            Way::Up => 0,
            Way::Down => 1,
        };
        Self {
            state: connection.wrapping_mul(2).wrapping_add(way),
        }
    }

    /// The next duration, at least zero and below `bound`.
    pub(crate) fn below(&mut self, bound: Duration) -> Duration {
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        // `checked_rem` is `None` for a bound of zero, which means no jitter.
        Duration::from_nanos(self.next().checked_rem(bound).unwrap_or(0))
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(10);

    fn first_ten(connection: u64, way: Way) -> Vec<Duration> {
        let mut jitter = Jitter::new(connection, way);
        (0..10).map(|_| jitter.below(BOUND)).collect()
    }

    #[test]
    fn the_same_connection_and_way_always_wait_the_same() {
        assert_eq!(first_ten(3, Way::Up), first_ten(3, Way::Up));
        assert_ne!(first_ten(3, Way::Up), first_ten(3, Way::Down));
        assert_ne!(first_ten(3, Way::Up), first_ten(4, Way::Up));
    }

    #[test]
    fn it_stays_below_its_bound_and_varies() {
        let waits = first_ten(0, Way::Down);
        assert!(waits.iter().all(|wait| *wait < BOUND), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait > BOUND / 2), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait < BOUND / 2), "{waits:?}");
    }

    #[test]
    fn a_bound_of_zero_adds_nothing() {
        assert_eq!(
            Jitter::new(0, Way::Up).below(Duration::ZERO),
            Duration::ZERO
        );
    }
}
