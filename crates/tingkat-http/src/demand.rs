//! How current an answer a request wants: `Cache-Control`, and the token of a write.
//!
//! `no-cache` and `max-age=0` mean "validated by a poll of the change log that was sent after the
//! request", never a forced load.

use std::time::Duration;

use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, header};
use tingkat::error::GetErrorKind;
use tingkat::ports::Written;
use tingkat::{Node, Options};

use crate::problem::{Code, Problem, shortened};

/// The header with the token of a write, in answers and in requests.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("tingkat-position");

/// What a request wants beyond a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    options: Options,
    at_least: Option<Token>,
}

/// A transaction whose writes the answer must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// As an answer to a write has it.
    Whole(Written),
    /// As `SELECT pg_current_xact_id()` gives it: of the present incarnation.
    Bare(u64),
}

impl Demand {
    /// What the headers of a request say.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            options: options(headers),
            at_least: token(headers)?,
        })
    }

    /// The options of the look-ups, once the node has seen what the request wants to be shown.
    pub(crate) async fn settle(self, node: &Node) -> Result<Options, Problem> {
        let Some(token) = self.at_least else {
            return Ok(self.options);
        };
        let incarnation = node.feed().and_then(|feed| feed.incarnation);
        let (Some(present), token) = (incarnation, token) else {
            // Nothing is known of any log: what is validated from now on shows every write so far.
            return Ok(self.options.validated());
        };
        let written = match token {
            Token::Whole(written) => written,
            Token::Bare(xid) => Written {
                incarnation: present,
                xid,
            },
        };
        if node.catch_up(written).await {
            Ok(self.options)
        } else {
            Err(Problem::from_kind(GetErrorKind::NotCurrent))
        }
    }
}

/// A token as the header has it.
pub(crate) fn position(written: Written) -> HeaderValue {
    let text = format!("{}:{}", written.incarnation, written.xid);
    // Digits and a colon are always a header value.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// How current an answer the directives of a request want.
pub(crate) fn options(headers: &HeaderMap) -> Options {
    let mut options = Options::default();
    let mut max_age: Option<Duration> = None;
    let directives = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let age = match name.trim().to_ascii_lowercase().as_str() {
            "no-cache" => Duration::ZERO,
            "max-age" => seconds(value),
            "only-if-cached" => {
                options = options.only_if_cached();
                continue;
            }
            // Directives that a cache does not know are ignored (RFC 9111, 5.2.3).
            _ => continue,
        };
        max_age = Some(max_age.map_or(age, |known| known.min(age)));
    }
    match max_age {
        Some(age) => options.max_age(age),
        None => options,
    }
}

/// What can not be read asks for the most: an age of zero.
fn seconds(text: &str) -> Duration {
    let digits = text.trim().trim_matches('"');
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Duration::ZERO;
    }
    // More digits than fit are for ever (RFC 9111, 1.2.2).
    Duration::from_secs(digits.parse().unwrap_or(1 << 31))
}

fn token(headers: &HeaderMap) -> Result<Option<Token>, Problem> {
    let mut values = headers.get_all(POSITION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let found = String::from_utf8_lossy(value.as_bytes());
    let token = values
        .next()
        .is_none()
        .then(|| read(found.trim()))
        .flatten();
    token.map(Some).ok_or_else(|| {
        Problem::new(
            Code::PositionMalformed,
            format!(
                "found {:?}; `Tingkat-Position` is given once, as the answer to a write has it \
                 (`<incarnation>:<xid>`), or as the number that `SELECT pg_current_xact_id()` gives",
                shortened(&found)
            ),
        )
    })
}

fn read(text: &str) -> Option<Token> {
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    };
    match text.split_once(':') {
        Some((incarnation, xid)) => Some(Token::Whole(Written {
            incarnation: incarnation.parse().ok()?,
            xid: number(xid)?,
        })),
        None => number(text).map(Token::Bare),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: &str = "0123456789abcdef0123456789abcdef";

    fn demand(headers: &[(HeaderName, &str)]) -> Result<Demand, Problem> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        Demand::of(&map)
    }

    fn wanted(values: &[&str]) -> Options {
        let headers: Vec<_> = values
            .iter()
            .map(|it| (header::CACHE_CONTROL, *it))
            .collect();
        demand(&headers).unwrap().options
    }

    #[test]
    fn directives_become_options_and_the_strictest_counts() {
        let usual = Options::default();
        let seconds = |count| usual.max_age(Duration::from_secs(count));
        assert_eq!(wanted(&[]), usual);
        assert_eq!(wanted(&["no-store, max-stale=5, foo", ""]), usual);
        assert_eq!(wanted(&["no-cache"]), usual.validated());
        assert_eq!(wanted(&["Max-Age=0"]), usual.validated());
        assert_eq!(wanted(&["max-age=5"]), seconds(5));
        assert_eq!(wanted(&[" max-age = \"5\" "]), seconds(5));
        assert_eq!(wanted(&["max-age=5", "max-age=3, max-age=9"]), seconds(3));
        assert_eq!(wanted(&["max-age=9, no-cache"]), usual.validated());
        assert_eq!(wanted(&["only-if-cached"]), usual.only_if_cached());
        let both = usual.validated().only_if_cached();
        assert_eq!(wanted(&["only-if-cached, no-cache"]), both);
    }

    #[test]
    fn an_age_that_can_not_be_read_asks_for_the_most() {
        for text in [
            "max-age",
            "max-age=",
            "max-age=x",
            "max-age=-1",
            "max-age=+1",
        ] {
            assert_eq!(wanted(&[text]), Options::default().validated(), "{text}");
        }
        let for_ever = wanted(&["max-age=99999999999999999999999"]);
        assert_eq!(
            for_ever,
            Options::default().max_age(Duration::from_secs(1 << 31))
        );
    }

    #[test]
    fn a_token_is_whole_or_bare_and_nothing_else() {
        let token = |text: &str| demand(&[(POSITION, text)]).map(|it| it.at_least);
        let written = Written {
            incarnation: LIFE.parse().unwrap(),
            xid: 77,
        };
        assert_eq!(
            token(&format!("{LIFE}:77")),
            Ok(Some(Token::Whole(written)))
        );
        assert_eq!(token("77"), Ok(Some(Token::Bare(77))));
        assert_eq!(position(written).to_str().unwrap(), format!("{LIFE}:77"));
        let wrong = [
            "",
            ":",
            "x",
            "+7",
            "-7",
            "7:7",
            "99999999999999999999999",
            &format!("{LIFE}:"),
            &format!("{LIFE}:7:7"),
            &LIFE.to_uppercase(),
            &"7".repeat(500),
        ];
        for text in wrong {
            let code = token(text).unwrap_err().code();
            assert_eq!(code, Code::PositionMalformed, "{text}");
        }
        let twice = [(POSITION, "7"), (POSITION, "8")];
        assert!(demand(&twice).is_err());
    }
}
