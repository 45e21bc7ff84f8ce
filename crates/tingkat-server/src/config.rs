//! What the environment says. The only module that reads it.

mod redis;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::SignedDuration;
use tingkat_http::{Tokens, TokensError};
use tingkat_sql::{Url, UrlError};

use crate::cli::Serve;
use crate::exit::{Code, Failure};

/// Where the embedded database is unless said otherwise.
const DEFAULT_FILE: &str = "tingkat.db";
const DEFAULT_PORT: u16 = 8080;

/// What `serve` needs to know.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) source: Url,
    /// Nothing when Redis is switched off.
    pub(crate) redis: Option<tingkat_redis::Config>,
    /// What one request may spend on Redis.
    pub(crate) redis_budget: Duration,
    /// Nothing for the default, which depends on the database.
    pub(crate) key_prefix: Option<String>,
    pub(crate) feed: Feed,
    pub(crate) tokens: Tokens,
    /// Whether this is a developer's machine.
    pub(crate) is_development: bool,
    /// A rule of the protocol that a program for tests goes without.
    #[cfg(feature = "broken-rules")]
    pub(crate) switched_off: Option<tingkat::node::Rule>,
}

/// How the change log is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) poll_interval: Duration,
    pub(crate) staleness_bound: Duration,
    /// How often it is looked whether the log is whole.
    pub(crate) check_interval: Duration,
}

impl Config {
    /// Reads the environment and the flags.
    pub(crate) fn load(arguments: &Serve) -> Result<Self, Failure> {
        Ok(Self {
            listen: match arguments.listen {
                Some(listen) => listen,
                None => SocketAddr::from((Ipv4Addr::LOCALHOST, port()?)),
            },
            source: source()?,
            redis: redis::load()?,
            redis_budget: redis_budget()?,
            key_prefix: key_prefix()?,
            feed: Feed::load()?,
            tokens: tokens()?,
            is_development: is_development()?,
            #[cfg(feature = "broken-rules")]
            switched_off: switched_off()?,
        })
    }
}

/// The database that `DATABASE_URL` names, or the embedded one.
pub(crate) fn source() -> Result<Url, Failure> {
    match first_of(&["TINGKAT__SOURCE__URL", "DATABASE_URL"])? {
        Some((name, text)) => text
            .parse()
            .map_err(|error: UrlError| Failure::chained(Code::Configuration, name, &error)),
        None => Ok(Url::sqlite(DEFAULT_FILE)),
    }
}

const POLL_INTERVAL: &str = "TINGKAT__FEED__POLL_INTERVAL";
const STALENESS_BOUND: &str = "TINGKAT__FEED__STALENESS_BOUND";
const CHECK_INTERVAL: &str = "TINGKAT__FEED__CHECK_INTERVAL";

impl Feed {
    fn load() -> Result<Self, Failure> {
        let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        let least = Duration::from_millis(10);
        let feed = Self {
            poll_interval: duration(POLL_INTERVAL, Duration::from_millis(100), least, hour)?,
            staleness_bound: duration(STALENESS_BOUND, second, least, hour)?,
            check_interval: duration(CHECK_INTERVAL, Duration::from_mins(1), second, hour)?,
        };
        // Between two polls that come back well there must be room for one that does not.
        if feed.staleness_bound <= feed.poll_interval * 2 {
            return Err(Failure::configuration(format!(
                "{STALENESS_BOUND}: expected more than twice {POLL_INTERVAL} ({:?}), found {:?}",
                feed.poll_interval, feed.staleness_bound
            )));
        }
        Ok(feed)
    }
}

fn duration(
    name: &'static str,
    usual: Duration,
    least: Duration,
    most: Duration,
) -> Result<Duration, Failure> {
    let Some((_, text)) = first_of(&[name])? else {
        return Ok(usual);
    };
    let parsed = text.parse::<SignedDuration>().ok();
    let duration = parsed.and_then(|it| Duration::try_from(it).ok());
    duration
        .filter(|it| (least..=most).contains(it))
        .ok_or_else(|| {
            Failure::configuration(format!(
                "{name}: expected a time from {least:?} to {most:?}, such as 100ms or 1s; found {text:?}"
            ))
        })
}

