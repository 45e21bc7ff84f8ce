//! A set of transactions, as a snapshot tells it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
