//! Writing products through to the database: stock and prices, one transaction each.
//!
//! What a write changes reaches every node by the change log; this node knows it before the call
//! returns (rule R8).

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;
use tingkat::certificate::Change;
use tingkat::ports::Written;
use tingkat::{Cache, Node};

use crate::money::{Currency, Money};
use crate::product::{Product, ProductId, Products};

/// A new stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockChange {
    /// So many are left, whatever was there before.
    Set(i64),
    /// So many more, or fewer.
    Adjust(i64),
}

/// What a write changes of one product; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProductPatch {
    /// The stock.
    pub stock: Option<StockChange>,
    /// What a guest pays without a promotion.
    pub regular_price: Option<Money>,
    /// What a member pays without a promotion.
    pub member_price: Option<Money>,
    /// Write only if this is still the product's version.
    pub version: Option<i64>,
}

impl ProductPatch {
    /// Sets the stock.
    pub fn set_stock(quantity: i64) -> Self {
        Self {
            stock: Some(StockChange::Set(quantity)),
            ..Self::default()
        }
    }

    /// Adds to the stock, or takes from it.
    pub fn adjust_stock(delta: i64) -> Self {
        Self {
            stock: Some(StockChange::Adjust(delta)),
            ..Self::default()
        }
    }

    /// Sets one price or both.
    pub fn set_price(regular: Option<Money>, member: Option<Money>) -> Self {
        Self {
            regular_price: regular,
            member_price: member,
            ..Self::default()
        }
    }

    /// Only if `version` is still the product's.
    pub const fn if_version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// Whether it names nothing to change.
    pub const fn is_empty(&self) -> bool {
        self.stock.is_none() && self.regular_price.is_none() && self.member_price.is_none()
    }

    /// Refuses what is wrong whatever the product is; writers ask this before the database.
    ///
    /// # Errors
    /// When it changes nothing, or names an amount below zero.
    pub fn check(&self) -> Result<(), WriteError> {
        if self.is_empty() {
            return Err(WriteError::new(WriteErrorKind::Empty));
        }
        let is_negative = matches!(self.stock, Some(StockChange::Set(..0)))
            || [self.regular_price, self.member_price]
                .iter()
                .flatten()
                .any(|price| price.amount < 0);
        if is_negative {
            return Err(WriteError::new(WriteErrorKind::Negative));
        }
        Ok(())
    }
}

/// A write that is in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The product's version now; higher than before.
    pub version: i64,
    /// When it was written, by the database's clock.
    pub updated_at: Timestamp,
    /// The token for read-your-writes; none where the database has no change log.
    pub written: Option<Written>,
    /// The rows of the change log that the transaction wrote.
    pub changes: Vec<Change>,
}

/// Why a product was not written.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct WriteError {
    kind: WriteErrorKind,
    #[source]
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What is wrong with a write, as far as somebody would act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteErrorKind {
    /// It changes nothing.
    Empty,
    /// It names an amount below zero.
    Negative,
    /// There is no such product.
    Unknown,
    /// The product has another version by now.
    Conflict {
        /// The version that it has.
        current: i64,
    },
    /// The stock is not enough to take so many from, or too large to add so many to.
    StockOutOfRange {
        /// What is left.
        stock: i64,
    },
    /// A member would pay more than a guest.
    MemberAboveRegular,
    /// The product's prices are in another currency.
    Currency {
        /// The one that they are in.
        expected: Currency,
    },
    /// The database refuses it: a missing right, a rule of the table.
    Refused,
    /// The database does not answer, or is busy; nothing was written.
    Unavailable,
    /// The connection was lost while it was written: it may or may not be in the database.
    Unsure,
}

impl fmt::Display for WriteErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the write changes nothing"),
            Self::Negative => f.write_str("stock and prices are not below zero"),
            Self::Unknown => f.write_str("there is no such product"),
            Self::Conflict { current } => write!(f, "the product has version {current} by now"),
            Self::StockOutOfRange { stock } => {
                write!(f, "a stock of {stock} can not be adjusted by so many")
            }
            Self::MemberAboveRegular => {
                f.write_str("the member price would be above the regular price")
            }
            Self::Currency { expected } => write!(f, "the product's prices are in {expected:?}"),
            Self::Refused => f.write_str("the database refuses the write"),
            Self::Unavailable => f.write_str("the database can not be written now"),
            Self::Unsure => f.write_str("the connection was lost while the product was written"),
        }
    }
}

