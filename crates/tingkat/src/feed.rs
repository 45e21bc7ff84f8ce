//! Following the change log: one poll at a time, ten times a second or when somebody asks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::Notify;

use crate::certificate::{Change, Incarnation, Position};
use crate::error::{LogError, Recovery};
use crate::event::Event;
use crate::node::{Access, Node};
use crate::ports::{ChangeLog, Hint, History, Poll, Tick};
use crate::switch::Rule;

/// More changes than this at once make the node begin anew.
const MOST_CHANGES: usize = 50_000;

/// Hints wake the feed at most this often.
const HINT_PAUSE: Duration = Duration::from_millis(20);

/// A history may take so many times as long as a poll: it is long where much was changed, and a node
/// that never gets it never serves from its tiers.
const HISTORY_PATIENCE: u32 = 10;

/// A clock that slept this much longer than it admits can not anchor anything.
const CLOCK_JUMP: Duration = Duration::from_millis(100);

/// The heartbeat of a feed, and how to ask for a beat.
#[derive(Debug)]
pub(crate) struct Pulse {
    interval: Duration,
    wake: Notify,
    hint: Notify,
    /// A poll ended, well or not.
    ended: Notify,
    /// Somebody has announced what the next poll will find, perhaps this node.
    was_hinted: AtomicBool,
    /// Polls that were sent, and the newest of them that was answered.
    sent: AtomicU64,
    answered: AtomicU64,
    /// When the log last answered, in nanoseconds of the clock; 0 before that. Apart from `fresh_at`,
    /// which a cold reset takes back though the database is there.
    answered_at: AtomicU64,
}

impl Pulse {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            wake: Notify::new(),
            hint: Notify::new(),
            ended: Notify::new(),
            was_hinted: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            answered_at: AtomicU64::new(0),
        }
    }

    /// The next poll will find what has been announced already.
    pub(crate) fn expects_changes(&self) {
        self.was_hinted.store(true, Ordering::Release);
    }
}

/// What a node knows about its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedState {
    /// How long ago the last successful poll was sent; none before the first one.
    pub poll_age: Option<Duration>,
    /// The staleness bound.
    pub bound: Duration,
    /// The log that is followed.
    pub incarnation: Option<Incarnation>,
    /// Deps that are remembered.
    pub deps: usize,
}

impl Node {
    /// How the feed of changes is; nothing when there is no change log.
    pub fn feed(&self) -> Option<FeedState> {
        self.0.log.as_ref()?;
        let fresh_at = self.0.knowledge.observe().fresh_at;
        let is_known = fresh_at != Tick::from_nanos(0);
        Some(FeedState {
            poll_age: is_known.then(|| self.0.clock.now().since(fresh_at)),
            bound: self.0.knowledge.bound(),
            incarnation: self.0.knowledge.incarnation(),
            deps: self.0.knowledge.deps(),
        })
    }

    /// Whether the database did not answer for as long as a lease goes without renewal, or never
    /// since this node began, so that its loads are likely to fail.
    pub(crate) fn is_out_of_touch(&self) -> bool {
        if self.0.log.is_none() {
            return false;
        }
        match self.0.feed.answered_at.load(Ordering::Relaxed) {
            0 => self.has_polled(),
            at => {
                let silent_for = self.0.clock.now().since(Tick::from_nanos(at));
                silent_for > self.0.lease / 3 + self.0.feed.interval
            }
        }
    }

    /// Tells the other nodes that there is something to poll for.
    pub(crate) fn announce(&self, incarnation: Incarnation) {
        if self.0.remote.is_none() {
            return;
        }
        let (node, n) = (self.clone(), self.0.random.bits());
        self.spawn(async move {
            if let Some(remote) = &node.0.remote {
                let (budget, hint) = (remote.budget(), Hint { incarnation, n });
                // A lost hint costs the other nodes a few milliseconds.
                let _ = remote
                    .call(&node, &budget, Access::Hint, |remote| remote.hint(hint))
                    .await;
            }
        });
    }

    /// Takes in a hint from another node: a wake-up and nothing else.
    pub fn hinted(&self, hint: Hint) {
        if self.0.knowledge.incarnation() == Some(hint.incarnation) {
            self.0.feed.expects_changes();
            self.0.feed.hint.notify_one();
        }
    }

