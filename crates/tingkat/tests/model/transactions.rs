//! Sets of transaction ids. A snapshot is the set of what it has seen settled, so that nothing
//! here repeats how the engine tells a snapshot.

/// A set of ids; they are given out from 0 up.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Transactions(u8);

impl Transactions {
    pub const NONE: Self = Self(0);

    /// Those of a list.
    pub fn of(ids: &[u8]) -> Self {
        ids.iter().fold(Self(0), |all, &id| all.with(id))
    }

    /// All up to and including `id`.
    pub const fn up_to(id: u8) -> Self {
        Self(u8::MAX >> (7 - id))
    }

    pub const fn has(self, id: u8) -> bool {
        self.0 & (1 << id) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub const fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    pub const fn with(self, id: u8) -> Self {
        Self(self.0 | (1 << id))
    }

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub const fn but(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn highest(self) -> Option<u8> {
        self.ids().next_back()
    }

    /// The lowest that is not in it: all below are settled, for a snapshot.
    pub const fn xmin(self) -> u8 {
        let mut id = 0;
        while id < 8 && self.has(id) {
            id += 1;
        }
        id
    }

    pub fn ids(self) -> impl DoubleEndedIterator<Item = u8> {
        (0..8).filter(move |&id| self.has(id))
    }
}

impl std::fmt::Debug for Transactions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}
