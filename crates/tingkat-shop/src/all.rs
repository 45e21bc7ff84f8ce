//! The key of an entity of which there is one entry.

use tingkat::error::KeyError;
use tingkat::key::Key;

/// The key of the one entry that has all things of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct All;

impl Key for All {
    fn write(&self, out: &mut String) {
        out.push_str("all");
    }

    fn parse(text: &str) -> Result<Self, KeyError> {
        if text == "all" {
            Ok(Self)
        } else {
            Err(KeyError::new("the only key is `all`"))
        }
    }
}
