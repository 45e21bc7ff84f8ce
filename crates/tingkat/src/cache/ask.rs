//! The other ways to ask: with a load of one's own, for many keys, for what is there, once.

use std::future::Future;
use std::sync::Arc;

use super::{Answer, Cache, Options, Shared};
use crate::error::{ChangeError, GetError, GetErrorKind, SourceError};
use crate::key::Key;
use crate::ports::{Loaded, Written};

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// The value of a key, loaded by `load` if it is not cached; one load per key at a time.
    ///
    /// # Errors
    /// As [`look_up`](Self::look_up).
    pub async fn get_or_load<F, L>(&self, key: &K, load: F) -> Result<Option<Arc<V>>, GetError>
    where
        F: FnOnce(Option<Arc<V>>) -> L + Send + 'static,
        L: Future<Output = Result<Loaded<V>, SourceError>> + Send + 'static,
    {
        if let Some(answer) = self.hit(key, Options::default()) {
            if !self.0.loader.has_source() {
                self.0.refresh_with(key, || Shared::<K, V>::own_load(load));
            }
            return Ok(answer.into_shared());
        }
        let own = Shared::<K, V>::own_load(load);
        Box::pin(self.0.read_with(key, Options::default(), Some(own)))
            .await
            .map(Answer::into_shared)
    }

    /// Answers many keys in their order: memory for all, one round trip to the remote tier for the
    /// rest, one batch to the source for what is left. Each key has its own answer.
    pub async fn look_up_many(
        &self,
        keys: &[K],
        options: Options,
    ) -> Vec<Result<Answer<V>, GetError>> {
        Box::pin(self.0.read_many(keys, options)).await
    }

    /// The values of many keys, in their order.
    pub async fn get_many(&self, keys: &[K]) -> Vec<Result<Option<Arc<V>>, GetError>> {
        let answers = self.look_up_many(keys, Options::default()).await;
        answers
            .into_iter()
            .map(|answer| answer.map(Answer::into_shared))
            .collect()
    }

    /// The value of a key as of a transaction or later: reads what its writer wrote.
    /// A token of another incarnation, or one that the log has not given out, is ignored.
    ///
    /// # Errors
    /// As [`look_up`](Self::look_up); and [`NotCurrent`](GetErrorKind::NotCurrent) when the change
    /// log can not be asked about the token.
    pub async fn get_at_least(&self, key: &K, token: Written) -> Result<Answer<V>, GetError> {
        let started = self.0.node.0.clock.now();
        if !self.0.node.catch_up(token).await {
            let outcome = Err(GetError::new(GetErrorKind::NotCurrent));
            self.0.time_shortfall(started, &outcome);
            return outcome;
        }
        self.look_up(key, Options::default()).await
    }

    /// The value of a key, or `value` from now on if it is not cached.
    ///
    /// # Errors
    /// As [`look_up`](Self::look_up).
    pub async fn get_or_insert(&self, key: &K, value: V) -> Result<Option<Arc<V>>, GetError> {
        self.get_or_load(key, |_| async move { Ok(Loaded::value(value)) })
            .await
    }

    /// What the tiers have under a key, or `default`. Loads nothing and stores nothing.
    pub async fn get_or(&self, key: &K, default: V) -> Arc<V> {
        self.cached(key).await.unwrap_or_else(|| Arc::new(default))
    }

    /// Whether a tier has a value that a look-up would give without a load.
    pub async fn has(&self, key: &K) -> bool {
        self.cached(key).await.is_some()
    }

    /// The value once, and then no more.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn pull(&self, key: &K) -> Result<Option<Arc<V>>, ChangeError> {
        let value = self.cached(key).await;
        self.forget(key).await?;
        Ok(value)
    }

    async fn cached(&self, key: &K) -> Option<Arc<V>> {
        let options = Options::default().only_if_cached();
        self.look_up(key, options).await.ok()?.into_shared()
    }
}
