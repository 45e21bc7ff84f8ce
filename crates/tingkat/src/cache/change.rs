//! What callers change: loads of their own, values put in, keys and tags forgotten.

use std::sync::Arc;
use std::time::Duration;

use super::{Answer, Cache, Options, Shared};
use crate::certificate::{Certificate, Change, ChangeKind, Dep};
use crate::error::{ChangeError, GetError, SourceError};
use crate::event::Event;
use crate::key::Key;
use crate::node::{Access, Node};
use crate::ports::{Hint, Loaded, Written};

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
    /// As [`look_up`](Self::look_up).
    pub async fn get_at_least(&self, key: &K, token: Written) -> Result<Answer<V>, GetError> {
        self.0.node.catch_up(token).await;
        self.look_up(key, Options::default()).await
    }

    /// Puts a value in, for every node.
    ///
    /// # Errors
    /// When the change log can not be written: the value is not in then.
    pub async fn insert(&self, key: &K, value: V) -> Result<(), ChangeError> {
        let shared = &self.0;
        let certificate = shared
            .node
            .commit(vec![shared.change_of(key, ChangeKind::Forget)])
            .await?;
        shared.put(key, Loaded::value(value), certificate).await;
        Ok(())
    }

    /// Removes a key from every tier of every node.
    ///
    /// # Errors
    /// When the change log can not be written: nothing is forgotten then.
    pub async fn forget(&self, key: &K) -> Result<(), ChangeError> {
        self.0
            .node
            .commit(vec![self.0.change_of(key, ChangeKind::Forget)])
            .await?;
        self.0.memory.remove(key);
        self.0.remove_remote(std::slice::from_ref(key)).await;
        Ok(())
    }

    /// Removes many keys from every tier of every node, in one transaction.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn forget_many(&self, keys: &[K]) -> Result<(), ChangeError> {
        if keys.is_empty() {
            return Ok(());
        }
        let changes = keys
            .iter()
            .map(|key| self.0.change_of(key, ChangeKind::Forget))
            .collect();
        self.0.node.commit(changes).await?;
        for key in keys {
            self.0.memory.remove(key);
        }
        self.0.remove_remote(keys).await;
        Ok(())
    }

    /// Ends a key's life on every node; its value may stand in, marked, while the source fails.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn expire(&self, key: &K) -> Result<(), ChangeError> {
        self.0
            .node
            .commit(vec![self.0.change_of(key, ChangeKind::Expire)])
            .await?;
        Ok(())
    }

    /// The value once, and then no more.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn pull(&self, key: &K) -> Result<Option<Arc<V>>, ChangeError> {
        let value = self.peek(key);
        self.forget(key).await?;
        Ok(value)
    }

    /// Removes all entries that show `tag`, of any entity on every node; one row in the change
    /// log, however many they are.
    ///
    /// # Errors
    /// As [`forget`](Self::forget), and where a remote tier is used without a change log.
    pub async fn forget_tag(&self, tag: &str) -> Result<(), ChangeError> {
        self.0.node.forget_tag(tag, ChangeKind::Forget).await
    }

    /// Ends the life of all entries that show `tag`; their values may stand in, marked.
    ///
    /// # Errors
    /// As [`forget_tag`](Self::forget_tag).
    pub async fn expire_tag(&self, tag: &str) -> Result<(), ChangeError> {
        self.0.node.forget_tag(tag, ChangeKind::Expire).await
    }

    /// Removes all keys that match a pattern with `*` at either end.
    ///
    /// # Errors
    /// As [`forget_tag`](Self::forget_tag); and when a `*` stands in the middle.
    pub async fn forget_pattern(&self, pattern: &str) -> Result<(), ChangeError> {
        let middle = pattern.strip_prefix('*').unwrap_or(pattern);
        let middle = middle.strip_suffix('*').unwrap_or(middle);
        if middle.contains('*') || pattern.is_empty() {
            return Err(ChangeError::pattern(pattern));
        }
        // A pattern is matched against the whole dep, `entity:key`.
        let open_start = pattern.starts_with('*');
        if open_start && !middle.is_empty() {
            return Err(ChangeError::pattern(pattern));
        }
        let dep = Dep::of_key(self.0.name, pattern.strip_prefix('*').unwrap_or(pattern));
        let dep = if open_start {
            Dep::of_key(self.0.name, "*")
        } else {
            dep
        };
        self.0.node.forget_shared(dep, ChangeKind::Pattern).await
    }

    /// Removes all entries of this entity from every node.
    ///
    /// # Errors
    /// As [`forget_tag`](Self::forget_tag).
    pub async fn clear(&self) -> Result<(), ChangeError> {
        self.0
            .node
            .forget_shared(Dep::of_entity(self.0.name), ChangeKind::Forget)
            .await?;
        self.0.memory.clear();
        Ok(())
    }

    /// Ends the life of all entries of this entity; their values may stand in, marked.
    ///
    /// # Errors
    /// As [`forget_tag`](Self::forget_tag).
    pub async fn expire_all(&self) -> Result<(), ChangeError> {
        self.0
            .node
            .forget_shared(Dep::of_entity(self.0.name), ChangeKind::Expire)
            .await
    }

    /// Removes from memory what has ended its life as a stale value. Nothing depends on it: such
    /// entries are never served, and make room for others anyway.
    pub fn sweep(&self) {
        let now = self.0.node.0.clock.now();
        self.0
            .memory
            .retain(|_, slot| slot.cold().is_none_or(|cold| now < cold.stale_until));
    }
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    pub(super) fn change_of(&self, key: &K, kind: ChangeKind) -> Change {
        Change {
            dep: self.space.dep(key),
            kind,
        }
    }

    /// Fills every tier with a value that a caller brought, unconditionally.
    async fn put(&self, key: &K, loaded: Loaded<V>, certificate: Option<Certificate>) {
        let policy = self.policy();
        let observed = self.node.0.knowledge.observe();
        let answered = super::load::Answered {
            loaded,
            certificate,
            sent_at: self.node.0.clock.now(),
            sent_epoch: observed.epoch,
            took: Duration::ZERO,
        };
        let Ok(filled) = self.fill(key, &policy, answered, None) else {
            return;
        };
        if let (Some((cell, life)), Some(remote)) = (filled.cell, &self.node.0.remote) {
            let (name, budget) = (self.space.cell(key), remote.budget());
            let set = remote
                .call(&self.node, &budget, Access::Write, |remote| {
                    remote.set_many(vec![(name, cell, life)])
                })
                .await;
            match set {
                Some(()) => self.stats.fills.add(1),
                None => self.stats.remote_failures.add(1),
            }
        }
    }

    /// Hygiene: with a change log the entries are refused anyway.
    pub(super) async fn remove_remote(&self, keys: &[K]) {
        let Some(remote) = &self.node.0.remote else {
            return;
        };
        let names: Vec<String> = keys.iter().map(|key| self.space.cell(key)).collect();
        let budget = remote.budget();
        let removed = remote
            .call(&self.node, &budget, Access::Write, |remote| {
                remote.remove(&names)
            })
            .await;
        if removed.is_none() {
            self.stats.remote_failures.add(1);
        }
    }
}

