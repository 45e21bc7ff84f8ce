//! Money in minor units with its currency; never a fraction of a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// A text that is no currency code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected three capital letters such as MYR, found {found:?}")]
pub struct CurrencyError {
    found: String,
}

impl Currency {
    /// The ringgit, in sen.
    pub const MYR: Self = Self(*b"MYR");

    /// The code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        <[u8; 3]>::try_from(text.as_bytes())
            .ok()
            .filter(|code| code.iter().all(u8::is_ascii_uppercase))
            .map(Self)
            .ok_or_else(|| CurrencyError {
                found: text.chars().take(16).collect(),
            })
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;

    fn try_from(text: String) -> Result<Self, CurrencyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units (sen for MYR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: 255 is RM 2.55.
    pub amount: i64,
    /// In which currency.
    pub currency: Currency,
}

impl Money {
    /// An amount of sen.
    pub const fn sen(amount: i64) -> Self {
        Self {
            amount,
            currency: Currency::MYR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_minor_units_and_a_code() {
        let text = serde_json::to_string(&Money::sen(255)).unwrap();
        assert_eq!(text, r#"{"amount":255,"currency":"MYR"}"#);
        assert_eq!(
            serde_json::from_str::<Money>(&text).unwrap(),
            Money::sen(255)
        );
        assert!(serde_json::from_str::<Money>(r#"{"amount":1,"currency":"ringgit"}"#).is_err());
    }
}
