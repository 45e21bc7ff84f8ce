//! A part of a list.

use tingkat::{Answer, Trail};

/// Some things of a list, and where the next ones begin.
#[derive(Clone, Debug)]
pub struct Page<T, C> {
    /// Each with its own answer.
    pub items: Vec<Answer<T>>,
    /// Where the next page begins; nothing on the last one.
    pub next: Option<C>,
    /// What happened on the way to the list itself.
    pub trail: Trail,
}
