//! One attempt to connect, and what the server that it finds is good for.

use std::sync::atomic::Ordering;

use redis::{PushInfo, PushKind};
use tokio_util::sync::CancellationToken;

use super::{Expected, Link, Live, Way};
use crate::dial::{Welcome, dial, greet};
use crate::hello::Kind;
use crate::place::Place;
use crate::rights::Rights;
use crate::state::State;

/// What an attempt to connect found.
pub(super) enum Found {
    Live(Box<Live>),
    /// A server of another kind than was expected.
    Other(Kind),
}

impl Link {
    pub(super) async fn connect(&self) -> Result<Found, String> {
        let places = match &self.way {
            Way::Fixed(places) => places.clone(),
            Way::Master(sentinels) => sentinels.masters().await?,
        };
        let mut why = "there is no server to connect to".to_owned();
        for place in places {
            match self.connect_to(&place).await {
                Ok(found) => return Ok(found),
                Err(reason) => why = format!("{place}: {reason}"),
            }
        }
        Err(why)
    }

    async fn connect_to(&self, place: &Place) -> Result<Found, String> {
        let gone = CancellationToken::new();
        let told = gone.clone();
        // Otherwise the next customer would be the one to find an idle connection dead.
        let pushed = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                told.cancel();
            }
        };
        let config = &self.config;
        let mut connection = dial(place, &config.address, config, pushed).await?;
        let welcome = greet(&mut connection, config).await?;
        Ok(match self.judge(&welcome, place)? {
            Ok(state) => Found::Live(Box::new(Live {
                generation: self.generation.fetch_add(1, Ordering::Relaxed) + 1,
                place: place.clone(),
                connection,
                gone,
                state,
            })),
            Err(kind) => Found::Other(kind),
        })
    }

    /// What a server is good for, or what else it is than was expected.
    pub(super) fn judge(
        &self,
        welcome: &Welcome,
        place: &Place,
    ) -> Result<Result<State, Kind>, String> {
        let hello = welcome.hello;
        if self.expected == Expected::Anything && hello.kind != Kind::Standalone {
            return Ok(Err(hello.kind));
        }
        if hello.kind == Kind::Sentinel {
            return Err("this is a Sentinel: redis.mode must be sentinel".to_owned());
        }
        let mut lines = match &welcome.rights {
            Rights::Whole => Vec::new(),
            Rights::Lacking(line) => vec![line.clone()],
            Rights::Useless(line) => return Err(line.clone()),
        };
        match (self.expected, hello.kind) {
            (Expected::Standalone, Kind::ClusterNode) => {
                lines.push(
                    "this is a node of a cluster, which has but a part of the keys: redis.mode should be cluster"
                        .to_owned(),
                );
            }
            (Expected::Master, _) if !hello.is_master => {
                return Err("the Sentinels name it, but it is no master".to_owned());
            }
            (Expected::Anything | Expected::Standalone, _) if !hello.is_master => {
                lines.push("this is a replica, which refuses writes".to_owned());
            }
            _ => {}
        }
        Ok(Ok(if lines.is_empty() {
            State::Up
        } else {
            State::Limited(format!("{place}: {}", lines.join("; ")))
        }))
    }
}
