//! Whose turn a scheduled run is: one node's, by a lease in Redis. The others wait for its end, so that
//! one of them goes on where a node that died has stopped.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use tingkat::ports::{CellHead, Clock, Remote};

/// How long a lease holds without renewal.
const LIFE: Duration = Duration::from_secs(30);

/// How long it is known that a run is done: longer than nodes can be apart.
const DONE_FOR: Duration = Duration::from_hours(2);

/// The life of a lease that is given back.
const AT_ONCE: Duration = Duration::from_millis(1);

/// How often it is looked whether the node that runs is still there.
const LOOK: Duration = Duration::from_secs(5);

/// Longer than this nobody waits for another node.
const PATIENCE: Duration = Duration::from_hours(1);

const LEASE: u8 = b'L';
const DONE: u8 = b'D';

/// The right to carry a run out; without Redis every node has it.
pub(super) struct Turn {
    held: Option<(Arc<dyn Remote>, String, CellHead)>,
    clock: Arc<dyn Clock>,
}

/// What came of waiting for a turn.
pub(super) enum Turned {
    Ours(Turn),
    /// Another node has carried the run out.
    Done,
    /// Another node has its turn, and does not come to an end.
    TooLong,
}

impl Turn {
    /// Takes the turn of what is called so, after another node that has it.
    pub(super) async fn take(
        remote: Option<Arc<impl Remote>>,
        clock: &Arc<dyn Clock>,
        prefix: &str,
        name: &str,
    ) -> Turned {
        let clock = Arc::clone(clock);
        let Some(remote) = remote else {
            return Turned::Ours(Self { held: None, clock });
        };
        let (remote, name) = (remote as Arc<dyn Remote>, format!("{prefix}w:run:{name}"));
        let started = clock.now();
        let lease = head(LEASE);
        loop {
            let cell = Bytes::copy_from_slice(&lease);
            match remote.set_if_absent(&name, cell, LIFE).await {
                Ok(true) => {
                    let held = Some((remote, name, lease));
                    return Turned::Ours(Self { held, clock });
                }
                Ok(false) => {}
                // Nobody can tell: better twice than not at all.
                Err(_) => return Turned::Ours(Self { held: None, clock }),
            }
            let cell = remote.get(&name).await.ok().flatten();
            if cell.is_some_and(|cell| cell.first() == Some(&DONE)) {
                return Turned::Done;
            }
            if clock.now().since(started) >= PATIENCE {
                return Turned::TooLong;
            }
            clock.sleep(LOOK).await;
        }
    }

    /// Carries the run out, and says that it is done if it is; else another node has its turn.
    pub(super) async fn keep_during<T>(
        self,
        run: impl Future<Output = T>,
        is_done: impl FnOnce(&T) -> bool,
    ) -> T {
        let Some((remote, name, lease)) = &self.held else {
            return run.await;
        };
        let renewing = pin!(self.renew(&**remote, name, lease));
        let outcome = match select(pin!(run), renewing).await {
            Either::Left((outcome, _)) => outcome,
            // Somebody else may run now as well. What is under way is finished all the same.
            Either::Right(((), run)) => run.await,
        };
        let (kind, life) = if is_done(&outcome) {
            (DONE, DONE_FOR)
        } else {
            (LEASE, AT_ONCE)
        };
        let cell = Bytes::copy_from_slice(&head(kind));
        // At worst another node looks and finds everything warm.
        let _ = remote.fill(name, lease, cell, life).await;
        outcome
    }

    /// Extends the lease until it is lost.
    async fn renew(&self, remote: &dyn Remote, name: &str, lease: &CellHead) {
        loop {
            self.clock.sleep(LIFE / 3).await;
            // One that fails is made up for by the next.
            if matches!(remote.renew(name, lease, LIFE).await, Ok(false)) {
                return;
            }
        }
    }
}

