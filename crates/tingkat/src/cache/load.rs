//! Asking the source: in batches, a few at a time, customers first, and never for ever.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::certificate::Certificate;
use crate::error::{GetError, GetErrorKind, SourceError};
use crate::event::Event;
use crate::node::Node;
use crate::policy::Policy;
use crate::ports::{Batch, Found, Loaded, Source, Tick, Wanted};
use crate::stats::Stats;

/// While other loads run, the first key of a batch waits for company so many times as long.
const CROWD: u32 = 10;

/// A load for one key by the caller's own means.
pub(crate) type OwnLoad<V> =
    Box<dyn FnOnce(Option<Arc<V>>) -> BoxFuture<'static, Result<Loaded<V>, SourceError>> + Send>;

/// Who wants a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Somebody waits.
    Customer,
    /// A refresh or a warm-up.
    Background,
}

/// What the source said about one key.
#[derive(Debug)]
pub(crate) struct Answered<V> {
    pub(crate) loaded: Loaded<V>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) sent_at: Tick,
    /// The epoch before the load was sent.
    pub(crate) sent_epoch: u64,
    pub(crate) took: Duration,
}

/// Told once the load of a key is sent: when, and in which epoch.
pub(crate) type OnSent = Box<dyn FnOnce(Tick) + Send>;

struct Ticket<K, V> {
    wanted: Wanted<K, V>,
    on_sent: OnSent,
    answer: oneshot::Sender<Result<Answered<V>, GetError>>,
    own: Option<OwnLoad<V>>,
}

/// The queue before one entity's source.
pub(crate) struct Loader<K, V> {
    name: &'static str,
    source: Option<Arc<dyn Source<K, V>>>,
    queue: Mutex<Queue<K, V>>,
    stats: Arc<Stats>,
}

struct Queue<K, V> {
    customers: VecDeque<Ticket<K, V>>,
    background: VecDeque<Ticket<K, V>>,
    running: usize,
    is_gathering: bool,
}

impl<K, V> Queue<K, V> {
    fn len(&self) -> usize {
        self.customers.len() + self.background.len()
    }

    /// Up to `most` tickets that can be loaded together: those of customers, who shall not wait
    /// for keys that nobody waits for, or if there are none the others.
    fn take(&mut self, most: usize) -> Vec<Ticket<K, V>> {
        let batch = Self::first(&mut self.customers, most);
        if batch.is_empty() {
            return Self::first(&mut self.background, most);
        }
        batch
    }

    /// The first ones of a queue; one that brings its own load goes alone.
    fn first(queue: &mut VecDeque<Ticket<K, V>>, most: usize) -> Vec<Ticket<K, V>> {
        let mut batch: Vec<Ticket<K, V>> = Vec::new();
        while batch.len() < most.max(1) {
            let Some(next) = queue.front() else { break };
            if next.answer.is_closed() {
                queue.pop_front();
                continue;
            }
            if next.own.is_some() && !batch.is_empty() {
                break;
            }
            let Some(ticket) = queue.pop_front() else {
                break;
            };
            let is_alone = ticket.own.is_some();
            batch.push(ticket);
            if is_alone {
                break;
            }
        }
        batch
    }
}

impl<K: Clone + Send + Sync + 'static, V: Send + Sync + 'static> Loader<K, V> {
    pub(crate) fn new(
        name: &'static str,
        source: Option<Arc<dyn Source<K, V>>>,
        stats: Arc<Stats>,
    ) -> Self {
        let queue = Queue {
            customers: VecDeque::new(),
            background: VecDeque::new(),
            running: 0,
            is_gathering: false,
        };
        Self {
            name,
            source,
            queue: Mutex::new(queue),
            stats,
        }
    }

