//! Midnight: the demo store is made for a day, and promotions begin and end at midnight in Kuala
//! Lumpur, so that two stores, or two answers, are comparable only on one day.

use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;

/// Midnight in UTC and in Kuala Lumpur are both multiples of this.
const BETWEEN_MIDNIGHTS_MS: u64 = 8 * 3_600 * 1_000;

/// Does it all, and once more if it was midnight somewhere meanwhile.
pub(crate) async fn on_one_day<T>(mut work: impl AsyncFnMut() -> T) -> T {
    loop {
        let before = part_of_day();
        let done = work().await;
        if part_of_day() == before {
            return done;
        }
    }
}

fn part_of_day() -> u64 {
    SystemClock.wall_ms() / BETWEEN_MIDNIGHTS_MS
}