/// A cell of this kind that nobody else writes.
fn head(kind: u8) -> CellHead {
    let mut head = [kind; 17];
    for (place, byte) in head.iter_mut().skip(1).zip(rand::random::<[u8; 16]>()) {
        *place = byte;
    }
    head
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tingkat_testkit::TestClock;
    use tingkat_testkit::fakes::{FakeRedis, Mood, RedisHandle};

    use super::*;

    async fn turned(redis: &Arc<RedisHandle>, due: u64) -> Turned {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
        Turn::take(Some(Arc::clone(redis)), &clock, "t:", &due.to_string()).await
    }

    /// Nothing where another node has carried it out.
    async fn take(redis: &Arc<RedisHandle>, due: u64) -> Option<Turn> {
        match turned(redis, due).await {
            Turned::Ours(turn) => Some(turn),
            Turned::Done => None,
            Turned::TooLong => panic!("nobody waits for so long here"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_never_ends_is_not_waited_for_as_if_it_had() {
        let redis = FakeRedis::new();
        let (one, two) = (Arc::new(redis.handle()), Arc::new(redis.handle()));
        let turn = take(&one, 7).await.unwrap();
        let never = turn.keep_during(pending::<()>(), |()| true);
        let other = tokio::select! {
            other = turned(&two, 7) => other,
            () = never => panic!("it never ends"),
        };
        assert!(matches!(other, Turned::TooLong));
    }

    #[tokio::test(start_paused = true)]
    async fn one_node_carries_a_run_out_and_the_others_let_it_be() {
        let redis = FakeRedis::new();
        let (one, two) = (Arc::new(redis.handle()), Arc::new(redis.handle()));
        let turn = take(&one, 7).await.unwrap();
        let long = tokio::time::sleep(LIFE * 5);
        let (other, ()) = tokio::join!(take(&two, 7), turn.keep_during(long, |()| true));
        assert!(other.is_none(), "it is renewed as long as it takes");
        assert!(take(&two, 7).await.is_none(), "it is done");
        assert!(take(&two, 8).await.is_some(), "the next one is another");
    }

    #[tokio::test(start_paused = true)]
    async fn where_a_node_dies_another_one_goes_on() {
        let redis = FakeRedis::new();
        let (one, two) = (Arc::new(redis.handle()), Arc::new(redis.handle()));
        let turn = take(&one, 7).await.unwrap();
        let dies = tokio::time::timeout(LIFE / 2, turn.keep_during(pending(), |()| true));
        assert!(dies.await.is_err());
        assert!(take(&two, 7).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_of_which_nothing_came_is_the_turn_of_another_node() {
        let redis = FakeRedis::new();
        let (one, two) = (Arc::new(redis.handle()), Arc::new(redis.handle()));
        let turn = take(&one, 7).await.unwrap();
        let failing = async {
            tokio::time::sleep(LIFE * 2).await;
            "nothing"
        };
        let (other, told) = tokio::join!(
            take(&two, 7),
            turn.keep_during(failing, |told| *told != "nothing")
        );
        assert_eq!(told, "nothing");
        other.unwrap().keep_during(async {}, |()| true).await;
        assert!(take(&one, 7).await.is_none(), "it is done now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_lost_is_not_asked_for_again_and_the_run_goes_on() {
        let redis = FakeRedis::new();
        let (one, two) = (Arc::new(redis.handle()), Arc::new(redis.handle()));
        let turn = take(&one, 7).await.unwrap();
        let run = async {
            tokio::time::sleep(LIFE / 2).await;
            redis.flush();
            tokio::time::sleep(LIFE * 4).await;
        };
        turn.keep_during(run, |()| true).await;
        assert_eq!(one.count("renew"), 2);
        assert!(take(&two, 7).await.is_some(), "nobody said that it is done");
    }

    #[tokio::test(start_paused = true)]
    async fn without_redis_every_node_has_its_turn() {
        let redis = FakeRedis::new();
        let one = Arc::new(redis.handle());
        let _held = take(&one, 7).await.unwrap();
        let away = Arc::new(redis.handle());
        away.writes.set(Mood::Failing);
        assert!(take(&away, 7).await.is_some());
        let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
        let turn = Turn::take(None::<Arc<RedisHandle>>, &clock, "t:", "7").await;
        let Turned::Ours(turn) = turn else {
            panic!("nobody else can have it")
        };
        assert_eq!(turn.keep_during(async { 3 }, |_| true).await, 3);
    }
}
