//! Many commands on many keys at once: one round trip per node, and each answer for itself.

use std::sync::Arc;

use futures::future::join_all;
use redis::{Cmd, Pipeline, Value};
use tingkat::error::RemoteError;

use super::node::Node;
use super::{Answer, Cluster, no_node};
use crate::link::Trouble;
use crate::order::Order;
use crate::refusal::Access;

impl Cluster {
    /// Sends one command for each key; the answers in their order. A node that is away or fails
    /// costs the answers for its own keys.
    ///
    /// # Errors
    /// No node can be asked.
    pub(crate) async fn scatter<K: AsRef<str>>(
        &self,
        access: Access,
        keys: &[K],
        command: impl Fn(usize) -> Cmd,
    ) -> Result<Vec<Answer>, RemoteError> {
        if !self.is_connected() {
            return Err(no_node());
        }
        let sent_at = self.clock.now();
        let mut answers: Vec<Option<Answer>> = keys.iter().map(|_| None).collect();
        let groups = self.groups(keys, &mut answers);
        let asked = groups.iter().map(|(node, indexes)| {
            let mut commands = Pipeline::with_capacity(indexes.len());
            for &index in indexes {
                commands.add_command(command(index));
            }
            self.ask_group(node, access, commands)
        });
        let mut sent_on = Vec::new();
        for ((node, indexes), group) in groups.iter().zip(join_all(asked).await) {
            match group {
                Ok(values) => {
                    for (&index, value) in indexes.iter().zip(values) {
                        match self.take(node, access, value) {
                            Some(answer) => put(&mut answers, index, answer),
                            None => sent_on.push(index),
                        }
                    }
                }
                Err(trouble) => {
                    for &index in indexes {
                        let error = self.translate(node, access, &trouble);
                        put(&mut answers, index, Err(error));
                    }
                }
            }
        }
        // Few, unless slots move: each follows its own redirect.
        let followed = sent_on.into_iter().map(|index| {
            let order = Order::new(command(index));
            let key = keys.get(index).map(AsRef::as_ref).unwrap_or_default();
            async move { (index, self.call_since(sent_at, access, key, &order).await) }
        });
        for (index, answer) in join_all(followed).await {
            put(&mut answers, index, answer);
        }
        let missing = || Err(self.part_away("an answer is missing"));
        let answers = answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(missing));
        Ok(answers.collect())
    }

    /// The keys of each node; those of none are answered.
    fn groups<K: AsRef<str>>(
        &self,
        keys: &[K],
        answers: &mut [Option<Answer>],
    ) -> Vec<(Arc<Node>, Vec<usize>)> {
        let map = self.map();
        let mut groups: Vec<(Arc<Node>, Vec<usize>)> = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let Some(node) = map.owner(key.as_ref().as_bytes()) else {
                self.look.notify_one();
                let error = self.part_away("no node serves the slot");
                put(answers, index, Err(error));
                continue;
            };
            match groups
                .iter_mut()
                .find(|(known, _)| Arc::ptr_eq(known, node))
            {
                Some((_, indexes)) => indexes.push(index),
                None => groups.push((Arc::clone(node), vec![index])),
            }
        }
        groups
    }

    async fn ask_group(
        &self,
        node: &Node,
        access: Access,
        commands: Pipeline,
    ) -> Result<Vec<Value>, Trouble> {
        if !node.allows(access) {
            return Err(Trouble::Away);
        }
        node.call_many(access, &commands, self.config.response_timeout)
            .await
    }

    /// One answer of a group; nothing where it leads elsewhere.
    fn take(&self, node: &Arc<Node>, access: Access, value: Value) -> Option<Answer> {
        match value.extract_error() {
            Ok(value) => Some(Ok(Ok(value))),
            Err(error) if error.redirect_node().is_some() => {
                // What it teaches is of use to the call that follows.
                self.follow(node, &error);
                None
            }
            Err(error) => Some(self.conclude(node, access, error)),
        }
    }
}

fn put(answers: &mut [Option<Answer>], index: usize, answer: Answer) {
    if let Some(place) = answers.get_mut(index) {
        *place = Some(answer);
    }
}
