//! Ports for what can not be seen over HTTP: the truth in the store, and the bytes in Redis.
//!
//! Whoever wires the lab implements them over connections that the service under judgement does
//! not use: what is written here must reach the service by its own means.

use std::error::Error;
use std::pin::Pin;

use bytes::Bytes;

/// What a probe's call gives.
pub type Probing<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProbeError>> + Send + 'a>>;

/// Changes the store behind the service's back, and knows the truth.
pub trait ChangeProbe: Send + Sync {
    /// How many of a product the store has; nothing for a product that it does not have.
    fn stock<'a>(&'a self, product_id: &'a str) -> Probing<'a, Option<i64>>;

    /// Commits another stock of a product, as any program with access to the database could, and
    /// tells whether there is such a product.
    fn set_stock<'a>(&'a self, product_id: &'a str, quantity: i64) -> Probing<'a, bool>;
}

/// Reads and writes keys in Redis as they are.
pub trait RawRedis: Send + Sync {
    /// At most `most` keys that begin with a prefix, in any order.
    fn keys<'a>(&'a self, prefix: &'a str, most: usize) -> Probing<'a, Vec<String>>;

    /// The bytes under a key; nothing if there are none, or no string.
    fn get<'a>(&'a self, key: &'a str) -> Probing<'a, Option<Bytes>>;

    /// Writes bytes under a key, whatever was there; the key's time to live stays.
    fn set<'a>(&'a self, key: &'a str, bytes: Bytes) -> Probing<'a, ()>;

    /// Removes keys.
    fn remove<'a>(&'a self, keys: &'a [String]) -> Probing<'a, ()>;
}

/// Why a probe has no answer. It is a failure of the check, not of the service.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct ProbeError {
    kind: ProbeErrorKind,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a check makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeErrorKind {
    /// Nobody answers: the check can not be made now.
    Unreachable,
    /// The server refuses this user or this statement: the check can never be made like this.
    Refused,
}

impl ProbeError {
    /// An error with what was tried, such as "failed to set the stock".
    pub fn new(kind: ProbeErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            source: None,
        }
    }

    /// Names the error below, which is not repeated in the text of this one.
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a check makes of it.
    pub const fn kind(&self) -> ProbeErrorKind {
        self.kind
    }
}
