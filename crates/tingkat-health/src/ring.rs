//! The last looks, as many as the longest window needs, and what grew between them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::field::Field;
use crate::look::{Look, Redis};
use crate::server::Server;

/// More looks than this are not kept, however short the interval is.
const MOST_LOOKS: usize = 400;

/// What happened within this time shows in rates and counts.
pub const SHORT: Duration = Duration::from_mins(1);

/// The same for what is rare, or needs many to be judged.
pub const LONG: Duration = Duration::from_mins(5);

/// The last looks.
#[derive(Debug, Default)]
pub struct Ring {
    looks: VecDeque<Held>,
}

/// A look with what was made of it when it came.
#[derive(Debug)]
struct Held {
    look: Look,
    /// For each server the number of its life: counters of two lives have nothing in common.
    lives: Vec<Life>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Life {
    number: u64,
    /// It began with this look, in another process than before.
    is_restarted: bool,
    /// The most replicas that this process was ever seen with.
    most_replicas: f64,
}

/// How much a counter grew, and in what time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grown {
    /// By how much.
    pub by: f64,
    /// In how many seconds; never 0.
    pub seconds: f64,
}

impl Grown {
    /// Per second; as if it took a whole one at least, since one event in a tenth of it is no rate of ten.
    pub fn per_second(self) -> f64 {
        self.by / self.seconds.max(1.0)
    }
}

impl Ring {
    /// Takes in a look; one that is not later than the last is left out.
    pub fn take(&mut self, look: Look) {
        if self.latest().is_some_and(|last| look.at <= last.at) {
            return;
        }
        let servers = look.redis.as_ref().map_or(&[][..], |redis| &redis.servers);
        let lives = servers.iter().map(|server| self.life(server)).collect();
        let (edge, oldest) = (
            look.at.saturating_sub(LONG),
            look.at.saturating_sub(2 * LONG),
        );
        let at = |looks: &VecDeque<Held>, index| looks.get(index).map(|held: &Held| held.look.at);
        // One look before the edge stays: a window begins with it.
        while self.looks.len() >= MOST_LOOKS
            || at(&self.looks, 0).is_some_and(|at| at < oldest)
            || at(&self.looks, 1).is_some_and(|at| at <= edge)
        {
            self.looks.pop_front();
        }
        self.looks.push_back(Held { look, lives });
    }

    /// The last look.
    pub fn latest(&self) -> Option<&Look> {
        self.looks.back().map(|held| &held.look)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.looks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }

    /// The life of a server that was just seen.
    fn life(&self, server: &Server) -> Life {
        let mut earlier = self
            .looks
            .iter()
            .rev()
            .filter_map(|held| held.server(&server.name));
        let replicas = server.number(Field::Replicas).unwrap_or(0.0);
        let Some((last, life)) = earlier.next() else {
            return Life {
                most_replicas: replicas,
                ..Life::default()
            };
        };
        let known = Life {
            is_restarted: false,
            most_replicas: life.most_replicas.max(replicas),
            ..life
        };
        if !server.tells() {
            return known;
        }
        // While it was away or busy nothing was told that could be compared.
        let last = if last.tells() {
            Some(last)
        } else {
            let told = earlier.find(|(server, _)| server.tells());
            told.map(|(server, _)| server)
        };
        match last {
            Some(last) if !server.continues(last) => {
                let is_restarted = server.is_another_process(last);
                Life {
                    number: life.number + 1,
                    is_restarted,
                    most_replicas: if is_restarted {
                        replicas
                    } else {
                        known.most_replicas
                    },
                }
            }
            _ => known,
        }
    }

    /// The looks of a window, the oldest first, up to and including the last one.
    fn window(&self, window: Duration) -> impl DoubleEndedIterator<Item = &Held> {
        let since = self.edge(window);
        self.looks.iter().filter(move |held| held.look.at >= since)
    }

    /// The same, from the last look before the edge on, so that what is compared is a window apart
    /// however rarely it is looked; but no look that is twice as old.
    fn since_before(&self, window: Duration) -> impl DoubleEndedIterator<Item = &Held> {
        let (edge, oldest) = (self.edge(window), self.edge(2 * window));
        let is_before = |held: &&Held| held.look.at <= edge && held.look.at >= oldest;
        let first = self.looks.iter().rev().find(is_before);
        let since = first.map_or(edge, |held| held.look.at);
        self.looks.iter().filter(move |held| held.look.at >= since)
    }

    fn edge(&self, window: Duration) -> Duration {
        self.latest()
            .map_or(Duration::ZERO, |last| last.at.saturating_sub(window))
    }

    /// By how much a counter of a server grew; nothing where there is no look to compare with.
    pub fn grown(&self, server: &str, field: Field, window: Duration) -> Option<Grown> {
        self.grown_by(server, window, |server| server.number(field))
    }

