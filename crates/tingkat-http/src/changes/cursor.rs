//! Up to where a client has seen the log: a lifetime of the log, and a position in it.

use std::fmt;
use std::str::FromStr;

use tingkat::certificate::{Incarnation, Position};

/// A longer text does not fit into every client's and proxy's idea of a header.
const MOST_BYTES: usize = 4 << 10;

/// What a client has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) incarnation: Incarnation,
    pub(super) position: Position,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (incarnation, position) = text.split_once(':').ok_or(NoCursor)?;
        Ok(Self {
            incarnation: incarnation.parse().map_err(|_| NoCursor)?,
            position: position.parse().map_err(|_| NoCursor)?,
        })
    }
}

impl fmt::Display for Cursor {
    /// Very many transactions under way make it too long; then it says that none of them has been
    /// seen, nor what began after the oldest: some changes may come twice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position.to_string();
        if position.len() <= MOST_BYTES {
            return write!(f, "{}:{position}", self.incarnation);
        }
        let oldest = self.position.xmin();
        write!(f, "{}:{oldest}:{oldest}:", self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(position: Position) -> Cursor {
        Cursor {
            incarnation: Incarnation::from_bytes([0xab; 16]),
            position,
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for xip in [vec![], vec![7], vec![7, 8]] {
            let cursor = cursor(Position::snapshot(5, 9, xip).unwrap());
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn a_cursor_that_would_be_too_long_has_seen_less() {
        let whole = cursor(Position::snapshot(5, 90_000, (5..80_000).collect()).unwrap());
        let text = whole.to_string();
        assert!(text.len() < 100);
        let short: Cursor = text.parse().unwrap();
        assert!(whole.position.contains(&short.position));
        assert!(short.position.covers(4) && !short.position.covers(85_000));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let right = cursor(Position::log_id(7)).to_string();
        for text in [
            "",
            ":",
            "7",
            &right[1..],
            &right[..33],
            &format!("{right}x"),
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }
}
