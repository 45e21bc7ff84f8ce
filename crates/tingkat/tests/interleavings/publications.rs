//! What a node knows is told in an order that a reader can rely on wherever it is stopped.

use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use crate::certificate::publication::Publication;
use crate::ports::Tick;
use crate::schedules::{is_caught, under_all};

/// The poll that brings a change of something else, and the one that brings ours.
const OTHERS: u64 = 5;
const OURS: u64 = 10;

const TOO_LATE: &str = "served as current after the poll that knew better";

/// A node with one entry, which was loaded before the change.
struct Node {
    published: Publication,
    /// 1 once the change of the entry is known.
    known: AtomicU64,
    /// The epoch in which the entry was last accepted.
    accepted_in: Mutex<u64>,
}

impl Node {
    fn change_of_others(&self) {
        self.published.changed();
        self.published.complete_as_of(Tick::from_nanos(OTHERS));
    }

    fn learn(&self) {
        self.known.store(1, Ordering::SeqCst);
    }

    /// Serves the entry, as `Cache::hit` does. Who relies on a poll after the change must not.
    fn read(&self) {
        let observed = self.published.observe();
        let mut accepted_in = self.accepted_in.lock().unwrap();
        if *accepted_in != observed.epoch {
            if self.known.load(Ordering::SeqCst) == 1 {
                return;
            }
            *accepted_in = observed.epoch;
        }
        assert!(observed.fresh_at < Tick::from_nanos(OURS), "{TOO_LATE}");
    }
}

fn reads_beside(publish: fn(&Node)) {
    let node = Arc::new(Node {
        published: Publication::new(Tick::from_nanos(1)),
        known: AtomicU64::new(0),
        accepted_in: Mutex::new(1),
    });
    let poller = {
        let node = Arc::clone(&node);
        thread::spawn(move || {
            node.change_of_others();
            publish(&node);
        })
    };
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let node = Arc::clone(&node);
            thread::spawn(move || {
                node.read();
                node.read();
            })
        })
        .collect();
    poller.join().unwrap();
    for reader in readers {
        reader.join().unwrap();
    }
    node.read();
}

#[test]
fn who_sees_the_new_fresh_at_sees_the_new_epoch_and_what_is_known() {
    under_all(|| {
        reads_beside(|node| {
            node.learn();
            node.published.changed();
            node.published.complete_as_of(Tick::from_nanos(OURS));
        });
    });
}

#[test]
fn moving_fresh_at_before_the_epoch_is_caught() {
    is_caught(
        || {
            reads_beside(|node| {
                node.learn();
                node.published.complete_as_of(Tick::from_nanos(OURS));
                node.published.changed();
            });
        },
        TOO_LATE,
    );
}

#[test]
fn moving_the_epoch_before_what_is_known_is_caught() {
    is_caught(
        || {
            reads_beside(|node| {
                node.published.changed();
                node.learn();
                node.published.complete_as_of(Tick::from_nanos(OURS));
            });
        },
        TOO_LATE,
    );
}

#[test]
fn not_moving_the_epoch_is_caught() {
    is_caught(
        || {
            reads_beside(|node| {
                node.learn();
                node.published.complete_as_of(Tick::from_nanos(OURS));
            });
        },
        TOO_LATE,
    );
}
