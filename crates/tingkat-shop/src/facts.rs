//! What operators want to know about a shop, whatever its caches do.

use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::error::SourceError;

/// A promotion that ends within this time is about to end.
pub const ABOUT_TO_END: Duration = Duration::from_hours(1);

/// A number about the things of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The entity.
    pub entity: &'static str,
    /// What is counted: `low_stock`.
    pub name: String,
    /// How many there are.
    pub value: u64,
}

/// Whoever can count them.
pub trait Facts: Send + Sync + 'static {
    /// All facts, counted now.
    fn facts(&self) -> BoxFuture<'_, Result<Vec<Fact>, SourceError>>;
}