    /// Polls until a poll that was sent at or after `since` has come back, for at most `deadline`.
    /// A node that was shut down polls no more.
    pub(crate) async fn validate(&self, since: Tick, deadline: Duration) -> bool {
        self.poll_until(deadline, || self.0.knowledge.observe().fresh_at >= since)
            .await
    }

    /// Polls until a poll that is sent from now on has come back, for at most `deadline`. Told by
    /// the order of polls and not by time: a clock may stand still between a poll and a write.
    pub(crate) async fn validate_from_now(&self, deadline: Duration) -> bool {
        let feed = &self.0.feed;
        let sent = feed.sent.load(Ordering::Acquire);
        self.poll_until(deadline, || feed.answered.load(Ordering::Acquire) > sent)
            .await
    }

    async fn poll_until(&self, deadline: Duration, is_enough: impl Fn() -> bool) -> bool {
        if self.0.log.is_none() {
            return true;
        }
        let polled = async {
            // The poll under way may have been sent too early; the one after it was not.
            for _ in 0..2 {
                let ended = self.0.feed.ended.notified();
                if is_enough() {
                    return true;
                }
                if self.is_shut_down() {
                    return false;
                }
                self.0.feed.wake.notify_one();
                either(ended, self.0.shutdown.cancelled()).await;
            }
            is_enough()
        };
        self.within(deadline, polled).await.unwrap_or(false)
    }
}

/// Begins to follow the node's log, if it has one.
pub(crate) fn start(node: &Node) {
    let Some(log) = node.0.log.clone() else {
        return;
    };
    let node = node.clone();
    node.clone().spawn(async move {
        let shutdown = node.0.shutdown.clone();
        let following = std::pin::pin!(follow(&node, &*log));
        select(following, std::pin::pin!(shutdown.cancelled())).await;
    });
}

async fn follow(node: &Node, log: &dyn ChangeLog) {
    let mut feed = Feed {
        node,
        log,
        is_up: true,
        clocks: node.clocks(),
    };
    loop {
        feed.beat().await;
        let pulse = &node.0.feed;
        pulse.ended.notify_waiters();
        let beat_ended = node.0.clock.now();
        let hint = async {
            pulse.hint.notified().await;
            let since = node.0.clock.now().since(beat_ended);
            node.0.clock.sleep(HINT_PAUSE.saturating_sub(since)).await;
        };
        let asked = either(pulse.wake.notified(), hint);
        either(asked, node.0.clock.sleep(pulse.interval)).await;
    }
}

impl Node {
    fn clocks(&self) -> (Tick, Tick) {
        (self.0.clock.now(), self.0.clock.boot())
    }
}

struct Feed<'a> {
    node: &'a Node,
    log: &'a dyn ChangeLog,
    is_up: bool,
    clocks: (Tick, Tick),
}

