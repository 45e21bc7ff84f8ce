//! How values become bytes for the remote tier.

use std::error::Error as StdError;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a value could not be written or read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(Arc<dyn StdError + Send + Sync>);

impl CodecError {
    /// Keeps the encoder's own error.
    pub fn new(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }

    /// The encoder's own error, if it is of this type.
    pub(crate) fn cause<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

/// Turns values into bytes and back.
pub trait Codec<V>: Send + Sync + 'static {
    /// The bytes of a value.
    ///
    /// # Errors
    /// When the value has no encoding.
    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError>;

    /// The value of bytes.
    ///
    /// # Errors
    /// When the bytes are of another shape.
    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError>;
}

/// MessagePack with field names, so that a struct that gained a field still reads old bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

impl<V: Serialize + DeserializeOwned> Codec<V> for MessagePack {
    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError> {
        rmp_serde::to_vec_named(value).map_err(CodecError::new)
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError> {
        rmp_serde::from_slice(bytes).map_err(CodecError::new)
    }
}
