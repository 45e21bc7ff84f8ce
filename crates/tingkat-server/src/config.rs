//! What the environment says. The only module that reads it.

use std::net::{Ipv4Addr, SocketAddr};

use tingkat_redis::Address;
use tingkat_sql::{Url, UrlError};

use crate::cli::Serve;
use crate::exit::{Code, Failure};

/// Where the embedded database is unless said otherwise.
const DEFAULT_FILE: &str = "tingkat.db";
const DEFAULT_REDIS: &str = "redis://127.0.0.1:6379";
const DEFAULT_PORT: u16 = 8080;

/// What `serve` needs to know.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) source: Url,
    /// Nothing when Redis is switched off.
    pub(crate) redis: Option<Address>,
    /// Nothing for the default, which depends on the database.
    pub(crate) key_prefix: Option<String>,
}

impl Config {
    /// Reads the environment and the flags.
    pub(crate) fn load(arguments: &Serve) -> Result<Self, Failure> {
        let redis = first_of(&["TINGKAT__REDIS__URL", "REDIS_URL"])?;
        let redis = redis.unwrap_or_else(|| ("REDIS_URL", DEFAULT_REDIS.to_owned()));
        Ok(Self {
            listen: match arguments.listen {
                Some(listen) => listen,
                None => SocketAddr::from((Ipv4Addr::LOCALHOST, port()?)),
            },
            source: source()?,
            redis: match redis {
                (_, text) if text == "off" => None,
                (name, text) => Some(
                    text.parse()
                        .map_err(|error| Failure::chained(Code::Configuration, name, &error))?,
                ),
            },
            key_prefix: key_prefix()?,
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

/// The rule of the protocol that a program for tests goes without.
#[cfg(feature = "broken-rules")]
pub(crate) fn switched_off() -> Result<Option<tingkat::node::Rule>, Failure> {
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
#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]
fn first_of(names: &[&'static str]) -> Result<Option<(&'static str, String)>, Failure> {
    for &name in names {
        match std::env::var(name) {
            Ok(text) if text.is_empty() => {}
            Ok(text) => return Ok(Some((name, text))),
            Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Failure::configuration(format!("{name}: not UTF-8")));
            }
        }
    }
    Ok(None)
}