impl Node {
    /// Writes changes to the log; what this node knows has moved before it returns (rule R8).
    /// Returns a certificate that has seen them, if one can be had at once.
    pub(crate) async fn commit(
        &self,
        changes: Vec<Change>,
    ) -> Result<Option<Certificate>, ChangeError> {
        for change in &changes {
            self.tell(Event::Forgot {
                dep: change.dep.name(),
            });
        }
        let Some(log) = &self.0.log else {
            self.0.knowledge.append_local(&changes);
            return Ok(self.0.knowledge.cursor());
        };
        let written = log
            .append(changes.clone())
            .await
            .map_err(ChangeError::log)?;
        self.0.knowledge.own_write(written, &changes);
        self.announce(written);
        let now = self.0.clock.now();
        let is_seen = self.validate(now, self.0.knowledge.bound()).await;
        Ok(is_seen.then(|| self.0.knowledge.cursor()).flatten())
    }

    /// Takes in a change that the caller committed in a transaction of its own: what this node
    /// knows has moved when it returns, and other nodes get a hint.
    pub fn committed(&self, written: Written, changes: &[Change]) {
        self.0.knowledge.own_write(written, changes);
        self.announce(written);
    }

    /// Removes all entries of any entity that show `tag`, or ends their lives.
    ///
    /// # Errors
    /// When the change log can not be written, or where a remote tier is used without one.
    pub async fn forget_tag(&self, tag: &str, kind: ChangeKind) -> Result<(), ChangeError> {
        if tag.is_empty() {
            return Ok(());
        }
        self.forget_shared(Dep::new(tag), kind).await
    }

    /// Removes every entry of every entity.
    ///
    /// # Errors
    /// As [`forget_tag`](Self::forget_tag).
    pub async fn forget_everything(&self) -> Result<(), ChangeError> {
        self.forget_shared(Dep::everything(), ChangeKind::Forget)
            .await
    }

    pub(crate) async fn forget_shared(
        &self,
        dep: Dep,
        kind: ChangeKind,
    ) -> Result<(), ChangeError> {
        if self.0.log.is_none() && self.0.remote.is_some() {
            return Err(ChangeError::needs_log());
        }
        self.commit(vec![Change { dep, kind }]).await.map(|_| ())
    }

    /// Polls if what this node knows does not cover a token yet.
    pub(crate) async fn catch_up(&self, token: Written) {
        let is_behind = self.0.knowledge.cursor().is_some_and(|cursor| {
            cursor.incarnation == token.incarnation && !cursor.position.covers(token.xid)
        });
        if is_behind {
            let now = self.0.clock.now();
            self.validate(now, self.0.knowledge.bound()).await;
        }
    }

    fn announce(&self, written: Written) {
        let Some(_) = &self.0.remote else { return };
        let hint = Hint {
            incarnation: written.incarnation,
            n: self.0.random.bits(),
        };
        let node = self.clone();
        self.spawn(async move {
            if let Some(remote) = &node.0.remote {
                let budget = remote.budget();
                // A lost hint costs the other nodes a few milliseconds.
                let _ = remote
                    .call(&node, &budget, Access::Read, |remote| remote.hint(hint))
                    .await;
            }
        });
    }
}
