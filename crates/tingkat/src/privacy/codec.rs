//! Values on their way into the tiers without what may not get there.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::packed::Unjudged;
use super::{Names, OnPrivate, packed, shape};
use crate::codec::{Codec, CodecError, MessagePack};
use crate::error::SourceError;
use crate::ports::{Batch, Found, Loaded, Source, Wanted};

/// [`MessagePack`] that writes no private field, whatever the type says about itself.
pub(crate) struct Private<V> {
    names: Arc<Names>,
    then: OnPrivate,
    /// The verdicts on the names that the type tells: most values have no others.
    known: HashMap<&'static str, bool>,
    value: PhantomData<fn() -> V>,
}

impl<V: DeserializeOwned> Private<V> {
    pub(crate) fn new(names: Arc<Names>, then: OnPrivate) -> Self {
        let fields = shape::fields::<V>().into_iter();
        Self {
            known: fields.map(|name| (name, names.has(name))).collect(),
            names,
            then,
            value: PhantomData,
        }
    }

    fn is_private(&self, name: &str) -> bool {
        let known = self.known.get(name).copied();
        known.unwrap_or_else(|| self.names.has(name))
    }
}

impl<V: Serialize + DeserializeOwned + 'static> Codec<V> for Private<V> {
    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError> {
        let bytes = MessagePack.encode(value)?;
        let is_private = |name: &str| self.is_private(name);
        match self.then {
            OnPrivate::Refuse => packed::refuse(&bytes, &is_private).map(|()| bytes),
            OnPrivate::Strip => packed::strip(bytes, &is_private),
        }
        .map_err(CodecError::new)
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError> {
        MessagePack.decode(bytes)
    }
}

/// Whether a value has no encoding because of a private field.
pub(crate) fn is_withheld(error: &CodecError) -> bool {
    matches!(error.cause(), Some(Unjudged::Private(_)))
}

/// A source whose values have lost their private fields, so that an answer is the same whichever
/// tier it comes from.
pub(crate) struct Stripped<K, V> {
    pub(crate) source: Arc<dyn Source<K, V>>,
    pub(crate) codec: Arc<dyn Codec<V>>,
}

impl<K, V: Send + 'static> Stripped<K, V> {
    fn strip(&self, found: Found<V>) -> Found<V> {
        match found {
            Found::Value(value) => self
                .without(&value)
                .map_or_else(Found::Failed, Found::Value),
            Found::Uncached(Some(value)) => self
                .without(&value)
                .map_or_else(Found::Failed, |value| Found::Uncached(Some(value))),
            Found::Uncached(None) | Found::Absent | Found::NotModified | Found::Failed(_) => found,
        }
    }

    fn without(&self, value: &V) -> Result<V, SourceError> {
        let bytes = self.codec.encode(value);
        let stripped = bytes.and_then(|bytes| self.codec.decode(&bytes));
        stripped.map_err(|error| {
            SourceError::fatal("a value can not do without its private fields").caused_by(error)
        })
    }
}

impl<K, V> Source<K, V> for Stripped<K, V>
where
    K: Sync + 'static,
    V: Send + Sync + 'static,
{
    fn certifies(&self) -> bool {
        self.source.certifies()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<K, V>],
    ) -> BoxFuture<'a, Result<Batch<V>, SourceError>> {
        Box::pin(async move {
            let batch = self.source.load(wanted).await?;
            let loaded = batch.loaded.into_iter().map(|loaded| Loaded {
                found: self.strip(loaded.found),
                ..loaded
            });
            Ok(Batch {
                certificate: batch.certificate,
                loaded: loaded.collect(),
            })
        })
    }
}
