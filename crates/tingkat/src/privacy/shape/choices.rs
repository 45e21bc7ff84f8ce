//! Attempts that differ in what they choose.

use super::tracer::Halt;

/// Attempts at a value.
const MOST: usize = 2_000;

/// What was chosen wherever there was a choice, to choose otherwise in the next attempt.
#[derive(Default)]
pub(super) struct Choices {
    /// What was chosen, and out of how many.
    made: Vec<(usize, usize)>,
    /// The next to be looked at.
    at: usize,
    attempts: usize,
}

impl Choices {
    pub(super) fn choose(&mut self, of: usize) -> usize {
        let made = self.made.get(self.at).map(|(chosen, _)| *chosen);
        self.at += 1;
        made.unwrap_or_else(|| {
            self.made.push((0, of));
            0
        })
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Result<T, Halt> {
        let chosen = self.choose(from.len());
        from.get(chosen).copied().ok_or(Halt::Nothing)
    }

    /// Chooses the last thing otherwise that can be, if there is any.
    pub(super) fn advance(&mut self) -> bool {
        self.at = 0;
        self.attempts += 1;
        while let Some((chosen, of)) = self.made.pop() {
            if chosen + 1 < of {
                self.made.push((chosen + 1, of));
                return self.attempts < MOST;
            }
        }
        false
    }
}
