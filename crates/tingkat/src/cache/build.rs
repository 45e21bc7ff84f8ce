//! Setting up a cache.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, Shared};
use crate::certificate::Dep;
use crate::codec::{Codec, MessagePack};
use crate::entity::Entity;
use crate::error::SourceError;
use crate::key::{Key, KeySpace};
use crate::node::Node;
use crate::policy::{Placement, Policy};
use crate::ports::{Batch, Found, Loaded, Source, Wanted};
use crate::privacy::{self, Names, OnPrivate, Stripped};
use crate::registry::Registered;

/// Sets up a [`Cache`].
pub struct Builder<K, V> {
    name: &'static str,
    schema: u32,
    policy: Policy,
    node: Option<Node>,
    source: Option<Arc<dyn Source<K, V>>>,
    codec: Option<Arc<dyn Codec<V>>>,
    /// Values lose their private fields on their way from the source; which those are.
    strips: Option<u32>,
    weigh: Weigh<V>,
    deps: Deps<V>,
}

/// Bytes that a value takes in memory.
pub(crate) enum Weigh<V> {
    /// Its own size and that of its encoding, which the function finds where nobody else has.
    Encoding(Arc<dyn Fn(&V) -> usize + Send + Sync>),
    /// What the function says.
    Told(Arc<dyn Fn(&V) -> usize + Send + Sync>),
}

impl<V> Weigh<V> {
    /// The bytes of a value, whose encoding has `encoded` if that is known already.
    pub(crate) fn bytes(&self, value: &V, encoded: Option<usize>) -> usize {
        match (self, encoded) {
            (Self::Encoding(_), Some(encoded)) => size_of::<V>() + encoded,
            (Self::Encoding(encode), None) => size_of::<V>() + encode(value),
            (Self::Told(tell), _) => tell(value),
        }
    }
}

/// What a value shows besides its own key.
pub(crate) type Deps<V> = Arc<dyn Fn(&V) -> Vec<Dep> + Send + Sync>;

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// A cache of values that can be written to a remote tier.
    ///
    /// Unless [`Builder::weigher`] says otherwise a value is charged its own size and that of its
    /// encoding, which stands for what it has on the heap.
    pub fn builder(name: &'static str) -> Builder<K, V>
    where
        V: Serialize + DeserializeOwned,
    {
        let encode = |value: &V| MessagePack.encode(value).map_or(0, |bytes| bytes.len());
        Builder {
            codec: Some(Arc::new(MessagePack)),
            weigh: Weigh::Encoding(Arc::new(encode)),
            ..Self::memory_builder(name)
        }
    }

    /// A cache of values that stay in memory, whatever they are. `weigher` should be told what a
    /// value has on the heap.
    pub fn memory_builder(name: &'static str) -> Builder<K, V> {
        Builder {
            name,
            schema: 1,
            policy: Policy::default(),
            node: None,
            source: None,
            codec: None,
            strips: None,
            weigh: Weigh::Told(Arc::new(|_| size_of::<V>())),
            deps: Arc::new(|_| Vec::new()),
        }
    }
}

