//! The one error of this crate: a test can only fail with it, so it says all that is known.

use std::fmt;
use std::io;

/// What went wrong, with the server's own words where it had any.
///
/// `Debug` is the readable form with its causes, because that is what `unwrap` prints.
#[derive(thiserror::Error)]
#[error("{message}")]
pub struct Error {
    message: String,
    source: Option<io::Error>,
    is_lost_port: bool,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that nothing else has caused.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
            is_lost_port: false,
        }
    }

    /// For `map_err`: the operating system did not let us do `what`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        |source| Self {
            message: format!("failed to {}", what.into()),
            source: Some(source),
            is_lost_port: false,
        }
    }

    /// A server could not listen because another process was faster.
    pub(crate) fn lost_port(message: impl Into<String>) -> Self {
        Self {
            is_lost_port: true,
            ..Self::new(message)
        }
    }

    /// For `map_err`: this program cannot be run.
    pub(crate) fn running(program: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            if source.kind() == io::ErrorKind::NotFound {
                Self::missing_program(program)
            } else {
                Self::io(format!("run {program}"))(source)
            }
        }
    }

    pub(crate) fn missing_program(program: &str) -> Self {
        Self::new(format!(
            "{program} is not installed; `cargo xtask test` says how to get it"
        ))
    }

    /// Whether another port is worth a try.
    pub(crate) fn is_lost_port(&self) -> bool {
        self.is_lost_port
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}
