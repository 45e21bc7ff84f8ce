//! What things of the store are called: texts of a narrow kind that are keys as well.

/// A text that can not name a thing of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} has 1 to {most} {allowed}; found {found:?}")]
pub struct NameError {
    pub(crate) what: &'static str,
    pub(crate) allowed: &'static str,
    pub(crate) most: usize,
    pub(crate) found: String,
}

/// Types of texts that name things: how long they are, and which characters they have.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $most:literal, $allowed:literal, $is_allowed:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The text.
            pub const fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::name::NameError;

            fn from_str(text: &str) -> Result<Self, $crate::name::NameError> {
                let is_allowed: fn(char) -> bool = $is_allowed;
                if text.is_empty() || text.chars().count() > $most || !text.chars().all(is_allowed) {
                    let found = text.chars().take(80).collect();
                    return Err($crate::name::NameError { what: $what, allowed: $allowed, most: $most, found });
                }
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::name::NameError;

            fn try_from(text: String) -> Result<Self, $crate::name::NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl tingkat::key::Key for $name {
            fn write(&self, out: &mut String) {
                out.push_str(&self.0);
            }

            fn parse(text: &str) -> Result<Self, tingkat::error::KeyError> {
                text.parse().map_err(|error: $crate::name::NameError| tingkat::error::KeyError::new(error.to_string()))
            }

            fn heap_size(&self) -> usize {
                self.0.len()
            }
        }
    )*};
}

pub(crate) use names;
