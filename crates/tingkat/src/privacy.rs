//! Fields that must never reach the remote tier: by their names, wherever they stand in a value.
//!
//! Names are compared word by word, so that `customer_email`, `customerEmail` and `E-Mail` are
//! e-mail addresses, and `postcode` and `card_count` are neither posts nor cards. Keys and deps are
//! not fields: they reach the remote tier as they are, so nothing should be found by an address.

mod codec;
mod names;
mod packed;
mod shape;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::codec::Private;
use crate::codec::Codec;

pub(crate) use codec::{Stripped, is_withheld};
pub use names::{NameError, Names, USUAL};

/// What is done with an entity that has such a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPrivate {
    /// A value with the field does not reach the remote tier.
    #[default]
    Refuse,
    /// The field is taken out of what is loaded, so that every tier of every node has the same. The
    /// type must be able to do without it: an `Option`, or `#[serde(default)]`.
    Strip,
}

/// A field of a type that is private.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateField {
    /// Where it is: `customer.email`.
    pub path: String,
    /// The name in the list that it goes by.
    pub name: String,
    /// The type can not be read without it, so it can not be stripped.
    pub is_required: bool,
}

/// The encoding of [`Builder::privacy`](crate::cache::Builder::privacy): MessagePack without private
/// fields.
pub fn codec<V>(names: &Arc<Names>, on_private: OnPrivate) -> Arc<dyn Codec<V>>
where
    V: Serialize + DeserializeOwned + 'static,
{
    Arc::new(Private::new(Arc::clone(names), on_private))
}

/// The private fields of a type, as far as the type tells.
///
/// What has no field names before there is a value (maps, JSON, flattened and untagged parts) is
/// judged value by value as it is written.
pub fn fields_of<V: DeserializeOwned>(names: &Names) -> Vec<PrivateField> {
    shape::private_fields::<V>(names)
}
