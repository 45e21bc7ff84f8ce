//! The errors of the library: one type per question that a caller asks.
//!
//! There is no error for trouble in a cache tier: a tier that fails is a miss and a counter.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Any error as it comes from somebody else's code, shared by all waiters of one load.
pub type Cause = Arc<dyn StdError + Send + Sync>;

/// Why a look-up has no answer.
///
/// One pointer, so that the answer of a hit travels in registers.
#[derive(Clone, Debug)]
pub struct GetError(Box<Failure>);

#[derive(Clone, Debug)]
struct Failure {
    kind: GetErrorKind,
    /// An older value must not hide it.
    is_final: bool,
    /// The source was not reached: another node may reach it.
    is_unreached: bool,
    cause: Option<Cause>,
}

/// What a caller can do about a failed look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetErrorKind {
    /// The load queue is full; ask again after this long.
    Overloaded {
        /// A guess at when the queue has room again.
        retry_after: Duration,
    },
    /// The load did not end within the hard deadline.
    Deadline,
    /// The source answered with an error, or panicked.
    Source,
    /// A value is at hand, but it is not known to be current, and the caller or the entity insists.
    NotCurrent,
    /// The caller asked for what is cached, and nothing is.
    NotCached,
    /// The cache was shut down.
    ShutDown,
}

impl GetError {
    pub(crate) fn new(kind: GetErrorKind) -> Self {
        Self(Box::new(Failure {
            kind,
            is_final: false,
            is_unreached: false,
            cause: None,
        }))
    }

    pub(crate) fn source_failed(error: SourceError) -> Self {
        Self(Box::new(Failure {
            kind: GetErrorKind::Source,
            is_final: error.recovery() == Recovery::GiveUp,
            is_unreached: error.recovery() == Recovery::Reconnect,
            cause: Some(Arc::new(error)),
        }))
    }

    /// The same failure, told as what it means to the caller.
    pub(crate) fn because(mut self, kind: GetErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(crate) fn is_final(&self) -> bool {
        self.0.is_final
    }

    /// Whether other nodes would meet it as well, and need not find out in turn. A crowd before
    /// this node's source and a source that this node alone does not reach are nothing to them.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.0.kind, GetErrorKind::Source | GetErrorKind::Deadline) && !self.0.is_unreached
    }

    /// What went wrong, as far as the caller can act on it.
    pub fn kind(&self) -> GetErrorKind {
        self.0.kind
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.kind {
            GetErrorKind::Overloaded { .. } => "too many loads are waiting",
            GetErrorKind::Deadline => "the source did not answer within the hard deadline",
            GetErrorKind::Source => "the source failed",
            GetErrorKind::NotCurrent => "no value is known to be current",
            GetErrorKind::NotCached => "nothing is cached under this key",
            GetErrorKind::ShutDown => "the cache is shut down",
        })
    }
}

impl StdError for GetError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .cause
            .as_ref()
            .map(|cause| &**cause as &(dyn StdError + 'static))
    }
}

/// What the caller of a port should do after an error; policy code asks this and never reads texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The same call may succeed later.
    Retry,
    /// The connection is gone; a new one may help.
    Reconnect,
    /// The answer is final: asking again gives the same, and an older value must not hide it.
    GiveUp,
}

/// A failure of a [`Source`](crate::ports::Source).
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    message: String,
    recovery: Recovery,
    #[source]
    cause: Option<Cause>,
}

impl SourceError {
    /// An error that may pass: a stale value may stand in for it.
    pub fn transient(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            recovery: Recovery::Retry,
            cause: None,
        }
    }

    /// A final error: it reaches the caller even where a stale value is at hand.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            recovery: Recovery::GiveUp,
            cause: None,
        }
    }

    /// The connection to the source is gone.
    pub fn disconnected(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            recovery: Recovery::Reconnect,
            cause: None,
        }
    }

    /// Keeps the error that this one came from.
    pub fn caused_by(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// What may help.
    pub const fn recovery(&self) -> Recovery {
        self.recovery
    }
}