impl WriteError {
    /// An error with nothing behind it.
    pub const fn new(kind: WriteErrorKind) -> Self {
        Self { kind, cause: None }
    }

    /// What is behind it.
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What is wrong.
    pub const fn kind(&self) -> WriteErrorKind {
        self.kind
    }
}

/// The database as far as products are written to it.
pub trait ProductWriter: Send + Sync + 'static {
    /// Writes one product in one transaction with its rows of the change log. The version rises by
    /// at least one and the time of the last write is set. The future runs to its end once it was
    /// polled, or leaves nothing behind.
    fn write<'a>(
        &'a self,
        id: &'a ProductId,
        patch: &'a ProductPatch,
    ) -> BoxFuture<'a, Result<Saved, WriteError>>;
}

/// Writes to products, known to this node when they return; cheap to clone.
#[derive(Clone)]
pub struct ProductWrites {
    node: Node,
    cache: Cache<ProductId, Product>,
    writer: Arc<dyn ProductWriter>,
}

impl ProductWrites {
    /// Writes by `writer` for the look-ups of `products`, which belong to `node`.
    pub fn new(node: &Node, products: &Products, writer: Arc<dyn ProductWriter>) -> Self {
        Self {
            node: node.clone(),
            cache: products.cache().clone(),
            writer,
        }
    }

    /// Sets how many are left.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn set_stock(&self, id: &ProductId, quantity: i64) -> Result<Saved, WriteError> {
        self.write(id, &ProductPatch::set_stock(quantity)).await
    }

    /// Adds to the stock, or takes from it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn adjust_stock(&self, id: &ProductId, delta: i64) -> Result<Saved, WriteError> {
        self.write(id, &ProductPatch::adjust_stock(delta)).await
    }

    /// Sets one price or both.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn set_price(
        &self,
        id: &ProductId,
        regular: Option<Money>,
        member: Option<Money>,
    ) -> Result<Saved, WriteError> {
        self.write(id, &ProductPatch::set_price(regular, member))
            .await
    }

    /// Writes what the patch names. A read on this node that begins after the return shows it, and
    /// one on another node that brings the token does. Once it has begun it runs to its end: if the
    /// caller goes away, what was written is made known all the same.
    ///
    /// # Errors
    /// When nothing was written, and [`WriteErrorKind::Unsure`] when that is not known.
    pub async fn write(&self, id: &ProductId, patch: &ProductPatch) -> Result<Saved, WriteError> {
        patch.check()?;
        let (writes, id, patch) = (self.clone(), id.clone(), *patch);
        let writing = async move { writes.write_through(&id, &patch).await };
        self.node.carry_through(writing).await
    }

    async fn write_through(
        &self,
        id: &ProductId,
        patch: &ProductPatch,
    ) -> Result<Saved, WriteError> {
        let saved = self.writer.write(id, patch).await?;
        match saved.written {
            Some(written) => self.node.committed(written, &saved.changes),
            // Freshness is by time alone here. The write is done: a remote tier that can not be
            // told of it gives the old value until its time is over.
            None => drop(self.cache.forget(id).await),
        }
        Ok(saved)
    }
}

impl fmt::Debug for ProductWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProductWrites").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_that_is_wrong_for_any_product_is_refused() {
        let kind = |patch: ProductPatch| patch.check().map_err(|error| error.kind());
        let sen = |amount| Some(Money::sen(amount));
        let negative = Err(WriteErrorKind::Negative);
        assert_eq!(
            kind(ProductPatch::default().if_version(3)),
            Err(WriteErrorKind::Empty)
        );
        assert_eq!(kind(ProductPatch::set_stock(-1)), negative);
        assert_eq!(kind(ProductPatch::set_price(sen(-1), None)), negative);
        assert_eq!(kind(ProductPatch::set_price(None, sen(-1))), negative);
        assert_eq!(kind(ProductPatch::set_stock(0)), Ok(()));
        assert_eq!(kind(ProductPatch::adjust_stock(-1)), Ok(()));
        assert_eq!(kind(ProductPatch::set_price(sen(0), sen(0))), Ok(()));
    }
}
