//! Where a value came from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

/// A configuration file.
#[derive(Debug)]
pub(crate) struct Source {
    /// As it was named.
    pub(crate) name: String,
    /// What it says, secrets as well.
    pub(crate) text: SecretString,
    /// What must not be shown of it, in order and apart.
    pub(crate) hidden: Vec<Range<usize>>,
}

impl Source {
    /// The line, from 1, in which this byte stands.
    pub(crate) fn line(&self, at: usize) -> usize {
        let text = self.text.expose_secret();
        let before = text.get(..at).unwrap_or(text);
        before.matches('\n').count() + 1
    }

    /// The text without what must not be shown, and where a part of it is then.
    pub(crate) fn censored(&self, part: &Range<usize>) -> (String, Range<usize>) {
        const MASK: &str = "\"***\"";
        let whole = self.text.expose_secret();
        let mut text = String::new();
        let (mut from, mut moved) = (0, part.clone());
        for hidden in &self.hidden {
            text.push_str(whole.get(from..hidden.start).unwrap_or_default());
            let place = text.len();
            text.push_str(MASK);
            from = hidden.end;
            if hidden.end <= part.start {
                moved.start = (moved.start + MASK.len()).saturating_sub(hidden.len());
            } else if hidden.start <= part.start {
                moved.start = place;
            }
            if hidden.end <= part.end {
                moved.end = (moved.end + MASK.len()).saturating_sub(hidden.len());
            } else if hidden.start < part.end {
                moved.end = text.len();
            }
        }
        text.push_str(whole.get(from..).unwrap_or_default());
        moved.end = moved.end.min(text.len());
        moved.start = moved.start.min(moved.end);
        (text, moved)
    }
}

/// Where a value came from; a later one wins.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Base,
    Preset(&'static str),
    Scenario(&'static str),
    File {
        source: Arc<Source>,
        span: Range<usize>,
    },
    /// A variable, which may name a file that has the value.
    Variable(String),
    Flag(&'static str),
}

impl Origin {
    /// Its layer.
    pub(crate) const fn rank(&self) -> u8 {
        match self {
            Self::Base => 0,
            Self::Preset(_) => 1,
            Self::Scenario(_) => 2,
            Self::File { .. } => 3,
            Self::Variable(_) => 4,
            Self::Flag(_) => 5,
        }
    }

    /// Whether somebody who runs this service chose it.
    pub(crate) const fn is_chosen(&self) -> bool {
        self.rank() >= 3
    }

    /// What to call a key for somebody who configures in this way.
    pub(crate) fn name_of(&self, path: &str) -> String {
        match self {
            Self::Variable(_) => super::keys::own_variable(path),
            Self::Base
            | Self::Preset(_)
            | Self::Scenario(_)
            | Self::File { .. }
            | Self::Flag(_) => path.to_owned(),
        }
    }

    /// What somebody calls a key who has set it in this way.
    pub(crate) fn called(&self, path: &str) -> String {
        match self {
            Self::Variable(name) => name.clone(),
            Self::Flag(name) => (*name).to_owned(),
            Self::Base | Self::Preset(_) | Self::Scenario(_) | Self::File { .. } => path.to_owned(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Preset(name) => write!(f, "preset:{name}"),
            Self::Scenario(name) => write!(f, "scenario:{name}"),
            Self::File { source, span } => {
                write!(f, "file:{}:{}", source.name, source.line(span.start))
            }
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::Flag(name) => write!(f, "flag:{name}"),
        }
    }
}
