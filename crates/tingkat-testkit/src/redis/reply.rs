//! What a server answers.

use std::fmt;

use bytes::Bytes;

/// One RESP2 reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No value.
    Nil,
    /// A status such as `OK`.
    Status(String),
    /// A number.
    Int(i64),
    /// A value.
    Bulk(Bytes),
    /// Several replies.
    Array(Vec<Reply>),
    /// An error inside an array; anywhere else it is the error of the call.
    Error(String),
}

impl Reply {
    /// The text of a value, a status, a number or an error; nothing for the rest.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Status(text) | Self::Error(text) => Some(text.clone()),
            Self::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Int(number) => Some(number.to_string()),
            Self::Nil | Self::Array(_) => None,
        }
    }

    /// The number that this is, or reads as.
    pub fn int(&self) -> Option<i64> {
        self.text()?.parse().ok()
    }

    /// The replies in an array; none for anything else.
    pub fn items(&self) -> &[Reply] {
        match self {
            Self::Array(items) => items,
            Self::Nil | Self::Status(_) | Self::Int(_) | Self::Bulk(_) | Self::Error(_) => &[],
        }
    }
}

/// Compares the text.
impl PartialEq<&str> for Reply {
    fn eq(&self, other: &&str) -> bool {
        self.text().is_some_and(|text| text == *other)
    }
}

/// Compares the number.
impl PartialEq<i64> for Reply {
    fn eq(&self, other: &i64) -> bool {
        self.int() == Some(*other)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(&text),
            None => write!(f, "{self:?}"),
        }
    }
}
