//! What a check may look at. Whatever it reads becomes its evidence, so the two can not differ.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::buckets::{Buckets, exact};
use crate::field::{Field, number};
use crate::look::{Entity, Look, Redis};
use crate::ring::{Grown, Ring};
use crate::server::Server;

/// The looks, and the server or the entity that is judged.
pub(crate) struct View<'a> {
    pub(crate) ring: &'a Ring,
    pub(crate) look: &'a Look,
    pub(crate) server: Option<&'a Server>,
    pub(crate) entity: Option<&'a Entity>,
    evidence: RefCell<Vec<String>>,
    /// How far apart the looks were that were compared.
    span: Cell<Option<f64>>,
}

impl<'a> View<'a> {
    /// A look at everything.
    pub(crate) fn new(ring: &'a Ring, look: &'a Look) -> Self {
        Self {
            ring,
            look,
            server: None,
            entity: None,
            evidence: RefCell::default(),
            span: Cell::new(None),
        }
    }

    /// A look at one server.
    pub(crate) fn of_server(ring: &'a Ring, look: &'a Look, server: &'a Server) -> Self {
        Self {
            server: Some(server),
            ..Self::new(ring, look)
        }
    }

    /// A look at one cache.
    pub(crate) fn of_entity(ring: &'a Ring, look: &'a Look, entity: &'a Entity) -> Self {
        Self {
            entity: Some(entity),
            ..Self::new(ring, look)
        }
    }

    /// What was read so far.
    pub(crate) fn into_evidence(self) -> Vec<String> {
        self.evidence.into_inner()
    }

    /// How many seconds the looks were apart that were compared, if any were.
    pub(crate) fn span(&self) -> Option<f64> {
        self.span.get()
    }

    /// Takes in how far apart looks were that are compared.
    pub(crate) fn spans(&self, seconds: f64) {
        let widest = self.span.get().map_or(seconds, |span| span.max(seconds));
        self.span.set(Some(widest));
    }

    /// The ends of a window.
    pub(crate) fn ends(&self, window: Duration) -> Option<(&'a Look, &'a Look)> {
        let (before, now) = self.ring.ends(window)?;
        self.spans(now.at.saturating_sub(before.at).as_secs_f64());
        Some((before, now))
    }

    /// Writes down what was read.
    pub(crate) fn note(&self, name: &str, value: impl std::fmt::Display) {
        let line = format!("{name}={value}");
        let mut evidence = self.evidence.borrow_mut();
        if !evidence.contains(&line) {
            evidence.push(line);
        }
    }

    pub(crate) fn redis(&self) -> Option<&'a Redis> {
        self.look.redis.as_ref()
    }

    /// A number of the server.
    pub(crate) fn read(&self, field: Field) -> Option<f64> {
        let value = self.server?.number(field)?;
        self.note(field.name(), field.shown(value));
        Some(value)
    }

    /// By how much a counter of the server grew.
    pub(crate) fn grown(&self, field: Field, window: Duration) -> Option<Grown> {
        let grown = self.ring.grown(&self.server?.name, field, window)?;
        self.spans(grown.seconds);
        self.note_growth(field.name(), grown);
        Some(grown)
    }

    fn note_growth(&self, name: &str, grown: Grown) {
        let (by, seconds) = (number(grown.by), grown.seconds);
        self.note(&format!("{name}_in_{seconds:.0}s"), by);
    }

    /// What removes keys where the server is full.
    pub(crate) fn policy(&self) -> Option<&'a str> {
        let policy = self.server?.policy.as_deref()?;
        self.note("maxmemory_policy", policy);
        Some(policy)
    }

    /// Whether the server can make room.
    pub(crate) fn can_evict(&self) -> Option<bool> {
        let policy = self.policy()?;
        if policy.starts_with("volatile") {
            self.read(Field::Expires)?;
            self.read(Field::Keys)?;
        }
        self.server?.can_evict()
    }

    /// Used memory as a share of what the server may use, in percent; nothing without a limit.
    pub(crate) fn fullness(&self) -> Option<f64> {
        let (used, most) = (self.read(Field::UsedMemory)?, self.read(Field::MaxMemory)?);
        (most > 0.0).then(|| used / most * 100.0)
    }

    /// The round trips and the bytes written within a window, and failures.
    pub(crate) fn tier(&self, window: Duration) -> Option<Tier> {
        let (span, before, now) = self.ring.redis_ends(window)?;
        self.spans(span.as_secs_f64());
        Some(Tier {
            round_trips: now.round_trips.since(&before.round_trips),
            written: now.written.since(&before.written),
            failures: now.failures.saturating_sub(before.failures),
        })
    }

    /// What the cache was like at the beginning of a window, and what it is like now.
    pub(crate) fn entity_ends(&self, window: Duration) -> Option<(&'a Entity, &'a Entity)> {
        let now = self.entity?;
        let (before, _) = self.ends(window)?;
        let before = before.entities.iter().find(|it| it.name == now.name)?;
        Some((before, now))
    }

    /// The sum over all caches of what a counter grew by.
    pub(crate) fn all_grown(&self, window: Duration, of: fn(&Entity) -> u64) -> Option<f64> {
        let (before, now) = self.ends(window)?;
        let grown = now.entities.iter().filter_map(|it| {
            let earlier = before.entities.iter().find(|old| old.name == it.name)?;
            Some(of(it).saturating_sub(of(earlier)))
        });
        Some(exact(grown.sum()))
    }
}

/// What the tier did within a window.
pub(crate) struct Tier {
    pub(crate) round_trips: Buckets,
    pub(crate) written: Buckets,
    pub(crate) failures: u64,
}
