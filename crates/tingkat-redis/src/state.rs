//! Whether the tier can be used, and if not, why: in one line for people, without a secret.

use std::fmt;

/// Whether the tier can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The first attempt is under way.
    Connecting,
    /// All of it can be used.
    Up,
    /// Some of it can be used, and this is wrong with the rest: a node is away, a right is missing.
    Limited(String),
    /// It can not be used, for this reason.
    Down(String),
}

impl State {
    /// Whether at least some of it can be used.
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Up | Self::Limited(_))
    }

    /// What is wrong, if anything is.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Connecting | Self::Up => None,
            Self::Limited(why) | Self::Down(why) => Some(why),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            Self::Up => f.write_str("up"),
            Self::Limited(why) => write!(f, "limited: {why}"),
            Self::Down(why) => write!(f, "down: {why}"),
        }
    }
}