    /// The same for a count that is read otherwise.
    pub fn grown_by(
        &self,
        server: &str,
        window: Duration,
        read: impl Fn(&Server) -> Option<f64>,
    ) -> Option<Grown> {
        let newest = self.looks.back()?;
        let (last, life) = newest.server(server)?;
        let now = read(last)?;
        let (at, before) = self.since_before(window).find_map(|held| {
            let (earlier, its_life) = held.server(server)?;
            let is_same = its_life.number == life.number && earlier.is_reached;
            Some((held.look.at, read(earlier).filter(|_| is_same)?))
        })?;
        let seconds = newest.look.at.saturating_sub(at).as_secs_f64();
        (seconds > 0.0).then(|| Grown {
            by: (now - before).max(0.0),
            seconds,
        })
    }

    /// By how much a count grew that stands for all servers together.
    pub fn redis_grown(
        &self,
        window: Duration,
        read: impl Fn(&Redis) -> Option<f64>,
    ) -> Option<Grown> {
        let newest = self.latest()?;
        let now = read(newest.redis.as_ref()?)?;
        let (at, before) = self.since_before(window).find_map(|held| {
            let before = read(held.look.redis.as_ref()?)?;
            Some((held.look.at, before))
        })?;
        let seconds = newest.at.saturating_sub(at).as_secs_f64();
        (seconds > 0.0).then(|| Grown {
            by: (now - before).max(0.0),
            seconds,
        })
    }

    /// The smallest value of a number within a window, and how long ago the first of them was seen.
    pub fn least(&self, server: &str, field: Field, window: Duration) -> Option<(f64, Duration)> {
        let now = self.latest()?.at;
        let values = self.window(window).filter_map(|held| {
            let value = held.server(server)?.0.number(field)?;
            Some((value, now.saturating_sub(held.look.at)))
        });
        values.reduce(|(least, first), (value, _)| (value.min(least), first))
    }

    /// The most replicas that the process of a server was ever seen with.
    pub fn most_replicas(&self, server: &str) -> Option<f64> {
        let (_, life) = self.looks.back()?.server(server)?;
        Some(life.most_replicas)
    }

    /// How often a server was started anew within a window; nothing before its second look.
    pub fn restarts(&self, server: &str, window: Duration) -> Option<usize> {
        let held = self.window(window).filter_map(|held| held.server(server));
        let (mut looks, mut restarts) = (0, 0);
        for (_, life) in held {
            looks += 1;
            restarts += usize::from(life.is_restarted);
        }
        (looks > 1 || restarts > 0).then_some(restarts)
    }

    /// The oldest look of a window and the last one, where these are two.
    pub fn ends(&self, window: Duration) -> Option<(&Look, &Look)> {
        let newest = self.latest()?;
        let oldest = &self.since_before(window).next()?.look;
        (oldest.at < newest.at).then_some((oldest, newest))
    }

    /// The same of what a look says of Redis, and how far apart the two are.
    pub fn redis_ends(&self, window: Duration) -> Option<(Duration, &Redis, &Redis)> {
        let newest = self.latest()?;
        let mut looks = self.since_before(window).map(|held| &held.look);
        let oldest = looks.find(|look| look.redis.is_some())?;
        let span = newest.at.saturating_sub(oldest.at);
        let (before, now) = (oldest.redis.as_ref()?, newest.redis.as_ref()?);
        (!span.is_zero()).then_some((span, before, now))
    }

    /// How many of the last looks in a row were of this kind.
    pub fn in_a_row(&self, is_so: impl Fn(&Look) -> bool) -> usize {
        let newest_first = self.looks.iter().rev();
        newest_first.take_while(|held| is_so(&held.look)).count()
    }
}

impl Held {
    fn server(&self, name: &str) -> Option<(&Server, Life)> {
        let servers = &self.look.redis.as_ref()?.servers;
        let mut pairs = servers.iter().zip(&self.lives);
        let (server, life) = pairs.find(|(server, _)| server.name == name)?;
        Some((server, *life))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: u64, run_id: &str, commands: f64) -> Look {
        let mut server = Server::unknown("one");
        server.is_reached = true;
        server.run_id = Some(run_id.to_owned());
        server.set(Field::Commands, commands);
        server.set(Field::Evicted, 7.0);
        of(at, server)
    }

    fn of(at: u64, server: Server) -> Look {
        Look {
            at: Duration::from_secs(at),
            redis: Some(Redis {
                servers: vec![server],
                ..Redis::default()
            }),
            ..Look::default()
        }
    }

    fn grown(ring: &Ring) -> Option<f64> {
        Some(ring.grown("one", Field::Commands, SHORT)?.by)
    }

