//! What repeated runs say: their median, and whether two sets of them differ by more than chance.

use super::number::real_size;

/// Fewer runs than this on either side can not show a difference, whatever they measured.
pub const LEAST_RUNS: usize = 4;

/// What chance may do in one comparison of twenty counts as noise.
const SIGNIFICANT: f64 = 0.05;

/// The middle one, or the mean of the two in the middle; nothing of nothing.
pub(super) fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(*upper, *lower))
}

/// The smallest and the largest.
pub(super) fn spread(numbers: &[f64]) -> Option<(f64, f64)> {
    let smallest = numbers.iter().copied().min_by(f64::total_cmp)?;
    let largest = numbers.iter().copied().max_by(f64::total_cmp)?;
    Some((smallest, largest))
}

/// Whether two sets of runs differ by more than chance; nothing where they are too few to tell.
pub(super) fn differ(one: &[f64], other: &[f64]) -> Option<bool> {
    if one.len() < LEAST_RUNS || other.len() < LEAST_RUNS {
        return None;
    }
    Some(mann_whitney(one, other) < SIGNIFICANT)
}

/// How probable a difference at least this large is where both are drawn from the same: the exact
/// two-sided test of Mann and Whitney, over all ways to deal the ranks out.
fn mann_whitney(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<f64> = one.iter().chain(other).copied().collect();
    all.sort_by(f64::total_cmp);
    // Twice the rank, so that equals, who share theirs, have whole numbers too.
    let rank = |number: &f64| {
        let below = all.partition_point(|it| it.total_cmp(number).is_lt());
        let up_to = all.partition_point(|it| it.total_cmp(number).is_le());
        below + up_to + 1
    };
    let ranks: Vec<usize> = all.iter().map(rank).collect();
    let observed: usize = one.iter().map(rank).sum();
    // How many ways there are to choose so many ranks with this sum.
    let most: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0_f64; most + 1]; one.len() + 1];
    if let Some(none) = ways.first_mut().and_then(|sums| sums.first_mut()) {
        *none = 1.0;
    }
    for rank in &ranks {
        for chosen in (1..=one.len()).rev() {
            let (fewer, more) = ways.split_at_mut(chosen);
            let (Some(from), Some(to)) = (fewer.last(), more.first_mut()) else {
                continue;
            };
            for (place, ways) in to.iter_mut().enumerate().skip(*rank) {
                *ways += from.get(place - rank).copied().unwrap_or_default();
            }
        }
    }
    let sums = ways.last().map_or(&[][..], Vec::as_slice);
    let total: f64 = sums.iter().sum();
    let middle = real_size(one.len() * (all.len() + 1));
    let distance = (real_size(observed) - middle).abs();
    let as_far: f64 = sums
        .iter()
        .enumerate()
        .filter(|(sum, _)| (real_size(*sum) - middle).abs() >= distance)
        .map(|(_, ways)| ways)
        .sum();
    as_far / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(spread(&[4.0, 1.0, 2.0]), Some((1.0, 4.0)));
    }

    #[test]
    fn the_test_of_mann_and_whitney_gives_the_numbers_of_its_tables() {
        let near = |p: f64, wanted: f64| assert!((p - wanted).abs() < 1e-4, "{p} {wanted}");
        // 2 of the 70 ways to deal eight ranks to four and four are as extreme.
        near(
            mann_whitney(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0]),
            2.0 / 70.0,
        );
        near(
            mann_whitney(&[5.0, 6.0, 7.0, 8.0], &[1.0, 2.0, 3.0, 4.0]),
            2.0 / 70.0,
        );
        near(mann_whitney(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 0.1);
        near(
            mann_whitney(&[1.0, 3.0, 5.0, 7.0], &[2.0, 4.0, 6.0, 8.0]),
            0.6857,
        );
        near(
            mann_whitney(&[1.0, 1.0, 1.0, 1.0], &[1.0, 1.0, 1.0, 1.0]),
            1.0,
        );
        near(
            mann_whitney(&[1.0, 1.0, 1.0, 1.0], &[1.0, 1.0, 2.0, 2.0]),
            0.4286,
        );
    }

    #[test]
    fn a_difference_needs_runs_enough_and_more_than_chance() {
        assert_eq!(differ(&[1.0, 2.0, 3.0], &[9.0, 9.1, 9.2]), None);
        assert_eq!(
            differ(&[1.0, 2.0, 3.0, 4.0], &[9.0, 9.1, 9.2, 9.3]),
            Some(true)
        );
        assert_eq!(
            differ(&[1.0, 2.0, 3.0, 4.0], &[1.1, 2.1, 2.9, 3.9]),
            Some(false)
        );
    }
}
