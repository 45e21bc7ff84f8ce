//! The faults in force: plain data that the control writes and every connection follows.

use std::time::Duration;

use crate::direction::Way;

/// Everything that is wrong with the proxy at this moment. The default is: nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// What a new connection meets.
    pub(crate) entrance: Entrance,
    /// How often `entrance` was set: the acceptor answers with the number that it has carried out.
    pub(crate) entrance_order: u64,
    /// Connections with a lower number are closed.
    pub(crate) severed_below: u64,
    /// Connections with a lower number are reset.
    pub(crate) reset_below: u64,
    /// The most connections at the same time, if fewer than the proxy carries anyway.
    pub(crate) limit: Option<usize>,
    /// How often a cut was ordered: a new order counts its bytes afresh.
    pub(crate) cuts: u64,
    up: LaneFaults,
    down: LaneFaults,
}

/// What a new connection meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// It is carried.
    #[default]
    Open,
    /// The port does not listen.
    Refusing,
    /// It is accepted and reset.
    Resetting,
}

/// The faults of one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LaneFaults {
    /// Bytes are held.
    pub(crate) paused: bool,
    /// Each chunk waits.
    pub(crate) delay: Option<Delay>,
    /// The connection ends after some bytes.
    pub(crate) cut: Option<Cut>,
    /// In connections with a lower number this way has ended.
    pub(crate) ended_below: u64,
}

/// How long a chunk waits: `base` plus up to `jitter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) base: Duration,
    pub(crate) jitter: Duration,
}

/// How many bytes a connection may still carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Which order this is.
    pub(crate) order: u64,
    pub(crate) after: u64,
}

impl Faults {
    /// The faults of one way.
    pub(crate) fn lane(&self, way: Way) -> &LaneFaults {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    /// The faults of one way, to change them.
    pub(crate) fn lane_mut(&mut self, way: Way) -> &mut LaneFaults {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    /// Sets what a new connection meets and returns the number of this order.
    pub(crate) fn set_entrance(&mut self, entrance: Entrance) -> u64 {
        self.entrance = entrance;
        self.entrance_order += 1;
        self.entrance_order
    }

    /// Ends every fault that lasts. What has ended a connection, or half of it, stays done.
    pub(crate) fn heal(&mut self) -> u64 {
        for lane in [&mut self.up, &mut self.down] {
            lane.paused = false;
            lane.delay = None;
            lane.cut = None;
        }
        self.limit = None;
        self.set_entrance(Entrance::Open)
    }
}