    /// Queues a key; the answer comes on the channel.
    pub(crate) fn submit(
        self: &Arc<Self>,
        node: &Node,
        policy: &Arc<Policy>,
        wanted: Wanted<K, V>,
        priority: Priority,
        own: Option<OwnLoad<V>>,
        on_sent: OnSent,
    ) -> Result<oneshot::Receiver<Result<Answered<V>, GetError>>, GetError> {
        let mut queue = self.lock();
        // Background work may take half of the queue, so that there is always room for customers.
        let most = match priority {
            Priority::Customer => policy.max_queue,
            Priority::Background => policy.max_queue / 2,
        };
        // What is on its way to a free place does not wait.
        let free = policy.max_loads.max(1).saturating_sub(queue.running);
        let most = most.saturating_add(free.saturating_mul(policy.max_batch.max(1)));
        if queue.len() >= most {
            self.stats.overloads.add(1);
            return Err(GetError::new(GetErrorKind::Overloaded {
                retry_after: policy.retry_after,
            }));
        }
        let (answer, receiver) = oneshot::channel();
        let ticket = Ticket {
            wanted,
            on_sent,
            answer,
            own,
        };
        match priority {
            Priority::Customer => queue.customers.push_back(ticket),
            Priority::Background => queue.background.push_back(ticket),
        }
        self.stats.loads_queued.add(1);
        if queue.running < policy.max_loads.max(1) && !queue.is_gathering {
            queue.is_gathering = true;
            // Beside a load that runs there is a crowd, and more of it is on its way.
            let patience = if queue.running > 0 { CROWD } else { 1 };
            let window = policy.batch_window.saturating_mul(patience);
            let (loader, node_too, policy) = (Arc::clone(self), node.clone(), Arc::clone(policy));
            node.spawn(async move {
                if !window.is_zero() {
                    node_too.0.clock.sleep(window).await;
                }
                loader.lock().is_gathering = false;
                loader.dispatch(&node_too, &policy);
            });
        }
        Ok(receiver)
    }

    /// Whether there is a source for every key.
    pub(crate) fn has_source(&self) -> bool {
        self.source.is_some()
    }

    /// How many keys that somebody waits for have no place at the source yet, because all are taken.
    pub(crate) fn customers_waiting(&self, policy: &Policy) -> usize {
        let queue = self.lock();
        if queue.running < policy.max_loads.max(1) {
            return 0;
        }
        queue.customers.len()
    }

    /// Lets a key that nobody waited for go with those of customers: somebody does now.
    pub(crate) fn promote(&self, key: &K)
    where
        K: PartialEq,
    {
        let mut queue = self.lock();
        let found = queue
            .background
            .iter()
            .position(|ticket| ticket.wanted.key == *key);
        if let Some(ticket) = found.and_then(|place| queue.background.remove(place)) {
            queue.customers.push_back(ticket);
        }
    }

    /// Sends as many batches as the cap allows.
    fn dispatch(self: &Arc<Self>, node: &Node, policy: &Arc<Policy>) {
        loop {
            let mut queue = self.lock();
            if queue.running >= policy.max_loads.max(1) {
                return;
            }
            let before = queue.len();
            let batch = queue.take(policy.max_batch);
            self.stats.loads_queued.sub((before - queue.len()) as u64);
            if batch.is_empty() {
                return;
            }
            queue.running += 1;
            drop(queue);
            self.stats.loads_running.add(1);
            let (loader, node_too, policy) = (Arc::clone(self), node.clone(), Arc::clone(policy));
            node.spawn(async move {
                loader.run(&node_too, &policy, batch).await;
                loader.stats.loads_running.sub(1);
                let is_gathering = {
                    let mut queue = loader.lock();
                    queue.running -= 1;
                    queue.is_gathering
                };
                // What is being gathered goes together when its window ends.
                if !is_gathering {
                    loader.dispatch(&node_too, &policy);
                }
            });
        }
    }

