//! What an entry has seen of the change log (its certificate), and the deps that name what it shows.
//!
//! A position is a set of transactions, told as PostgreSQL's snapshots tell it. A log with plain
//! ascending ids is the case without transactions under way, so the engine knows one type only.

mod knowledge;
mod publication;
mod xids;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use knowledge::Refusal;
pub(crate) use knowledge::{Evidence, Knowledge, MOST_DEPS, Verdict};
pub(crate) use publication::Observed;

/// A set of visible transactions: all below `xmax` but those in `xip`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    xmin: u64,
    xmax: u64,
    xip: Arc<[u64]>,
}

/// A text or a list of numbers that is no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position: expected `xmin:xmax:xip,xip…` with xmin <= xip < xmax, found {found:?}")]
pub struct PositionError {
    found: String,
}

impl Position {
    /// The position that has seen the ids up to and including `id` of a log without gaps.
    pub fn log_id(id: u64) -> Self {
        let next = id.saturating_add(1);
        Self {
            xmin: next,
            xmax: next,
            xip: Arc::from([]),
        }
    }

    /// The position that has seen nothing.
    pub(crate) fn nothing() -> Self {
        Self {
            xmin: 0,
            xmax: 0,
            xip: Arc::from([]),
        }
    }

    /// The position with these transactions still under way.
    ///
    /// # Errors
    /// When one of `xip` lies outside `xmin..xmax`, or `xmin` above `xmax`.
    pub fn snapshot(xmin: u64, xmax: u64, mut xip: Vec<u64>) -> Result<Self, PositionError> {
        xip.sort_unstable();
        xip.dedup();
        let in_range = xip.iter().all(|xid| (xmin..xmax).contains(xid));
        if xmin > xmax || !in_range {
            return Err(PositionError {
                found: format!("{xmin}:{xmax}:{xip:?}"),
            });
        }
        Ok(Self {
            xmin,
            xmax,
            xip: xip.into(),
        })
    }

    /// The oldest transaction that may be under way; all below it are settled.
    pub const fn xmin(&self) -> u64 {
        self.xmin
    }

    /// The first transaction that was not given out yet.
    pub const fn xmax(&self) -> u64 {
        self.xmax
    }

    /// The transactions under way, ascending.
    pub fn xip(&self) -> &[u64] {
        &self.xip
    }

    /// Whether this position has seen transaction `xid`.
    pub fn covers(&self, xid: u64) -> bool {
        xid < self.xmax && self.xip.binary_search(&xid).is_err()
    }

    /// Whether this position has seen all that `other` has seen.
    pub fn contains(&self, other: &Self) -> bool {
        other.xmax <= self.xmax && self.xip.iter().all(|&xid| !other.covers(xid))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (index, xid) in self.xip.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{xid}")?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let wrong = || PositionError {
            found: text.chars().take(80).collect(),
        };
        let mut parts = text.splitn(3, ':');
        let mut number = || {
            parts
                .next()
                .and_then(|part| part.parse::<u64>().ok())
                .ok_or_else(wrong)
        };
        let (xmin, xmax) = (number()?, number()?);
        let list = parts.next().ok_or_else(wrong)?;
        let xip = list
            .split(',')
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<Vec<u64>, _>>()
            .map_err(|_| wrong())?;
        Self::snapshot(xmin, xmax, xip).map_err(|_| wrong())
    }
}

/// The lifetime of one change log; transaction ids compare only within one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Incarnation(u128);

impl Incarnation {
    /// An incarnation from what identifies the log: its uuid, the database and the cluster.
    pub fn of(parts: &[&str]) -> Self {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self(hasher.digest128())
    }

    /// From its 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// As 16 bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

/// A text that names no incarnation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an incarnation: expected 32 hexadecimal digits in small letters, found {found:?}")]
pub struct IncarnationError {
    found: String,
}

impl FromStr for Incarnation {
    type Err = IncarnationError;

    fn from_str(text: &str) -> Result<Self, IncarnationError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let wrong = || IncarnationError {
            found: text.chars().take(80).collect(),
        };
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(wrong());
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| wrong())
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Which changes a load is known to have seen: the position taken before the load's first read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// The log that the position belongs to.
    pub incarnation: Incarnation,
    /// All transactions that the load saw.
    pub position: Position,
}

impl Certificate {
    /// The certificate of a load that saw nothing of any log.
    pub(crate) fn of_nothing() -> Self {
        Self {
            incarnation: Incarnation(0),
            position: Position::log_id(0),
        }
    }
}

/// The name of something in the database that an entry shows: a row, a set, a tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dep(Box<str>);

impl Dep {
    /// A dep by its whole name, such as `products.list` or a tag such as `state:SGR`.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The dep of one key of an entity: `product:7`.
    pub fn of_key(entity: &str, key: &str) -> Self {
        Self(format!("{entity}:{key}").into())
    }

    /// The dep of all keys of an entity: `product.*`.
    pub fn of_entity(entity: &str) -> Self {
        Self(format!("{entity}.*").into())
    }

    /// The dep of everything.
    pub fn everything() -> Self {
        Self("*".into())
    }

    /// The name.
    pub const fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Dep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a row of the change log does to the entries that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Entries with this dep are refused.
    Forget,
    /// Entries with this dep are refused, but stay usable as stale values.
    Expire,
    /// Entries whose own key matches this glob are refused.
    Pattern,
}

/// A row of the change log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// What is different now.
    pub dep: Dep,
    /// What follows from it.
    pub kind: ChangeKind,
}
