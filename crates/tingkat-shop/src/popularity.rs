//! What customers want: how much a line of the store's own data counts, and what it comes to.

use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::error::SourceError;

const DAY: Duration = Duration::from_hours(24);

/// How popularity is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Of products.
    pub product: ProductWeights,
    /// Of postcodes.
    pub postcode: PostcodeWeights,
}

/// What makes a product popular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductWeights {
    /// What a line of an order counts.
    pub orders: u32,
    /// What a line of a cart counts.
    pub carts: u32,
    /// What a line of a wishlist counts.
    pub wishes: u32,
    /// How far back lines count.
    pub window: Duration,
}

impl Default for ProductWeights {
    fn default() -> Self {
        Self {
            orders: 3,
            carts: 2,
            wishes: 1,
            window: 30 * DAY,
        }
    }
}

/// What makes a postcode popular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostcodeWeights {
    /// What an order that was delivered there counts.
    pub deliveries: u32,
    /// What a customer who lives there counts.
    pub customers: u32,
    /// How far back orders count.
    pub window: Duration,
}

impl Default for PostcodeWeights {
    fn default() -> Self {
        Self {
            deliveries: 3,
            customers: 1,
            window: 30 * DAY,
        }
    }
}

/// A key and how much it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// The key, as its entity writes it.
    pub key: String,
    /// Its score; none without any activity.
    pub score: u64,
}

/// Whoever knows what customers want.
pub trait Popularity: Send + Sync + 'static {
    /// The keys of an entity that are wanted most, the most wanted first, at most `most`. Without any
    /// activity, those that stand for the rest. Nothing for an entity of which nobody can tell.
    fn top<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Scored>, SourceError>>;

    /// The keys of an entity that stand on the first pages of lists, whatever is popular: those that
    /// are seen first come first, at most `most`. Nothing unless somebody says otherwise.
    fn front<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, SourceError>> {
        let _ = (entity, most);
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
