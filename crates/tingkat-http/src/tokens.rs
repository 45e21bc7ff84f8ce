//! Who may write: tokens that are known by their hashes alone.
//!
//! A token is compared in constant time and stands in no log, error or answer.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::problem::{Code, Problem};

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look-ups, where they are not for everybody; every other token opens them as well.
    Read,
    /// Writing products.
    Write,
    /// Operating the caches.
    Operate,
}

impl Scope {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Operate => "operate",
        }
    }
}

/// The tokens that are accepted. Clones share them, so that they can be replaced while requests are
/// answered.
#[derive(Clone, Default)]
pub struct Tokens(Arc<RwLock<Arc<Known>>>);

/// What each token opens, and its SHA-256.
type Known = [(Scope, [u8; 32])];

/// A text that is no list of tokens. It is not repeated, because it may hold a token in plain text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {entry}: expected `read:`, `write:` or `operate:` and the SHA-256 of a token in 64 hexadecimal digits, \
     separated by commas, such as write:2c26b46b…266e7ae; `printf %s \"$TOKEN\" | sha256sum` prints it"
)]
pub struct TokensError {
    entry: usize,
}

impl Tokens {
    /// One more token, in plain text.
    pub fn with(self, scope: Scope, token: &str) -> Self {
        let one = (scope, digest(token));
        Self::of(self.known().iter().copied().chain([one]))
    }

    fn of(known: impl IntoIterator<Item = (Scope, [u8; 32])>) -> Self {
        Self(Arc::new(RwLock::new(known.into_iter().collect())))
    }

    /// From now on those of `other` are accepted, by every clone, and no others.
    pub fn replace(&self, other: &Self) {
        let new = other.known();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is none: nobody may write.
    pub fn is_empty(&self) -> bool {
        self.known().is_empty()
    }

    /// Whether there is a token for exactly this.
    pub fn has(&self, scope: Scope) -> bool {
        self.known().iter().any(|(granted, _)| *granted == scope)
    }

    /// Who holds the token of an `Authorization`, if it is one of these.
    pub(crate) fn holder(&self, authorization: &HeaderValue) -> Option<Holder> {
        let known = self.known();
        if known.is_empty() {
            return None;
        }
        let digest = digest(token(authorization)?);
        // All of them, so that the time tells nothing about which one matched.
        let mut scope = None;
        for (granted, known) in known.iter() {
            if known.ct_eq(&digest).into() {
                scope = Some(*granted).max(scope);
            }
        }
        let (fingerprint, _) = digest.split_first_chunk()?;
        scope.map(|scope| Holder {
            scope,
            fingerprint: *fingerprint,
        })
    }

    /// Lets a look-up pass: always, unless there is a token for look-ups.
    pub(crate) fn check_look_up(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.guard_look_ups() {
            self.check(headers, Scope::Read)
        } else {
            Ok(())
        }
    }

    /// Whether look-ups are for those alone who bring a token.
    pub(crate) fn guard_look_ups(&self) -> bool {
        self.has(Scope::Read)
    }

    /// Lets a request pass that brings a token for `scope` as `Authorization: Bearer`.
    pub(crate) fn check(&self, headers: &HeaderMap, scope: Scope) -> Result<(), Problem> {
        let known = self.known();
        if known.is_empty() {
            return Err(Problem::new(
                Code::TokensUnset,
                "no tokens are configured, so nobody may write; set TINGKAT__SERVER__TOKENS",
            ));
        }
        let required = || {
            let name = scope.name();
            let detail = format!("this needs `Authorization: Bearer` with a token for `{name}`");
            Problem::new(Code::TokenRequired, detail)
        };
        let digest = digest(bearer(headers).ok_or_else(required)?);
        let (mut is_known, mut opens) = (Choice::from(0), Choice::from(0));
        // All of them, so that the time tells nothing about which one matched.
        for (granted, known) in known.iter() {
            let is_this = known.ct_eq(&digest);
            let is_enough = scope == Scope::Read || *granted == scope;
            is_known |= is_this;
            opens |= is_this & Choice::from(u8::from(is_enough));
        }
        if opens.into() {
            return Ok(());
        }
        if is_known.into() {
            let name = scope.name();
            let detail = format!("the token is not for `{name}`");
            return Err(Problem::new(Code::TokenScope, detail));
        }
        Err(required())
    }
}

/// Whose token it is, as far as that may be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// What it opens; the widest if it is in the list twice.
    pub(crate) scope: Scope,
    /// The first half of its hash: tells tokens apart.
    pub(crate) fingerprint: [u8; 16],
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    token(headers.get(header::AUTHORIZATION)?)
}

