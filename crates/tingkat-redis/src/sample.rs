//! Looks at every server, on connections of its own: nobody's request waits for a look, and no look
//! waits for a request.
//!
//! One round trip a server and look. What the user may not do is tried once for each connection and
//! then left alone: each attempt would count as an error on the server.

mod exposure;
mod seat;
mod sizes;
mod spikes;

use std::fmt;
use std::sync::Arc;

use futures::future::join_all;
use tingkat::ports::Clock;
use tingkat_health::{Redis, Server};

use self::seat::Seat;
use crate::config::Config;
use crate::place::Place;
use crate::topology::{Hub, Topology};

pub(crate) use self::sizes::Sizes;

/// More servers than this are not looked at.
const MOST_SERVERS: usize = 256;

/// Looks at the servers of a tier.
pub struct Sampler {
    config: Arc<Config>,
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    sizes: Arc<Sizes>,
    seats: Vec<Seat>,
}

impl Sampler {
    pub(crate) fn new(
        config: Arc<Config>,
        hub: Arc<Hub>,
        clock: Arc<dyn Clock>,
        sizes: Arc<Sizes>,
    ) -> Self {
        Self {
            config,
            hub,
            clock,
            sizes,
            seats: Vec::new(),
        }
    }

    /// What each server says now, and the tier about itself. What the caches counted is not in it.
    pub async fn sample(&mut self) -> Redis {
        let topology = self.hub.topology();
        self.seat(topology.places(&self.config));
        let (config, clock) = (&self.config, &*self.clock);
        let looks = self.seats.iter_mut().map(|seat| seat.look(config, clock));
        let sentinels = async {
            match &*topology {
                Topology::Master(_, sentinels) => Some(sentinels.sample().await),
                Topology::One(_) | Topology::Cluster(_) => None,
            }
        };
        let (servers, sentinels): (Vec<Server>, _) = tokio::join!(join_all(looks), sentinels);
        let state = self.hub.state().borrow().clone();
        Redis {
            servers,
            sentinels,
            is_usable: state.is_usable(),
            limit: state.for_anybody(),
            written: self.sizes.counts(),
            ..Redis::default()
        }
    }

    /// Keeps the connections to servers that are still there, and no others.
    fn seat(&mut self, places: Vec<Place>) {
        let mut old = std::mem::take(&mut self.seats);
        for place in places.into_iter().take(MOST_SERVERS) {
            let known = old.iter().position(|seat| *seat.place() == place);
            self.seats.push(match known {
                Some(index) => old.swap_remove(index),
                None => Seat::new(place),
            });
        }
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("servers", &self.seats.len())
            .finish_non_exhaustive()
    }
}
