//! What kinds of values there are: how each is read, written, and told to somebody who got it wrong.

mod unit;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::redact;
use super::schedule::{Schedule, time_zone};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat::privacy::Names;
use tingkat_http::Tokens;
use tingkat_http::edge::{Access, Network, Origin};
use tingkat_redis::Address;
use tingkat_sql::Url;

pub(crate) use unit::{size, size_text, time, time_text};

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Flag,
    Integer {
        least: u64,
        most: u64,
    },
    /// A number from 0 to this.
    Share {
        most: f64,
    },
    Time {
        least: Duration,
        most: Duration,
    },
    Size {
        least: u64,
        most: u64,
    },
    Choice(&'static [&'static str]),
    /// Several, each once.
    Choices(&'static [&'static str]),
    /// Several names of fields.
    Names,
    /// Where pages are from.
    Origins,
    /// Ranges of addresses.
    Networks,
    /// What the access log has.
    Access,
    /// Several names of tables.
    Tables,
    /// The name of an .sql file, without a directory.
    File,
    /// A text that is not empty.
    Text,
    Path,
    Listen,
    /// The same, or `off`.
    ListenOrOff,
    LogLevel,
    Hosts,
    /// Cron expressions, separated by `;`.
    Schedule,
    /// The name of a time zone.
    TimeZone,
    Prefix,
    Redis,
    Database,
    Tokens,
    /// A text that is never shown.
    Secret,
}

/// A value as it is written: in a file with its type, elsewhere as text. It may be a secret, so it is
/// never told as it is.
#[derive(Clone)]
pub(crate) enum Raw {
    /// From a file.
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
    List(Vec<Raw>),
    /// Something that no key takes; what it is.
    Other(&'static str),
    /// From a variable or a flag, where everything is text.
    Word(String),
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw")
    }
}

/// A value as it is used.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Flag(bool),
    Integer(u64),
    Share(f64),
    Time(Duration),
    Size(u64),
    Text(String),
    List(Vec<String>),
    Secret(SecretString),
}

impl Kind {
    /// Reads a value.
    ///
    /// # Errors
    /// What is expected, and what was found unless it may be a secret.
    pub(crate) fn read(self, raw: &Raw) -> Result<Value, String> {
        match self {
            Self::Flag => self.flag(raw),
            Self::Integer { least, most } => {
                let range = least..=most;
                let number = integer(raw).filter(|it| range.contains(it));
                number.map(Value::Integer).ok_or_else(|| self.refuse(raw))
            }
            Self::Share { most } => {
                let number = float(raw).filter(|it| (0.0..=most).contains(it));
                number.map(Value::Share).ok_or_else(|| self.refuse(raw))
            }
            Self::Time { least, most } => {
                let time = text(raw).and_then(unit::time);
                let time = time.filter(|it| (least..=most).contains(it));
                time.map(Value::Time).ok_or_else(|| self.refuse(raw))
            }
            Self::Size { least, most } => {
                let bytes = integer(raw).or_else(|| text(raw).and_then(unit::size));
                let bytes = bytes.filter(|it| (least..=most).contains(it));
                bytes.map(Value::Size).ok_or_else(|| self.refuse(raw))
            }
            Self::Choices(_) | Self::Names | Self::Tables | Self::Origins | Self::Networks => {
                self.list(raw)
            }
            Self::Access => {
                // A share may be a number.
                let written = float(raw).map(|share| share.to_string());
                let text = written.as_deref().or_else(|| text(raw));
                let text = text.filter(|text| text.parse::<Access>().is_ok());
                let text = text.ok_or_else(|| self.refuse(raw))?;
                Ok(Value::Text(text.to_owned()))
            }
            Self::Redis | Self::Database | Self::Tokens | Self::Secret => self.secret(raw),
            Self::Schedule => {
                let text = text(raw).ok_or_else(|| self.refuse(raw))?;
                let wrong = Schedule::parse(text, "UTC", SystemClock.wall_ms()).err();
                match wrong {
                    Some(wrong) => Err(format!("expected {self}; {wrong}")),
                    None => Ok(Value::Text(text.to_owned())),
                }
            }
            Self::Choice(_)
            | Self::TimeZone
            | Self::Text
            | Self::Path
            | Self::File
            | Self::Listen
            | Self::ListenOrOff
            | Self::LogLevel
            | Self::Hosts
            | Self::Prefix => {
                let text = text(raw).filter(|text| self.is_right(text));
                let text = text.ok_or_else(|| self.refuse(raw))?;
                Ok(Value::Text(text.to_owned()))
            }
        }
    }