fn token(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl FromStr for Tokens {
    type Err = TokensError;

    fn from_str(text: &str) -> Result<Self, TokensError> {
        text.split(',')
            .enumerate()
            .map(|(index, entry)| read(entry.trim()).ok_or(TokensError { entry: index + 1 }))
            .collect::<Result<Vec<_>, _>>()
            .map(Self::of)
    }
}

fn read(entry: &str) -> Option<(Scope, [u8; 32])> {
    let (scope, hex) = entry.split_once(':')?;
    let scope = [Scope::Read, Scope::Write, Scope::Operate]
        .into_iter()
        .find(|it| it.name() == scope)?;
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some((scope, digest))
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.known().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of `foo`, from another program.
    const FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    fn code(tokens: &Tokens, authorization: &str, scope: Scope) -> Option<Code> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_str(authorization).unwrap(),
        );
        tokens.check(&headers, scope).err().map(|it| it.code())
    }

    #[test]
    fn a_token_opens_what_it_is_for_and_nothing_else() {
        let tokens: Tokens = format!("write:{FOO}").parse().unwrap();
        let tokens = tokens.with(Scope::Operate, "bar");
        assert_eq!(code(&tokens, "Bearer foo", Scope::Write), None);
        assert_eq!(code(&tokens, "bearer  foo", Scope::Write), None);
        assert_eq!(code(&tokens, "Bearer bar", Scope::Operate), None);
        let scope = Some(Code::TokenScope);
        assert_eq!(code(&tokens, "Bearer bar", Scope::Write), scope);
        for wrong in ["Bearer fo", "Bearer ", "Bearer", "Basic foo", "foo", ""] {
            let required = Some(Code::TokenRequired);
            assert_eq!(code(&tokens, wrong, Scope::Write), required, "{wrong}");
        }
        let unset = Some(Code::TokensUnset);
        assert_eq!(code(&Tokens::default(), "Bearer foo", Scope::Write), unset);
    }

    #[test]
    fn look_ups_are_for_everybody_until_there_is_a_token_for_them() {
        let ask = |tokens: &Tokens, token: &str| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            headers.insert(header::AUTHORIZATION, value);
            tokens.check_look_up(&headers).err().map(|it| it.code())
        };
        let tokens = Tokens::default().with(Scope::Write, "foo");
        assert_eq!(ask(&tokens, "baz"), None);
        let tokens = tokens.with(Scope::Read, "bar");
        assert_eq!(ask(&tokens, "foo"), None);
        assert_eq!(ask(&tokens, "bar"), None);
        assert_eq!(ask(&tokens, "baz"), Some(Code::TokenRequired));
        assert_eq!(
            code(&tokens, "Bearer bar", Scope::Write),
            Some(Code::TokenScope)
        );
    }

    #[test]
    fn a_token_that_is_known_has_a_scope_and_another_has_none() {
        let tokens = Tokens::default().with(Scope::Write, "foo");
        let tokens = tokens.with(Scope::Operate, "foo").with(Scope::Read, "bar");
        let holder = |text: &'static str| tokens.holder(&HeaderValue::from_static(text));
        let (foo, bar) = (holder("Bearer foo").unwrap(), holder("bearer bar").unwrap());
        assert_eq!(foo.scope, Scope::Operate);
        assert_eq!(bar.scope, Scope::Read);
        assert_ne!(foo.fingerprint, bar.fingerprint);
        for wrong in ["Bearer fo", "Basic foo", "Bearer", ""] {
            assert_eq!(holder(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn replaced_tokens_are_those_of_every_clone() {
        let tokens = Tokens::default().with(Scope::Write, "old");
        let served = tokens.clone();
        tokens.replace(&Tokens::default().with(Scope::Write, "new"));
        assert_eq!(code(&served, "Bearer new", Scope::Write), None);
        let required = Some(Code::TokenRequired);
        assert_eq!(code(&served, "Bearer old", Scope::Write), required);
    }

    #[test]
    fn a_malformed_list_is_refused_without_repeating_it() {
        for entry in ["", "foo", "write:hunter2", "read:hunter2", "write"] {
            let text = format!("operate:{FOO},{entry}");
            let error = text.parse::<Tokens>().unwrap_err();
            assert_eq!(error, TokensError { entry: 2 });
            assert!(!error.to_string().contains("hunter2"));
        }
        let umlaut = format!("write:{}é", &FOO[..62]);
        assert!(umlaut.parse::<Tokens>().is_err());
        let shown = format!("{:?}", Tokens::default().with(Scope::Write, "hunter2"));
        assert_eq!(shown, "1 tokens");
    }
}
