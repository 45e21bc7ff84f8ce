//! Which way bytes flow through the proxy.

/// The bytes that a fault applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the upstream: requests.
    Up,
    /// From the upstream to the client: replies.
    Down,
    /// Requests and replies.
    Both,
}

/// One way through a connection; a [`Direction`] names one or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

impl Direction {
    /// The ways that this direction covers.
    pub(crate) fn ways(self) -> &'static [Way] {
        match self {
            Self::Up => &[Way::Up],
            Self::Down => &[Way::Down],
            Self::Both => &[Way::Up, Way::Down],
        }
    }
}