    fn flag(self, raw: &Raw) -> Result<Value, String> {
        match raw {
            Raw::Flag(it) => Ok(Value::Flag(*it)),
            Raw::Word(text) if text == "true" => Ok(Value::Flag(true)),
            Raw::Word(text) if text == "false" => Ok(Value::Flag(false)),
            Raw::Text(_)
            | Raw::Word(_)
            | Raw::Integer(_)
            | Raw::Float(_)
            | Raw::List(_)
            | Raw::Other(_) => Err(self.refuse(raw)),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other kinds are no lists of names"
    )]
    fn list(self, raw: &Raw) -> Result<Value, String> {
        let items: Option<Vec<String>> = match raw {
            Raw::List(items) => items.iter().map(|it| text(it).map(str::to_owned)).collect(),
            Raw::Word(text) => Some(separated(text)),
            Raw::Text(_) | Raw::Integer(_) | Raw::Float(_) | Raw::Flag(_) | Raw::Other(_) => None,
        };
        let items = items.ok_or_else(|| self.refuse(raw))?;
        if let Self::Choices(known) = self
            && let Some(odd) = items.iter().find(|item| !known.contains(&item.as_str()))
        {
            let meant = super::suggest::nearest(odd, known.iter().copied());
            let meant = meant.map_or_else(String::new, |it| format!("; did you mean {it}?"));
            return Err(format!(
                "expected {self}; found {}{meant}",
                redact::quoted(odd)
            ));
        }
        if items.iter().any(String::is_empty) {
            return Err(format!("expected {self}; found an empty name"));
        }
        let is_odd = |item: &&String| match self {
            Self::Names => Names::new([item]).is_err(),
            Self::Origins => item.parse::<Origin>().is_err(),
            Self::Networks => item.parse::<Network>().is_err(),
            Self::Tables => !item.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
            _ => false,
        };
        if let Some(odd) = items.iter().find(is_odd) {
            return Err(format!("expected {self}; found {}", redact::quoted(odd)));
        }
        Ok(Value::List(items))
    }

    /// What may be a secret is not repeated, whatever is wrong with it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other texts are as right as any"
    )]
    fn secret(self, raw: &Raw) -> Result<Value, String> {
        let joined;
        let text = match (self, raw) {
            (Self::Tokens, Raw::List(items)) => {
                let texts: Option<Vec<&str>> = items.iter().map(text).collect();
                joined = texts.ok_or_else(|| format!("expected {self}"))?.join(",");
                Some(joined.as_str())
            }
            // Blanks at its ends may be a part of a password.
            (Self::Secret, Raw::Text(text) | Raw::Word(text)) => Some(text.as_str()),
            _ => text(raw),
        };
        let text = text.ok_or_else(|| format!("expected {self}"))?;
        match self {
            Self::Secret if text.trim().is_empty() => {
                return Err(format!("expected {self}; found nothing"));
            }
            Self::Redis if text != "off" => {
                text.parse::<Address>().map_err(|error| error.to_string())?;
            }
            Self::Database => {
                text.parse::<Url>().map_err(|error| error.to_string())?;
            }
            Self::Tokens => {
                text.parse::<Tokens>().map_err(|error| error.to_string())?;
            }
            _ => {}
        }
        Ok(Value::Secret(SecretString::from(text.to_owned())))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other kinds are not told by their text"
    )]
    fn is_right(self, text: &str) -> bool {
        match self {
            Self::Choice(known) => known.contains(&text),
            Self::Listen => text.parse::<SocketAddr>().is_ok(),
            Self::ListenOrOff => text == "off" || text.parse::<SocketAddr>().is_ok(),
            Self::LogLevel => is_level(text),
            Self::Hosts => Address::of_hosts(text, 0).is_ok(),
            Self::TimeZone => time_zone(text).is_ok(),
            Self::Prefix => {
                let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '{' | '}' | '*');
                text.len() <= 128 && text.ends_with(':') && text.chars().all(is_plain)
            }
            Self::File => {
                let stem = text.strip_suffix(".sql").unwrap_or_default();
                !stem.is_empty() && !stem.starts_with('.') && !stem.contains(['/', '\\', '\0'])
            }
            Self::Path => !text.is_empty() && !text.contains('\0') && !is_content(text),
            Self::Text => !text.is_empty() && !text.contains('\0'),
            _ => true,
        }
    }

    fn refuse(self, raw: &Raw) -> String {
        if self.is_content(raw) {
            return format!("expected {self}; found what is in a file");
        }
        let mut said = format!("expected {self}; found {}", shown(raw));
        if let (Self::Choice(known), Some(text)) = (self, text(raw))
            && let Some(meant) = super::suggest::nearest(text, known.iter().copied())
        {
            said = format!("{said}; did you mean {meant}?");
        }
        said
    }

    /// Whether what was written is no path but what is in a file, such as a private key.
    pub(crate) fn is_content(self, raw: &Raw) -> bool {
        matches!(self, Self::Path) && text(raw).is_some_and(is_content)
    }

    /// Whether values of it are never shown.
    pub(crate) const fn is_secret(self) -> bool {
        matches!(
            self,
            Self::Redis | Self::Database | Self::Tokens | Self::Secret
        )
    }
}

