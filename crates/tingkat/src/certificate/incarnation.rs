//! Which log it is, and what a load had seen of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::position::Position;

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
