//! How the program ends: the one table of exit codes.

use std::error::Error;
use std::fmt::{Display, Write as _};
use std::io::IsTerminal as _;
use std::process::ExitCode;

use tingkat_sql::{
    CheckError, CheckErrorKind, InstallError, InstallErrorKind, OpenError, OpenErrorKind,
};

use crate::config::Problem;

/// What a script can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Nobody planned for it.
    Unexpected = 1,
    /// The command line is right but can not be carried out here.
    Usage = 2,
    /// What was checked is not as it must be.
    Failed = 3,
    /// The service is not as it should be, and that was to be an error.
    Degraded = 4,
    /// Something that the program needs does not answer.
    Unreachable = 5,
    /// What was measured is not as it had to be.
    Missed = 6,
    /// The configuration is wrong.
    Configuration = 78,
    /// Somebody pressed Ctrl-C; what was done by then is told.
    Interrupted = 130,
}

/// Why the program ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Line(String),
    /// All that is wrong with the configuration.
    Problems(Vec<Problem>),
    /// The command has said it.
    Said,
}

impl Failure {
    pub(crate) fn new(code: Code, line: impl Into<String>) -> Self {
        Self {
            code,
            reason: Reason::Line(line.into()),
        }
    }

    /// The configuration is wrong in these ways.
    pub(crate) const fn problems(problems: Vec<Problem>) -> Self {
        Self {
            code: Code::Configuration,
            reason: Reason::Problems(problems),
        }
    }

    /// The command has told its result; only the code is left.
    pub(crate) const fn said(code: Code) -> Self {
        Self {
            code,
            reason: Reason::Said,
        }
    }

    /// How the program ends.
    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// What is wrong, a line each, for the log.
    pub(crate) fn lines(&self) -> Vec<String> {
        match &self.reason {
            Reason::Line(line) => vec![line.clone()],
            Reason::Problems(problems) => problems.iter().map(|it| it.message.clone()).collect(),
            Reason::Said => Vec::new(),
        }
    }

    pub(crate) fn unexpected(line: impl Into<String>) -> Self {
        Self::new(Code::Unexpected, line)
    }

    pub(crate) fn configuration(line: impl Into<String>) -> Self {
        Self::new(Code::Configuration, line)
    }

    /// An error with its causes, after what was tried.
    pub(crate) fn chained(code: Code, tried: impl Display, error: &dyn Error) -> Self {
        Self::new(code, format!("{tried}: {}", tingkat_lab::chained(error)))
    }

    /// Says it on standard error.
    #[expect(
        clippy::print_stderr,
        reason = "the last line of a command that failed"
    )]
    pub(crate) fn report(self) -> ExitCode {
        match &self.reason {
            Reason::Line(line) => eprintln!("tingkat: {line}"),
            Reason::Problems(problems) => eprint!("{}", told(problems)),
            Reason::Said => {}
        }
        ExitCode::from(self.code as u8)
    }
}

fn told(problems: &[Problem]) -> String {
    let has_colour = std::io::stderr().is_terminal() && !crate::config::wants_no_colour();
    let mut text: String = problems.iter().map(|it| it.told(has_colour)).collect();
    if problems.len() > 1 {
        let count = problems.len();
        // Writing to a text does not fail.
        let _ = writeln!(text, "tingkat: {count} problems with the configuration");
    }
    text
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let is_busy = error.kind() == OpenErrorKind::Busy;
        let code = if is_busy {
            Code::Unreachable
        } else {
            Code::Configuration
        };
        Self::chained(code, "failed to open the database", &error)
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        let kind = error.kind();
        let code = if kind == InstallErrorKind::Unreachable {
            Code::Unreachable
        } else if kind == InstallErrorKind::Busy {
            Code::Unexpected
        } else {
            Code::Usage
        };
        Self::chained(code, "failed to install", &error)
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        let code = if error.kind() == CheckErrorKind::Unreachable {
            Code::Unreachable
        } else {
            Code::Failed
        };
        Self::chained(code, "failed to check the database", &error)
    }
}