/// What is expected, after the word "expected".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Flag => f.write_str("true or false"),
            Self::Integer { least, most } => write!(f, "a number from {least} to {most}"),
            Self::Share { most } => write!(f, "a number from 0 to {most}"),
            Self::Time { least, most } => write!(
                f,
                "a time from {} to {}, such as 100ms or 1s",
                time_text(least),
                time_text(most)
            ),
            Self::Size { least, most } => write!(
                f,
                "a size from {} to {}, such as 64MiB",
                size_text(least),
                size_text(most)
            ),
            Self::Choice(known) => f.write_str(&either(known)),
            Self::Choices(known) => write!(f, "a list of {}", either(known)),
            Self::Names => f.write_str("a list of names such as email"),
            Self::Origins => f.write_str(
                "a list of origins such as https://shop.example, in small letters, without a path and without the port that the scheme implies",
            ),
            Self::Networks => f.write_str("a list of addresses or ranges such as 10.0.0.0/8"),
            Self::Access => f.write_str("off, errors, or a share of all requests from 0 to 1"),
            Self::Tables => f.write_str("a list of tables such as shipping_rate"),
            Self::File => f.write_str("the name of a file such as shipping_rate_load.sql"),
            Self::Text | Self::Secret => f.write_str("a text"),
            Self::Path => f.write_str("a path"),
            Self::Listen => f.write_str("an address with a port, such as 127.0.0.1:8080"),
            Self::ListenOrOff => {
                f.write_str("an address with a port, such as 127.0.0.1:9091, or off")
            }
            Self::LogLevel => f.write_str(
                "a level (error, warn, info, debug, trace) or directives such as info,tingkat_redis=debug",
            ),
            Self::Schedule => {
                f.write_str("cron expressions such as 30 6 * * *, separated by `;`")
            }
            Self::TimeZone => f.write_str("a time zone such as Asia/Kuala_Lumpur"),
            Self::Hosts => f.write_str("hosts such as one:26379,two:26379"),
            Self::Prefix => f.write_str(
                "printable ASCII without braces or `*`, ending in `:`, such as shop:prod:",
            ),
            Self::Redis => {
                f.write_str("a text such as redis://user:password@host:6379/0, rediss://host or off")
            }
            Self::Database => {
                f.write_str("a text such as postgres://user:password@host/database or sqlite:path")
            }
            Self::Tokens => f.write_str("a list of texts such as write:<SHA-256 of a token>"),
        }
    }
}

impl Value {
    /// The value as it may be shown: a secret as its fingerprint.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Secret(secret) => redact::secret(secret.expose_secret()),
            Self::Text(text) => redact::urls(text).into_owned(),
            Self::List(items) => items.join(", "),
            Self::Flag(it) => it.to_string(),
            Self::Integer(it) => it.to_string(),
            Self::Share(it) => it.to_string(),
            Self::Time(it) => time_text(*it),
            Self::Size(it) => size_text(*it),
        }
    }

    /// The value as a file would have it; a secret as in [`shown`](Self::shown).
    pub(crate) fn in_toml(&self) -> String {
        match self {
            Self::Flag(_) | Self::Integer(_) => self.shown(),
            Self::Share(it) => format!("{it:?}"),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|it| format!("{it:?}")).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Text(_) | Self::Time(_) | Self::Size(_) | Self::Secret(_) => {
                format!("{:?}", self.shown())
            }
        }
    }

    /// Whether both say the same.
    pub(crate) fn says(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Secret(one), Self::Secret(two)) => one.expose_secret() == two.expose_secret(),
            (one, two) => one.shown() == two.shown(),
        }
    }
}

fn either(known: &[&str]) -> String {
    match known {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

fn is_content(text: &str) -> bool {
    text.contains(['\n', '\r']) || text.contains("-----BEGIN")
}

fn text(raw: &Raw) -> Option<&str> {
    match raw {
        Raw::Text(text) | Raw::Word(text) => Some(text.trim()),
        Raw::Integer(_) | Raw::Float(_) | Raw::Flag(_) | Raw::List(_) | Raw::Other(_) => None,
    }
}

/// A word alone would be taken for the name of a module, whose everything is logged.
fn is_level(text: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_right = |part: &str| part.contains(['=', '[']) || LEVELS.contains(&part.trim());
    text.split(',').all(is_right) && tracing_subscriber::EnvFilter::try_new(text).is_ok()
}

fn separated(text: &str) -> Vec<String> {
    let names = text.split(',').map(|name| name.trim().to_owned());
    names.collect()
}

fn integer(raw: &Raw) -> Option<u64> {
    match raw {
        Raw::Integer(it) => u64::try_from(*it).ok(),
        Raw::Word(text) => text.trim().parse().ok(),
        Raw::Text(_) | Raw::Float(_) | Raw::Flag(_) | Raw::List(_) | Raw::Other(_) => None,
    }
}

fn float(raw: &Raw) -> Option<f64> {
    match raw {
        Raw::Float(it) => Some(*it),
        Raw::Integer(it) => u32::try_from(*it).ok().map(f64::from),
        Raw::Word(text) => text.trim().parse().ok(),
        Raw::Text(_) | Raw::Flag(_) | Raw::List(_) | Raw::Other(_) => None,
    }
}

fn shown(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) | Raw::Word(text) => redact::quoted(text),
        Raw::Integer(it) => it.to_string(),
        Raw::Float(it) => it.to_string(),
        Raw::Flag(it) => it.to_string(),
        Raw::List(_) => "a list".to_owned(),
        Raw::Other(what) => (*what).to_owned(),
    }
}
