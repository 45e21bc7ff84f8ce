//! The core: one key, writers, nodes that poll, read Redis and load, and everything that breaks.
//!
//! A read is no step of its own: in every state each node's memory, and each answer of Redis that
//! is on its way, is asked what it would be served as, and that is held against the promise.

mod node;
mod steps;

use stateright::{Model, Property};

pub use self::node::{Action, Cell, Node};
use self::node::{Entry, Load};
use crate::database::Database;
use crate::rule::{Rule, Rules};
use crate::transactions::Transactions;

/// Who does what. One full node and one that only fills Redis behind its back are nearly as bad
/// as two full nodes, and far fewer states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    Filler,
    Equal,
}

/// How a node that starts learns of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    History,
    /// Of nothing: what is older than its first poll is refused.
    Floor,
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    pub loads: u8,
    pub redis_failovers: u8,
    pub flushes: u8,
    pub restarts: u8,
    pub aborts: u8,
    pub crashes: u8,
    /// Database failovers that lose the last commit.
    pub losses: u8,
}

/// A configuration of the core.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    pub rules: Rules,
    pub company: Company,
    pub boot: Boot,
    /// Fills need a lease; without, anybody writes at any time.
    pub leases: bool,
    /// The staleness bound, and when time ends.
    pub bound: u8,
    pub end: u8,
    pub transactions: u8,
    /// Transactions that write only the tag of the entry.
    pub tagged: Transactions,
    pub limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub database: Database,
    pub cell: Cell,
    /// What the replica of Redis has.
    pub replica: Cell,
    pub left: Limits,
    pub nodes: [Node; 2],
}

impl Core {
    /// Whether the node knows nothing that the entry has not seen (rule R2).
    fn accepts(&self, node: &Node, entry: Entry) -> bool {
        let Some(known) = node.known else {
            return false;
        };
        let relevant = if self.rules.follow(Rule::Tags) {
            known.changes
        } else {
            known.changes.but(self.tagged)
        };
        let same_log = entry.incarnation == known.incarnation;
        let above_floor = entry.seen.contains(known.floor);
        (same_log || !self.rules.follow(Rule::Incarnation))
            && (above_floor || !self.rules.follow(Rule::Floor))
            && entry.seen.contains(relevant)
    }

    /// Rule R1.
    fn is_anchored(&self, node: &Node, at: u8) -> bool {
        node.known.is_some_and(|known| {
            !self.rules.follow(Rule::Anchor) || at <= known.fresh_at + self.bound
        })
    }

    /// What a read of the node's memory would be answered with now (rule R3).
    fn memory_serves(&self, state: &State, node: &Node) -> Option<u8> {
        let now = state.database.now;
        let held = node.memory.filter(|held| held.is_accepted)?;
        let is_own_and_young = held.loaded_at.is_some_and(|at| now <= at + self.bound);
        (self.is_anchored(node, now) || is_own_and_young).then_some(held.entry.value)
    }

    /// What a read whose answer from Redis arrives now would be answered with.
    fn redis_serves(&self, node: &Node) -> Option<(u8, u8)> {
        let (entry, started) = node.answer?;
        let is_accepted = !self.rules.follow(Rule::JudgeRemote) || self.accepts(node, entry);
        (is_accepted && self.is_anchored(node, started)).then_some((entry.value, started))
    }

    /// Every value that would be served, with the start of its read.
    fn served(&self, state: &State) -> impl Iterator<Item = (u8, u8)> {
        state.nodes.iter().flat_map(move |node| {
            let memory = self.memory_serves(state, node);
            let memory = memory.map(|value| (value, state.database.now));
            memory.into_iter().chain(self.redis_serves(node))
        })
    }

    fn keeps_the_promise(&self, state: &State) -> bool {
        self.served(state).all(|(value, started)| {
            let since = started.saturating_sub(self.bound);
            state.database.was_current(value, since)
        })
    }

    fn serves_memory(&self, state: &State) -> bool {
        let mut nodes = state.nodes.iter();
        nodes.any(|node| self.memory_serves(state, node).is_some())
    }

    fn serves_a_hit_of_redis(&self, state: &State) -> bool {
        let mut nodes = state.nodes.iter();
        nodes.any(|node| self.redis_serves(node).is_some())
    }

    fn refuses_an_entry_of_redis(&self, state: &State) -> bool {
        state.nodes.iter().any(|node| {
            let answer = node.known.and(node.answer);
            answer.is_some_and(|(entry, _)| !self.accepts(node, entry))
        })
    }

    fn serves_an_old_value(&self, state: &State) -> bool {
        let mut served = self.served(state);
        served.any(|(value, _)| !state.database.is_current(value))
    }

    fn keeps_a_demoted_entry(&self, state: &State) -> bool {
        let mut held = state.nodes.iter().filter_map(|node| node.memory);
        held.any(|held| !held.is_accepted)
    }

    fn sees_a_load_overtaken(&self, state: &State) -> bool {
        state.nodes.iter().any(|node| {
            matches!(node.load, Load::Read { entry, .. }
                if node.known.is_some() && !self.accepts(node, entry))
        })
    }

    fn serves_an_own_load_unanchored(&self, state: &State) -> bool {
        let now = state.database.now;
        state
            .nodes
            .iter()
            .any(|node| self.memory_serves(state, node).is_some() && !self.is_anchored(node, now))
    }
}

impl Model for Core {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            database: Database::new(),
            cell: Cell::Empty,
            replica: Cell::Empty,
            left: self.limits,
            nodes: [Node::booted(), Node::booted()],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.step(&mut next, action);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("no value is older than the bound", Self::keeps_the_promise),
            Property::sometimes("memory is served", Self::serves_memory),
            Property::sometimes("a hit in Redis is served", Self::serves_a_hit_of_redis),
            Property::sometimes(
                "an entry of Redis is refused",
                Self::refuses_an_entry_of_redis,
            ),
            Property::sometimes("an old value is served", Self::serves_an_old_value),
            Property::sometimes("a demoted entry is kept", Self::keeps_a_demoted_entry),
            Property::sometimes("a load is overtaken", Self::sees_a_load_overtaken),
        ];
        if self.bound > 0 {
            properties.push(Property::sometimes(
                "an own load is served without an anchor",
                Self::serves_an_own_load_unanchored,
            ));
        }
        properties
    }
}
