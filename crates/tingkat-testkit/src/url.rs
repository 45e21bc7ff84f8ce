//! Text inside URLs.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// `text` as it may stand in any part of a URL.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
