//! How a check ends that did not pass.

use crate::answer::AskError;
use crate::chained::chained;
use crate::probe::{ProbeError, ProbeErrorKind};

/// A promise that is broken, or could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// What was seen instead.
    Failed(String),
    /// Why it could not be looked at.
    Skipped(String),
    /// Why there is no such promise here.
    Moot(String),
}

/// The promise is broken.
pub(crate) fn failed<T>(what: impl Into<String>) -> Result<T, End> {
    Err(End::Failed(what.into()))
}

/// The promise could not be looked at.
pub(crate) fn skipped<T>(why: impl Into<String>) -> Result<T, End> {
    Err(End::Skipped(why.into()))
}

/// The installation was not promised to do so.
pub(crate) fn moot<T>(why: impl Into<String>) -> Result<T, End> {
    Err(End::Moot(why.into()))
}

/// The promise holds only if this does.
pub(crate) fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), End> {
    if holds { Ok(()) } else { failed(otherwise()) }
}

impl From<AskError> for End {
    fn from(error: AskError) -> Self {
        Self::Failed(chained(&error))
    }
}

impl From<ProbeError> for End {
    fn from(error: ProbeError) -> Self {
        let line = chained(&error);
        match error.kind() {
            ProbeErrorKind::Unreachable => Self::Failed(line),
            ProbeErrorKind::Refused => Self::Skipped(line),
        }
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(chained(&error))
    }
}
