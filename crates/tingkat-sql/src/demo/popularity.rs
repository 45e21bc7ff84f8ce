//! What sells, by the real order lines; and drawing by such weights.

use std::collections::HashMap;

use super::random::Random;
use super::retail::{Line, Listed};

/// How many order lines each product is on, by its place in the catalogue.
pub(super) struct Popularity {
    by_sku: HashMap<String, usize>,
    lines: Vec<u64>,
}

impl Popularity {
    pub(super) fn of(listed: &[Listed], lines: &[Line]) -> Self {
        let by_sku: HashMap<String, usize> = listed
            .iter()
            .enumerate()
            .map(|(place, product)| (product.sku.clone(), place))
            .collect();
        let mut counts = vec![0; listed.len()];
        for line in lines {
            let place = by_sku.get(&line.sku).copied();
            if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                *count += 1;
            }
        }
        Self {
            by_sku,
            lines: counts,
        }
    }

    /// The place of a product in the catalogue.
    pub(super) fn place(&self, sku: &str) -> Option<usize> {
        self.by_sku.get(sku).copied()
    }

    /// The places of the products on most lines, the first of them first; by place where equal.
    pub(super) fn best_sellers(&self, count: usize) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.lines.len()).collect();
        places.sort_by_key(|place| std::cmp::Reverse(self.lines.get(*place).copied()));
        places.truncate(count);
        places
    }

    /// Draws places: a product on many lines often, and one that never sold now and then.
    pub(super) fn draws(&self) -> Draws {
        let weights = self.lines.iter().map(|count| count + 1);
        let sums = weights.scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Draws {
            sums: sums.collect(),
        }
    }
}

/// Places with weights.
pub(super) struct Draws {
    /// Of the weights up to and including each place.
    sums: Vec<u64>,
}

impl Draws {
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let drawn = random.below(self.sums.last().copied().unwrap_or(0));
        self.sums.partition_point(|sum| *sum <= drawn)
    }
}