/// A failure of a [`Remote`](crate::ports::Remote) tier; it never reaches a caller of the cache.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    message: String,
    kind: RemoteErrorKind,
}

/// How a remote tier failed, as far as the breaker must tell cases apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemoteErrorKind {
    /// There is no connection, and none was waited for.
    Disconnected,
    /// The server did not answer in time.
    Timeout,
    /// The server is up but refuses writes (out of memory, read only, snapshot failing).
    WriteRefused,
    /// The server answered with another error.
    Refused,
    /// The part of the tier that has the key is away; that says nothing about the other parts, and
    /// the implementation itself stops asking it.
    PartAway,
}

impl RemoteError {
    /// An error of this kind.
    pub fn new(kind: RemoteErrorKind, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind,
        }
    }

    /// How the tier failed.
    pub const fn kind(&self) -> RemoteErrorKind {
        self.kind
    }

    /// What may help.
    pub const fn recovery(&self) -> Recovery {
        match self.kind {
            RemoteErrorKind::Disconnected => Recovery::Reconnect,
            RemoteErrorKind::Timeout
            | RemoteErrorKind::WriteRefused
            | RemoteErrorKind::PartAway => Recovery::Retry,
            RemoteErrorKind::Refused => Recovery::GiveUp,
        }
    }
}

/// A failure of a [`ChangeLog`](crate::ports::ChangeLog).
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct LogError {
    message: String,
    recovery: Recovery,
}

impl LogError {
    /// An error with what may help.
    pub fn new(recovery: Recovery, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            recovery,
        }
    }

    /// What may help.
    pub const fn recovery(&self) -> Recovery {
        self.recovery
    }
}

/// A key that is not of the entity's form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KeyError {
    message: String,
}

impl KeyError {
    /// An error that says what a right key looks like.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// Why something could not be changed or forgotten.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ChangeError {
    message: String,
    kind: ChangeErrorKind,
    #[source]
    cause: Option<LogError>,
}

/// What a caller can do about a change that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeErrorKind {
    /// The change log can not be written at the moment.
    Log,
    /// Tags, patterns and whole entities need a change log, since a remote tier is used.
    NeedsLog,
    /// A pattern is not of the form that is understood.
    Pattern,
    /// The change is in the log, so that the old value is refused everywhere, but the log could not
    /// be read afterwards: the new value is in no tier.
    Unproven,
    /// There is no change log, and the remote tier could not be told.
    Remote,
    /// The node was shut down.
    ShutDown,
}

impl ChangeError {
    pub(crate) fn unproven() -> Self {
        Self {
            message: "the old value is forgotten, but the new one is not kept: the change log can \
                      not be read at the moment"
                .to_owned(),
            kind: ChangeErrorKind::Unproven,
            cause: None,
        }
    }

    pub(crate) fn log(cause: LogError) -> Self {
        Self {
            message: "failed to write the change log".to_owned(),
            kind: ChangeErrorKind::Log,
            cause: Some(cause),
        }
    }

    pub(crate) fn needs_log() -> Self {
        let message =
            "forgetting more than a key needs a change log once there is a remote tier".to_owned();
        Self {
            message,
            kind: ChangeErrorKind::NeedsLog,
            cause: None,
        }
    }

    pub(crate) fn remote() -> Self {
        let message = "the remote tier could not be told, and without a change log nobody else can tell the other nodes";
        Self {
            message: message.to_owned(),
            kind: ChangeErrorKind::Remote,
            cause: None,
        }
    }

    pub(crate) fn shut_down() -> Self {
        Self {
            message: "the cache is shut down".to_owned(),
            kind: ChangeErrorKind::ShutDown,
            cause: None,
        }
    }

    pub(crate) fn pattern(pattern: &str) -> Self {
        let shown: String = pattern.chars().take(80).collect();
        let message = format!(
            "a pattern is a part of a key with `*` at either end, such as `50*`; found {shown:?}"
        );
        Self {
            message,
            kind: ChangeErrorKind::Pattern,
            cause: None,
        }
    }

    /// What kind of failure it is.
    pub const fn kind(&self) -> ChangeErrorKind {
        self.kind
    }
}