fn redis_budget() -> Result<Duration, Failure> {
    let (least, most) = (Duration::from_millis(1), Duration::from_secs(10));
    duration(
        "TINGKAT__REDIS__BUDGET",
        Duration::from_millis(50),
        least,
        most,
    )
}

fn tokens() -> Result<Tokens, Failure> {
    match first_of(&["TINGKAT__SERVER__TOKENS"])? {
        Some((name, text)) => text
            .parse()
            .map_err(|error: TokensError| Failure::chained(Code::Configuration, name, &error)),
        None => Ok(Tokens::default()),
    }
}

fn is_development() -> Result<bool, Failure> {
    let environment = first_of(&["TINGKAT_ENV"])?;
    match environment.as_ref().map(|(_, text)| text.as_str()) {
        None | Some("development") => Ok(true),
        Some("staging" | "production") => Ok(false),
        Some(other) => Err(Failure::configuration(format!(
            "TINGKAT_ENV: expected development, staging or production; found {other:?}"
        ))),
    }
}

fn port() -> Result<u16, Failure> {
    let Some((_, text)) = first_of(&["PORT"])? else {
        return Ok(DEFAULT_PORT);
    };
    text.parse().map_err(|_| {
        Failure::configuration(format!(
            "PORT: expected a number from 0 to 65535, found {text:?}"
        ))
    })
}

fn key_prefix() -> Result<Option<String>, Failure> {
    let Some((name, text)) = first_of(&["TINGKAT__REDIS__KEY_PREFIX", "REDIS_KEY_PREFIX"])? else {
        return Ok(None);
    };
    let is_right = text.ends_with(':')
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '{' | '}' | '*'));
    if is_right {
        return Ok(Some(text));
    }
    let expected = "printable ASCII without braces or `*`, ending in `:`, such as shop:prod:";
    Err(Failure::configuration(format!(
        "{name}: expected {expected}; found {text:?}"
    )))
}

/// The first of these secrets, each in its variable or in the file that the variable with `_FILE`
/// names.
fn secret(names: &[&'static str]) -> Result<Option<(&'static str, String)>, Failure> {
    for &name in names {
        let file = format!("{name}_FILE");
        let (direct, file_path) = (variable(name)?, variable(&file)?);
        if let (Some(_), Some(_)) = (&direct, &file_path) {
            return Err(Failure::configuration(format!(
                "{name} and {file}: only one of them may be set"
            )));
        }
        if let Some(text) = direct {
            return Ok(Some((name, text)));
        }
        if let Some(path) = file_path {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Failure::configuration(format!("{file}: failed to read {path}: {error}"))
            })?;
            // Editors end files with a newline.
            return Ok(Some((name, text.trim_end_matches(['\r', '\n']).to_owned())));
        }
    }
    Ok(None)
}

#[cfg(feature = "broken-rules")]
fn switched_off() -> Result<Option<tingkat::node::Rule>, Failure> {
    use tingkat::node::Rule;
    let Some((name, text)) = first_of(&["TINGKAT_SWITCH_OFF"])? else {
        return Ok(None);
    };
    Ok(Some(match text.as_str() {
        "r2" => Rule::Accept,
        "r3" => Rule::Anchor,
        "r4" => Rule::JudgeLoad,
        "r5" => Rule::Join,
        "r7" => Rule::ColdReset,
        "fold" => Rule::Fold,
        "order" => Rule::PublicationOrder,
        _ => {
            return Err(Failure::configuration(format!(
                "{name}: there is no rule {text:?}"
            )));
        }
    }))
}

/// The first of these variables that is set and not empty, with its name.
fn first_of(names: &[&'static str]) -> Result<Option<(&'static str, String)>, Failure> {
    for &name in names {
        if let Some(text) = variable(name)? {
            return Ok(Some((name, text)));
        }
    }
    Ok(None)
}

/// A variable, if it is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::configuration(format!("{name}: not UTF-8")))
        }
    }
}
