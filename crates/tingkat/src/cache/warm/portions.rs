//! How much warming reads and writes in one call: what fits into the time of a call, which it finds
//! out. It begins small, goes by the size of the cells that it meets, and takes less after each call
//! that was not answered in time.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Cells of a first read.
const FIRST: usize = 2;

/// Cells of a read at most.
const MOST_CELLS: usize = 200;

/// Bytes of a read at most, by the mean size of the cells: customers share the connection.
const MOST_READ: usize = 128 << 10;

/// Bytes of a write at most, and at least unless a cell is larger.
const MOST_WRITTEN: usize = 256 << 10;
const LEAST_WRITTEN: usize = 4 << 10;

/// By how much is taken less after a call that came to nothing.
const CUT: usize = 4;

/// What the cells of one entity have taught.
#[derive(Debug)]
pub(crate) struct Portions(Mutex<Learnt>);

#[derive(Debug)]
struct Learnt {
    cells: usize,
    /// The mean size of a cell; none is known yet at 0.
    mean: usize,
    written: usize,
}

impl Portions {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Learnt {
            cells: FIRST,
            mean: 0,
            written: MOST_WRITTEN,
        }))
    }

    /// Cells of the next read.
    pub(super) fn cells(&self) -> usize {
        self.lock().cells
    }

    /// Bytes of the next write.
    pub(super) fn bytes(&self) -> usize {
        self.lock().written
    }

    /// A read of so many keys brought so many cells with so many bytes.
    pub(super) fn was_read(&self, asked: usize, found: usize, bytes: usize) {
        let mut learnt = self.lock();
        learnt.meet(found, bytes);
        if asked >= learnt.cells {
            learnt.cells = learnt.cells.saturating_mul(2).min(MOST_CELLS);
        }
        learnt.fit();
    }

    /// A read of so many keys was not answered in time.
    pub(super) fn was_not_read(&self, asked: usize) {
        let mut learnt = self.lock();
        learnt.cells = (learnt.cells.min(asked) / CUT).max(1);
    }

    /// A write of so many cells with so many bytes went well: they will be read as well.
    pub(super) fn was_written(&self, cells: usize, bytes: usize) {
        let mut learnt = self.lock();
        learnt.meet(cells, bytes);
        learnt.fit();
        learnt.written = learnt.written.saturating_mul(2).min(MOST_WRITTEN);
    }

    /// A write of so many bytes was not answered in time.
    pub(super) fn was_not_written(&self, bytes: usize) {
        let mut learnt = self.lock();
        learnt.written = (learnt.written.min(bytes) / CUT).max(LEAST_WRITTEN);
    }

    fn lock(&self) -> MutexGuard<'_, Learnt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learnt {
    /// Larger cells count at once, smaller ones bit by bit.
    fn meet(&mut self, cells: usize, bytes: usize) {
        let Some(mean) = bytes.checked_div(cells) else {
            return;
        };
        let faded = self.mean - self.mean / 8;
        self.mean = mean.max(faded).max(1);
    }

    fn fit(&mut self) {
        if let Some(fit) = MOST_READ.checked_div(self.mean) {
            self.cells = self.cells.min(fit).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cells_are_read_together_and_large_ones_by_a_few() {
        let portions = Portions::new();
        assert_eq!(portions.cells(), FIRST);
        for _ in 0..10 {
            let asked = portions.cells();
            portions.was_read(asked, asked, asked * 500);
        }
        assert_eq!(portions.cells(), MOST_CELLS);
        portions.was_read(200, 200, 200 * (32 << 10));
        assert_eq!(portions.cells(), 4);
        portions.was_read(4, 1, 1 << 20);
        assert_eq!(portions.cells(), 1);
        // What is not there says nothing about the size of what is.
        portions.was_read(1, 0, 0);
        assert_eq!(portions.cells(), 1);
    }

    #[test]
    fn what_was_written_tells_how_much_is_read() {
        let portions = Portions::new();
        for _ in 0..10 {
            portions.was_read(200, 0, 0);
        }
        assert_eq!(portions.cells(), MOST_CELLS, "nothing was there");
        portions.was_written(8, 8 * (32 << 10));
        assert_eq!(portions.cells(), 4);
    }

    #[test]
    fn less_is_taken_after_each_call_without_an_answer() {
        let portions = Portions::new();
        for _ in 0..10 {
            portions.was_read(200, 0, 0);
        }
        let cells: Vec<usize> = (0..4)
            .map(|_| {
                portions.was_not_read(portions.cells());
                portions.cells()
            })
            .collect();
        assert_eq!(cells, [50, 12, 3, 1]);
        for _ in 0..6 {
            portions.was_not_written(portions.bytes());
        }
        assert_eq!(portions.bytes(), LEAST_WRITTEN);
        portions.was_written(1, 10);
        assert_eq!(portions.bytes(), 2 * LEAST_WRITTEN);
    }
}