impl<E: Entity> Cache<E::Key, E> {
    /// A cache of an entity, as the entity describes itself.
    pub fn of_entity() -> Builder<E::Key, E> {
        Builder {
            name: E::NAME,
            schema: E::SCHEMA,
            policy: E::policy(),
            node: None,
            source: None,
            codec: Some(Arc::new(MessagePack)),
            strips: None,
            weigh: Weigh::Told(Arc::new(E::memory_size)),
            deps: Arc::new(E::deps),
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Builder<K, V> {
    /// The node that the cache belongs to; without one it gets a node of its own, without a remote tier.
    pub fn node(mut self, node: &Node) -> Self {
        self.node = Some(node.clone());
        self
    }

    /// Where values come from.
    pub fn source(mut self, source: Arc<dyn Source<K, V>>) -> Self {
        self.source = Some(source);
        self
    }

    /// Where values come from, one key at a time.
    pub fn load<F, L>(self, load: F) -> Self
    where
        F: Fn(K) -> L + Send + Sync + 'static,
        L: Future<Output = Result<Loaded<V>, SourceError>> + Send + 'static,
    {
        self.source(Arc::new(OneByOne(load)))
    }

    /// For how long values are kept, how they are refreshed, how the source is protected.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The version of the stored shape.
    pub const fn schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// Another encoding for the remote tier. It takes the place of [`privacy`](Self::privacy), which
    /// knows MessagePack alone.
    pub fn codec(mut self, codec: Arc<dyn Codec<V>>) -> Self {
        self.codec = Some(codec);
        self.strips = None;
        self
    }

    /// Fields that never reach the remote tier. Whether the type has any is told beforehand by
    /// [`privacy::fields_of`](crate::privacy::fields_of).
    pub fn privacy(mut self, names: &Arc<Names>, on_private: OnPrivate) -> Self
    where
        V: Serialize + DeserializeOwned,
    {
        self.codec = Some(privacy::codec(names, on_private));
        self.strips = (on_private == OnPrivate::Strip).then(|| names.fingerprint());
        self
    }

    /// Another encoding, which leaves the fields with these names out: they are taken out of what is
    /// loaded, as with [`OnPrivate::Strip`], so that no tier has them.
    pub fn stripped_by(mut self, codec: Arc<dyn Codec<V>>, names: &Names) -> Self {
        self.codec = Some(codec);
        self.strips = Some(names.fingerprint());
        self
    }

    /// Bytes that a value takes in memory, its own size included.
    pub fn weigher(mut self, weigh: impl Fn(&V) -> usize + Send + Sync + 'static) -> Self {
        self.weigh = Weigh::Told(Arc::new(weigh));
        self
    }

    /// What a value shows besides its own key: rows, sets, tags.
    pub fn deps(mut self, deps: impl Fn(&V) -> Vec<Dep> + Send + Sync + 'static) -> Self {
        self.deps = Arc::new(deps);
        self
    }

    /// The cache, registered with its node.
    pub fn build(self) -> Cache<K, V> {
        let node = self.node.unwrap_or_default();
        let mut policy = self.policy;
        if self.codec.is_none() && policy.placement == Placement::Both {
            policy.placement = Placement::Memory;
        }
        // What was written with other fields in it, before or by another release, is not read.
        let schema = self.schema ^ self.strips.unwrap_or_default();
        let source = match (self.source, &self.codec) {
            (Some(source), Some(codec)) if self.strips.is_some() => {
                let codec = Arc::clone(codec);
                Some(Arc::new(Stripped { source, codec }) as Arc<dyn Source<K, V>>)
            }
            (source, _) => source,
        };
        let space = KeySpace::new(&node.0.prefix, self.name, schema);
        let cache = Cache(Arc::new(Shared::new(
            node, self.name, space, policy, source, self.codec, self.weigh, self.deps,
        )));
        let registered: Arc<dyn Registered> = Arc::<Shared<K, V>>::clone(&cache.0);
        cache.0.node.registry().add(Arc::downgrade(&registered));
        cache
    }
}

impl<K, V> fmt::Debug for Builder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A closure per key as a source of batches.
struct OneByOne<F>(F);

impl<K, V, F, L> Source<K, V> for OneByOne<F>
where
    K: Key,
    V: Send + Sync + 'static,
    F: Fn(K) -> L + Send + Sync + 'static,
    L: Future<Output = Result<Loaded<V>, SourceError>> + Send + 'static,
{
    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<K, V>],
    ) -> BoxFuture<'a, Result<Batch<V>, SourceError>> {
        let loads = wanted.iter().map(|wanted| (self.0)(wanted.key.clone()));
        Box::pin(async move {
            let loaded = join_all(loads)
                .await
                .into_iter()
                .map(|result| result.unwrap_or_else(|error| Loaded::new(Found::Failed(error))))
                .collect();
            Ok(Batch {
                certificate: None,
                loaded,
            })
        })
    }
}
