//! What callers change: values put in, keys and tags forgotten.

use std::time::Duration;

use super::{Cache, Shared};
use crate::certificate::{Certificate, Change, ChangeKind, Dep};
use crate::error::ChangeError;
use crate::event::Event;
use crate::key::Key;
use crate::node::{Access, Node};
use crate::ports::{Loaded, Written};

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// Puts a value in, for every node.
    ///
    /// # Errors
    /// When the change log can not be written, or not be read afterwards: the value is not in then.
    /// Without a log, when the remote tier does not take it: this node alone has it then.
    pub async fn insert(&self, key: &K, value: V) -> Result<(), ChangeError> {
        let shared = &self.0;
        let certificate = shared
            .node
            .commit(vec![shared.change_of(key, ChangeKind::Forget)])
            .await?;
        if certificate.is_none() && shared.is_tracked() {
            return Err(ChangeError::unproven());
        }
        shared.put(key, Loaded::value(value), certificate).await
    }

    /// Removes a key from every tier of every node.
    ///
    /// # Errors
    /// When the change log can not be written: nothing is forgotten then. Without a log, when the
    /// remote tier can not be told: it may give the value back.
    pub async fn forget(&self, key: &K) -> Result<(), ChangeError> {
        self.0
            .node
            .commit(vec![self.0.change_of(key, ChangeKind::Forget)])
            .await?;
        self.0.memory.remove(key);
        self.0.remove_remote(std::slice::from_ref(key)).await
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
        self.0.remove_remote(keys).await
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
        let dep = Dep::of_key(self.0.name, pattern);
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
    /// entries stand in for nothing, and make room for others anyway.
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
    async fn put(
        &self,
        key: &K,
        loaded: Loaded<V>,
        certificate: Option<Certificate>,
    ) -> Result<(), ChangeError> {
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
            return Ok(());
        };
        let Some((cell, life)) = filled.cell else {
            return Ok(());
        };
        let is_written = self.write_anyway(key, cell, life).await;
        self.needs_remote(is_written)
    }

    /// Without a log the other nodes learn of a change by the remote tier alone.
    fn needs_remote(&self, is_told: bool) -> Result<(), ChangeError> {
        if is_told || self.is_tracked() {
            Ok(())
        } else {
            Err(ChangeError::remote())
        }
    }

    /// Hygiene: with a change log the entries are refused anyway.
    async fn remove_remote(&self, keys: &[K]) -> Result<(), ChangeError> {
        let Some(remote) = self.usable_remote(&self.policy()) else {
            return Ok(());
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
        self.needs_remote(removed.is_some())
    }
}

impl Node {
    /// Writes changes to the log; what this node knows has moved before it returns (rule R8).
    /// Returns a certificate that has seen them, if one can be had at once.
    pub(crate) async fn commit(
        &self,
        changes: Vec<Change>,
    ) -> Result<Option<Certificate>, ChangeError> {
        if self.is_shut_down() {
            return Err(ChangeError::shut_down());
        }
        let Some(log) = &self.0.log else {
            self.0.knowledge.append_local(&changes);
            self.tell_forgot(&changes);
            return Ok(self.0.knowledge.cursor());
        };
        let written = log
            .append(changes.clone())
            .await
            .map_err(ChangeError::log)?;
        self.committed(written, &changes);
        self.tell_forgot(&changes);
        self.validate_from_now(self.0.knowledge.bound()).await;
        let cursor = self.0.knowledge.cursor();
        Ok(cursor.filter(|cursor| {
            cursor.incarnation == written.incarnation && cursor.position.covers(written.xid)
        }))
    }

    fn tell_forgot(&self, changes: &[Change]) {
        for change in changes {
            self.tell(Event::Forgot {
                dep: change.dep.name(),
            });
        }
    }

    /// Takes in a change that the caller committed in a transaction of its own: what this node
    /// knows has moved when it returns, and other nodes get a hint.
    pub fn committed(&self, written: Written, changes: &[Change]) {
        self.0.knowledge.own_write(written, changes);
        self.0.feed.expects_changes();
        self.announce(written.incarnation);
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

    /// As [`forget_tag`](Self::forget_tag), for many tags in one transaction.
    ///
    /// # Errors
    /// As there; nothing is forgotten then.
    pub async fn forget_tags(&self, tags: &[String], kind: ChangeKind) -> Result<(), ChangeError> {
        let named = tags.iter().filter(|tag| !tag.is_empty());
        let changes: Vec<Change> = named
            .map(|tag| Change {
                dep: Dep::new(tag.as_str()),
                kind,
            })
            .collect();
        self.change_shared(changes).await
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
        self.change_shared(vec![Change { dep, kind }]).await
    }

    async fn change_shared(&self, changes: Vec<Change>) -> Result<(), ChangeError> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.0.log.is_none() && self.0.remote.is_some() {
            return Err(ChangeError::needs_log());
        }
        self.commit(changes).await.map(|_| ())
    }

    /// Polls if what this node knows does not cover a token yet; whether it can be relied on now.
    /// One poll is enough: a transaction that had ended when the call began is visible to it.
    pub async fn catch_up(&self, token: Written) -> bool {
        let is_behind = || {
            self.0.knowledge.cursor().is_some_and(|cursor| {
                cursor.incarnation == token.incarnation && !cursor.position.covers(token.xid)
            })
        };
        !is_behind() || self.validate_from_now(self.0.knowledge.bound()).await || !is_behind()
    }
}
