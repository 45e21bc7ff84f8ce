//! The same of all that a node knows: the poll and own writes as the engine takes them in, with the
//! locks, and readers that judge by it as a hit does.

use std::time::Duration;

use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use crate::certificate::{
    Certificate, Change, ChangeKind, Dep, Evidence, Incarnation, Knowledge, Position, Verdict,
    Watched,
};
use crate::ports::{History, Poll, Tick, Written};
use crate::schedules::{is_caught, under_all};
use crate::switch::{Rule, Switches};

const LOG: Incarnation = Incarnation::from_bytes([7; 16]);
/// The poll that brings a change of something else, and the one that brings ours.
const OTHERS: u64 = 5;
const OURS: u64 = 10;

const TOO_LATE: &str = "served as current after the poll that knew better";

/// A node with one entry, which was loaded before the change.
struct Node {
    knowledge: Knowledge,
    certificate: Certificate,
    /// The epoch in which the entry was last accepted.
    accepted_in: Mutex<u64>,
}

fn position(next: u64) -> Position {
    Position::snapshot(next, next, Vec::new()).unwrap()
}

fn change(key: &str) -> Change {
    Change {
        dep: Dep::of_key("product", key),
        kind: ChangeKind::Forget,
    }
}

fn poll(next: u64, changes: Vec<(u64, Change)>) -> Poll {
    Poll {
        incarnation: LOG,
        position: position(next),
        floor: None,
        changes,
        overflow: false,
    }
}

impl Node {
    fn new(switches: Switches) -> Self {
        let knowledge = Knowledge::empty(Duration::from_nanos(0)).with(switches);
        let history = History {
            poll: poll(100, Vec::new()),
            compacted: Vec::new(),
        };
        knowledge.apply_history(&history, Tick::from_nanos(1), 0);
        let accepted_in = Mutex::new(knowledge.observe().epoch);
        Self {
            knowledge,
            certificate: Certificate {
                incarnation: LOG,
                position: position(100),
            },
            accepted_in,
        }
    }

    fn judge(&self, accepted_in: u64) -> Verdict {
        self.knowledge.judge(Evidence {
            entity: "product",
            key: &|| "7".to_owned(),
            watched: &Watched::new("product", "7", &[]),
            certificate: &self.certificate,
            accepted_in,
        })
    }

    /// Serves the entry, as a hit does. Who relies on a poll after the change must not.
    fn read(&self) {
        let observed = self.knowledge.observe();
        let mut accepted_in = self.accepted_in.lock().unwrap();
        if *accepted_in != observed.epoch {
            if self.judge(*accepted_in) != Verdict::Accepted {
                return;
            }
            *accepted_in = observed.epoch;
        }
        assert!(observed.fresh_at < Tick::from_nanos(OURS), "{TOO_LATE}");
    }

    fn write(&self, xid: u64) {
        let written = Written {
            incarnation: LOG,
            xid,
        };
        self.knowledge.own_write(written, &[change("7")]);
    }

    fn poll(&self, xid: u64, key: &str, sent_at: u64) {
        let poll = poll(xid + 1, vec![(xid, change(key))]);
        self.knowledge.apply_poll(&poll, Tick::from_nanos(sent_at));
    }
}

fn reads_beside_polls(switches: Switches) {
    let node = Arc::new(Node::new(switches));
    let poller = {
        let node = Arc::clone(&node);
        thread::spawn(move || {
            node.poll(100, "8", OTHERS);
            node.poll(101, "7", OURS);
        })
    };
    let readers = readers(&node);
    for thread in readers.into_iter().chain([poller]) {
        thread.join().unwrap();
    }
    node.read();
    assert_ne!(
        node.judge(*node.accepted_in.lock().unwrap()),
        Verdict::Accepted
    );
}

fn readers(node: &Arc<Node>) -> Vec<thread::JoinHandle<()>> {
    let readers = (0..2).map(|_| {
        let node = Arc::clone(node);
        thread::spawn(move || {
            node.read();
            node.read();
        })
    });
    readers.collect()
}

#[test]
fn who_sees_the_new_fresh_at_sees_all_that_its_poll_brought() {
    under_all(|| reads_beside_polls(Switches::default()));
}

#[test]
fn moving_the_anchor_before_the_epoch_is_caught_in_what_the_engine_runs() {
    is_caught(
        || {
            let off = Some(Rule::PublicationOrder);
            reads_beside_polls(Switches { off });
        },
        TOO_LATE,
    );
}

/// Under the lock an epoch says exactly what was known: an own write that cuts the list of a dep
/// must not count what a poll has just added as seen by who was accepted before it.
#[test]
fn an_own_write_beside_a_poll_takes_no_acceptance_for_a_newer_one() {
    under_all(|| {
        let mut node = Node::new(Switches::default());
        // The load ran beside transaction 100, and has seen what this node wrote.
        node.certificate.position = Position::snapshot(100, 300, vec![100]).unwrap();
        // As many as a list holds: the next one cuts it at what the node has polled.
        for xid in 200..208 {
            node.write(xid);
        }
        node.read();
        let node = Arc::new(node);
        let poller = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.poll(100, "7", OURS))
        };
        let writer = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.write(208))
        };
        let reader = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.read())
        };
        for thread in [poller, writer, reader] {
            thread.join().unwrap();
        }
        assert_ne!(
            node.judge(*node.accepted_in.lock().unwrap()),
            Verdict::Accepted
        );
    });
}