    async fn run(&self, node: &Node, policy: &Policy, batch: Vec<Ticket<K, V>>) {
        let is_own = batch.iter().any(|ticket| ticket.own.is_some());
        let certified = self.certificate_before(node, policy, is_own).await;
        let sent_epoch = node.0.knowledge.observe().epoch;
        let sent_at = node.0.clock.now();
        let (mut wanted, mut answers, mut own) = (Vec::new(), Vec::new(), None);
        for ticket in batch {
            (ticket.on_sent)(sent_at);
            wanted.push(ticket.wanted);
            answers.push(ticket.answer);
            own = ticket.own;
        }
        self.stats.batches.add(1);
        self.stats.loaded_keys.add(wanted.len() as u64);
        let result = self.ask(node, policy, &wanted, own, certified).await;
        let took = node.0.clock.now().since(sent_at);
        self.stats.load_time.record(took);
        node.sweep_if_due();
        match result {
            Ok(batch) => {
                for (answer, loaded) in answers.into_iter().zip(batch.loaded) {
                    let certificate = batch.certificate.clone();
                    // Whoever wanted it may be gone.
                    let _ = answer.send(Ok(Answered {
                        loaded,
                        certificate,
                        sent_at,
                        sent_epoch,
                        took,
                    }));
                }
            }
            Err(error) => {
                self.stats.failed_keys.add(wanted.len() as u64);
                node.tell(Event::LoadFailed {
                    entity: self.name,
                    error: &error,
                });
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// What a load that begins now is known to see, where the source does not say so itself. If
    /// no poll can be had, it is the last one's: the load sees more than that.
    async fn certificate_before(
        &self,
        node: &Node,
        policy: &Policy,
        is_own: bool,
    ) -> Option<Certificate> {
        let (knowledge, now) = (&node.0.knowledge, node.0.clock.now());
        let source = self.source.as_ref();
        let certifies = !is_own && source.is_some_and(|source| source.certifies());
        if node.0.log.is_some() {
            if certifies {
                return None;
            }
            if knowledge.anchors(knowledge.observe(), now) {
                let patience = knowledge.bound().min(policy.soft_deadline);
                node.validate(now, patience).await;
            }
        }
        knowledge.cursor()
    }

    async fn ask(
        &self,
        node: &Node,
        policy: &Policy,
        wanted: &[Wanted<K, V>],
        own: Option<OwnLoad<V>>,
        before: Option<Certificate>,
    ) -> Result<Batch<V>, GetError> {
        let load = async {
            match (own, &self.source) {
                (Some(own), _) => {
                    let known = wanted.first().and_then(|wanted| wanted.known.clone());
                    own(known).await.map(|loaded| Batch {
                        certificate: None,
                        loaded: vec![loaded],
                    })
                }
                (None, Some(source)) => source.load(wanted).await,
                (None, None) => Err(SourceError::fatal("this cache has no source")),
            }
        };
        let caught = node
            .within(policy.hard_deadline, AssertUnwindSafe(load).catch_unwind())
            .await;
        let Some(caught) = caught else {
            self.stats.hung_loads.add(1);
            node.tell(Event::LoadHung { entity: self.name });
            return Err(GetError::new(GetErrorKind::Deadline));
        };
        let result = caught.unwrap_or_else(|_| Err(SourceError::transient("the loader panicked")));
        let mut batch = result.map_err(GetError::source_failed)?;
        if batch.loaded.len() != wanted.len() {
            let (got, asked) = (batch.loaded.len(), wanted.len());
            let error = SourceError::fatal(format!(
                "the source answered {got} keys when asked for {asked}"
            ));
            return Err(GetError::source_failed(error));
        }
        let failed = batch
            .loaded
            .iter()
            .filter(|loaded| matches!(loaded.found, Found::Failed(_)))
            .count();
        self.stats.failed_keys.add(failed as u64);
        // A position in a log that this node does not follow means nothing to it.
        let certified = batch.certificate.filter(|_| node.0.log.is_some());
        batch.certificate = certified.or(before);
        Ok(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Queue<K, V>> {
        // No code that can panic runs while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