impl Feed<'_> {
    async fn beat(&mut self) {
        self.distrust_after_sleep();
        let feed = &self.node.0.feed;
        let number = feed.sent.fetch_add(1, Ordering::AcqRel) + 1;
        let result = self.poll().await.map_err(|error| error.to_string());
        self.node.sweep_if_due();
        let is_up = result.is_ok();
        if is_up {
            feed.answered.fetch_max(number, Ordering::AcqRel);
        }
        if is_up != self.is_up {
            self.is_up = is_up;
            self.node.tell(Event::Feed {
                is_up,
                error: result.as_ref().err().map(String::as_str),
            });
        }
    }

    async fn poll(&self) -> Result<(), LogError> {
        let knowledge = &self.node.0.knowledge;
        let (sent_at, strays) = (self.node.0.clock.now(), knowledge.strays());
        let Some(cursor) = knowledge.cursor() else {
            return self.begin(None).await;
        };
        // Loads that were seen before the poll was sent: it sees what they saw.
        let loaded_at = knowledge.newest_load();
        let polling = self.log.poll(&cursor.position, MOST_CHANGES);
        let mut poll = self.in_time("poll", 1, polling).await?;
        let is_watched = knowledge.holds(Rule::ColdReset);
        if !is_watched {
            poll.incarnation = cursor.incarnation;
        }
        if poll.incarnation != cursor.incarnation {
            return self.begin(Some("the change log began a new life")).await;
        }
        if is_watched && poll.position.xmax() < cursor.position.xmax().max(loaded_at) {
            let replacing = self.log.replace_incarnation(poll.incarnation);
            self.in_time("new life", 1, replacing).await?;
            return self.begin(Some("the database went back in time")).await;
        }
        if poll.overflow {
            let history = History {
                poll,
                compacted: Vec::new(),
            };
            knowledge.apply_history(&history, sent_at, strays);
            self.node.tell(Event::ColdReset {
                reason: "too many changes at once",
            });
            // What is between the two is known to nobody.
            self.tell_polled(&history.poll.position, &history.poll, &[]);
            return Ok(());
        }
        if has_slept(&cursor.position, &poll) {
            return self.begin(None).await;
        }
        knowledge.apply_poll(&poll, sent_at);
        self.tell_polled(&cursor.position, &poll, &poll.changes);
        let was_hinted = self.node.0.feed.was_hinted.swap(false, Ordering::AcqRel);
        if !poll.changes.is_empty() && !was_hinted {
            // A program that knows nothing of hints committed; the other nodes need not wait for
            // their polls.
            self.node.announce(poll.incarnation);
        }
        Ok(())
    }

    /// What the log says to one statement. A poll that takes longer than the bound anchors nothing,
    /// and must not hold up the next.
    async fn in_time<T>(
        &self,
        what: &str,
        bounds: u32,
        asking: impl Future<Output = Result<T, LogError>>,
    ) -> Result<T, LogError> {
        let bound = self.node.0.knowledge.bound().max(self.node.0.feed.interval);
        let deadline = bound.saturating_mul(bounds);
        let answer = self.node.within(deadline, asking).await;
        if matches!(answer, Some(Ok(_))) {
            let now = self.node.0.clock.now().as_nanos().max(1);
            self.node.0.feed.answered_at.store(now, Ordering::Relaxed);
        }
        answer.unwrap_or_else(|| {
            Err(LogError::new(
                Recovery::Retry,
                format!("the {what} of the change log did not come within {deadline:?}"),
            ))
        })
    }

    fn tell_polled(&self, since: &Position, poll: &Poll, changes: &[(u64, Change)]) {
        self.node.tell(Event::Polled {
            incarnation: poll.incarnation,
            since,
            position: &poll.position,
            changes,
        });
    }

    /// Learns all that the log knows; after a cold reset if there is a `reason` for one.
    async fn begin(&self, reason: Option<&str>) -> Result<(), LogError> {
        if let Some(reason) = reason {
            self.node.0.knowledge.cold_reset();
            self.node.tell(Event::ColdReset { reason });
        }
        let knowledge = &self.node.0.knowledge;
        let (sent_at, strays) = (self.node.0.clock.now(), knowledge.strays());
        let reading = self.log.history(crate::certificate::MOST_DEPS);
        let history = self.in_time("history", HISTORY_PATIENCE, reading).await?;
        knowledge.apply_history(&history, sent_at, strays);
        let History { poll, .. } = &history;
        if poll.overflow {
            self.tell_polled(&poll.position, poll, &[]);
        } else {
            // What the log has compacted is not among the changes any more.
            let since = poll.floor.clone().unwrap_or_else(Position::nothing);
            self.tell_polled(&since, poll, &poll.changes);
        }
        Ok(())
    }

    /// A machine that was suspended saw no changes meanwhile, and its clock may not tell.
    fn distrust_after_sleep(&mut self) {
        let clocks = self.node.clocks();
        let (ran, passed) = (clocks.0.since(self.clocks.0), clocks.1.since(self.clocks.1));
        self.clocks = clocks;
        if passed > ran + CLOCK_JUMP {
            self.node.0.knowledge.distrust();
        }
    }
}

/// Whether changes may have been compacted away since the last poll.
fn has_slept(cursor: &Position, poll: &Poll) -> bool {
    poll.floor
        .as_ref()
        .is_some_and(|floor| !cursor.contains(floor))
}

/// Waits for whichever comes first.
pub(crate) async fn either<A, B>(
    a: impl Future<Output = A>,
    b: impl Future<Output = B>,
) -> Either<A, B> {
    match select(std::pin::pin!(a), std::pin::pin!(b)).await {
        Either::Left((a, _)) => Either::Left(a),
        Either::Right((b, _)) => Either::Right(b),
    }
}
