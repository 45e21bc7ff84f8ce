//! Malaysian postcodes: five digits that name a city and its state.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::error::{GetError, KeyError};
use tingkat::key::Key;
use tingkat::policy::Policy;
use tingkat::{Answer, Cache, Options};

use crate::all::All;
use crate::body::{self, Kept};
use crate::page::Page;
use crate::state::Zone;

mod index;

pub use index::{Filter, Place, PostcodeIndex};

/// Five digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code([u8; 5]);

/// A text that is no postcode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a postcode has five digits, such as 50450; found {found:?}")]
pub struct CodeError {
    found: String,
}

impl Code {
    /// The five digits.
    pub fn as_str(&self) -> &str {
        // The constructor lets only ASCII digits in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) const fn digits(self) -> [u8; 5] {
        self.0
    }

    /// From five ASCII digits.
    pub(crate) fn of_digits(digits: [u8; 5]) -> Option<Self> {
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then_some(Self(digits))
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// White space is ignored wherever it stands: shoppers copy and paste.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let wrong = || CodeError {
            found: text.chars().take(32).collect(),
        };
        let mut digits = [0_u8; 5];
        let mut slots = digits.iter_mut();
        for character in text.chars().filter(|character| !character.is_whitespace()) {
            let digit = u8::try_from(character)
                .ok()
                .filter(u8::is_ascii_digit)
                .ok_or_else(wrong)?;
            *slots.next().ok_or_else(wrong)? = digit;
        }
        if slots.next().is_some() {
            Err(wrong())
        } else {
            Ok(Self(digits))
        }
    }
}

impl TryFrom<String> for Code {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Key for Code {
    fn write(&self, out: &mut String) {
        out.push_str(self.as_str());
    }

    fn parse(text: &str) -> Result<Self, KeyError> {
        let code: Self = text
            .parse()
            .map_err(|error: CodeError| KeyError::new(error.to_string()))?;
        if code.as_str() == text {
            Ok(code)
        } else {
            Err(KeyError::new(
                "a postcode key has five digits and nothing else",
            ))
        }
    }
}

/// Where a postcode is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postcode {
    /// The five digits.
    pub code: Code,
    /// All cities that share the code, the primary one first; never empty.
    pub cities: Vec<String>,
    /// `SGR`.
    pub state_code: String,
    /// `Selangor`.
    pub state_name: String,
    /// The state's side of the sea.
    pub zone: Zone,
    /// What it is answered with.
    #[serde(skip)]
    pub body: Kept,
}

/// What the body of a postcode has that its stored form lacks, besides the primary city: `valid`,
/// `location`, and longer names.
const MORE_JSON: usize = 60;

impl Postcode {
    /// How long its body may be.
    pub fn body_bytes(&self) -> usize {
        body::json_bytes(self) + self.city().len() + MORE_JSON
    }

    /// The primary city.
    pub fn city(&self) -> &str {
        self.cities.first().map_or("", String::as_str)
    }
}

/// How postcodes and states are cached: they change a few times a year.
pub(crate) fn policy() -> Policy {
    Policy {
        fresh_for: Duration::from_hours(24),
        stale_for: Duration::from_hours(24 * 7),
        memory_bytes: 16 << 20,
        ..Policy::default()
    }
}

fn zone_tag(zone: Zone) -> Dep {
    Dep::new(format!("zone:{zone}"))
}

/// A region is what codes begin with: two digits.
fn region_tag(code: Code) -> Dep {
    let region: String = code.as_str().chars().take(2).collect();
    Dep::new(format!("region:{region}"))
}

impl Entity for Postcode {
    const NAME: &'static str = "postcode";
    const SCHEMA: u32 = 1;
    type Key = Code;

    fn policy() -> Policy {
        policy()
    }

    /// The row of its state, whose name it shows, and the tags by which an operator may forget it.
    fn deps(&self) -> Vec<Dep> {
        let mut deps = vec![
            Dep::of_key("state", &self.state_code),
            zone_tag(self.zone),
            region_tag(self.code),
        ];
        deps.extend(
            self.cities
                .iter()
                .map(|city| Dep::new(format!("city:{city}"))),
        );
        deps
    }

    fn memory_size(&self) -> usize {
        let cities: usize = self.cities.iter().map(String::capacity).sum();
        size_of::<Self>()
            + self.cities.capacity() * size_of::<String>()
            + cities
            + self.state_code.capacity()
            + self.state_name.capacity()
            + body::charge(self.body_bytes())
    }
}

/// Look-ups of postcodes.
#[derive(Clone, Debug)]
pub struct Postcodes {
    cache: Cache<Code, Postcode>,
    index: Cache<All, PostcodeIndex>,
}

impl Postcodes {
    pub(crate) const fn new(
        cache: Cache<Code, Postcode>,
        index: Cache<All, PostcodeIndex>,
    ) -> Self {
        Self { cache, index }
    }

    /// Where a postcode is; nothing for one that does not exist.
    ///
    /// # Errors
    /// As [`Cache::look_up`].
    pub async fn locate(
        &self,
        code: &Code,
        options: Options,
    ) -> Result<Answer<Postcode>, GetError> {
        self.cache.look_up(code, options).await
    }

    /// What memory has of the same, without waiting for anything; see [`Cache::hit`].
    pub fn hit(&self, code: &Code, options: Options) -> Option<Answer<Postcode>> {
        self.cache.hit(code, options)
    }

    /// The postcodes that pass a filter, ordered by code, after a code: at most `limit`. One without a
    /// value was deleted a moment ago.
    ///
    /// # Errors
    /// As [`Cache::look_up`], if the list or one of the postcodes can not be had.
    pub async fn page(
        &self,
        filter: &Filter,
        after: Option<Code>,
        limit: usize,
        options: Options,
    ) -> Result<Page<Postcode, Code>, GetError> {
        let answer = self.index.look_up(&All, options).await?;
        let (codes, more) = answer
            .value()
            .map(|index| index.page(filter, after, limit))
            .unwrap_or_default();
        let postcodes = self.cache.look_up_many(&codes, options).await;
        Ok(Page {
            items: postcodes.into_iter().collect::<Result<_, _>>()?,
            next: codes.last().copied().filter(|_| more),
            trail: answer.trail(),
        })
    }

    /// Codes that exist and may have been meant by one that does not.
    ///
    /// # Errors
    /// As [`Cache::look_up`].
    pub async fn suggest(&self, wrong: Code, options: Options) -> Result<Vec<Code>, GetError> {
        let answer = self.index.look_up(&All, options).await?;
        Ok(answer
            .value()
            .map(|index| index.suggest(wrong))
            .unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_five_digits_whatever_the_white_space() {
        for text in ["50450", " 50450 ", "50 450", "\t5 0 4 5 0\u{a0}"] {
            assert_eq!(
                text.parse::<Code>().map(|code| code.to_string()).as_deref(),
                Ok("50450")
            );
        }
        for text in ["", "5045", "504500", "5O450", "50-450", "٥٠٤٥٠", "-5045"] {
            assert!(text.parse::<Code>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_has_one_spelling() {
        assert!(<Code as Key>::parse("50450").is_ok());
        assert!(<Code as Key>::parse(" 50450").is_err());
    }
}