    #[expect(clippy::float_cmp, reason = "whole numbers, and one division")]
    #[test]
    fn one_look_tells_no_rate_and_two_do() {
        let mut ring = Ring::default();
        ring.take(look(10, "a", 5.0));
        assert_eq!(grown(&ring), None);
        ring.take(look(20, "a", 9.0));
        let told = ring.grown("one", Field::Commands, SHORT).unwrap();
        assert_eq!((told.by, told.seconds), (4.0, 10.0));
        assert_eq!(told.per_second(), 0.4);
        let early = Grown {
            by: 1.0,
            seconds: 0.1,
        };
        assert_eq!(early.per_second(), 1.0);
        assert_eq!(ring.grown("two", Field::Commands, SHORT), None);
    }

    #[expect(clippy::float_cmp, reason = "whole numbers")]
    #[test]
    fn what_left_the_window_does_not_count() {
        let mut ring = Ring::default();
        for (at, commands) in [(0, 0.0), (30, 100.0), (60, 110.0), (95, 111.0)] {
            ring.take(look(at, "a", commands));
        }
        // From the last look before the edge of the window on.
        assert_eq!(grown(&ring), Some(11.0));
        assert_eq!(ring.grown("one", Field::Commands, LONG).unwrap().by, 111.0);
    }

    #[expect(clippy::float_cmp, reason = "whole numbers")]
    #[test]
    fn who_looks_but_once_a_minute_has_something_to_compare_with() {
        let mut ring = Ring::default();
        for (at, commands) in [(0, 0.0), (64, 100.0), (130, 130.0)] {
            ring.take(look(at, "a", commands));
        }
        let told = ring.grown("one", Field::Commands, SHORT).unwrap();
        assert_eq!((told.by, told.seconds), (30.0, 66.0));
        let (before, now) = ring.ends(SHORT).unwrap();
        assert_eq!((before.at.as_secs(), now.at.as_secs()), (64, 130));
        // But not with what is much older.
        ring.take(look(270, "a", 200.0));
        assert_eq!(grown(&ring), None);
        for at in (280..1_000).step_by(64) {
            ring.take(look(at, "a", 200.0));
        }
        let span = ring.grown("one", Field::Commands, LONG).unwrap().seconds;
        assert_eq!(span, 320.0);
    }

    #[test]
    fn a_look_that_told_nothing_is_no_end_of_a_life() {
        let mut ring = Ring::default();
        ring.take(look(0, "a", 5.0));
        let mut busy = Server::unknown("one");
        busy.is_reached = true;
        ring.take(of(10, busy));
        ring.take(look(20, "a", 9.0));
        assert_eq!(grown(&ring), Some(4.0));
        assert_eq!(ring.restarts("one", LONG), Some(0));
    }

    #[test]
    fn counters_that_were_reset_or_restarted_begin_a_life_of_their_own() {
        let mut ring = Ring::default();
        ring.take(look(0, "a", 500.0));
        ring.take(look(10, "a", 3.0));
        assert_eq!(grown(&ring), None, "a reset");
        assert_eq!(ring.restarts("one", LONG), Some(0));
        ring.take(look(20, "a", 5.0));
        assert_eq!(grown(&ring), Some(2.0));
        // More than before, and of another process all the same.
        ring.take(look(30, "b", 900.0));
        assert_eq!(grown(&ring), None, "a restart");
        assert_eq!(ring.restarts("one", LONG), Some(1));
        ring.take(look(40, "b", 901.0));
        assert_eq!(grown(&ring), Some(1.0));
        assert_eq!(ring.restarts("one", LONG), Some(1));
    }

    #[test]
    fn one_counter_that_shrinks_tells_that_all_were_reset() {
        let mut ring = Ring::default();
        ring.take(look(0, "a", 500.0));
        let mut later = look(10, "a", 600.0);
        later.redis.as_mut().unwrap().servers[0].set(Field::Evicted, 0.0);
        ring.take(later);
        assert_eq!(grown(&ring), None);
    }

    #[test]
    fn a_restart_behind_an_outage_is_seen_and_an_outage_alone_is_none() {
        let mut ring = Ring::default();
        ring.take(look(0, "a", 1.0));
        ring.take(of(10, Server::unknown("one")));
        assert_eq!(grown(&ring), None);
        ring.take(look(20, "a", 4.0));
        assert_eq!(
            (grown(&ring), ring.restarts("one", LONG)),
            (Some(3.0), Some(0))
        );
        ring.take(of(30, Server::unknown("one")));
        ring.take(look(40, "b", 9.0));
        assert_eq!((grown(&ring), ring.restarts("one", LONG)), (None, Some(1)));
    }

    #[test]
    fn the_ring_is_bounded_and_time_goes_forward_only() {
        let mut ring = Ring::default();
        for at in 0..2_000_u32 {
            let mut look = look(0, "a", 0.0);
            look.at = Duration::from_millis(u64::from(at));
            ring.take(look);
        }
        assert_eq!(ring.len(), MOST_LOOKS);
        ring.take(look(1, "a", 0.0));
        assert_eq!(ring.len(), MOST_LOOKS, "an old look came in");
        ring.take(look(1_000, "a", 0.0));
        assert_eq!(ring.len(), 1);
    }
}
