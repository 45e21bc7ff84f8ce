//! What one look saw of one server. Whatever a server did not tell is missing, and never guessed.

use crate::field::Field;

/// A server may know more commands than this; only those that it ran most are kept.
pub const MOST_COMMANDS: usize = 48;

/// What one server said about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Where it is, without a login.
    pub name: String,
    /// Whether it answered.
    pub is_reached: bool,
    /// How long its answer took, in milliseconds.
    pub answer_ms: Option<f64>,
    /// Which process it is; another one after a restart.
    pub run_id: Option<String>,
    /// `master`, `slave` or `sentinel`.
    pub role: Option<String>,
    /// What is removed where it is full.
    pub policy: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Whether it is a node of a cluster.
    pub is_clustered: Option<bool>,
    /// How often each command ran and how long that took; those that ran most.
    pub commands: Option<Vec<Command>>,
    numbers: [Option<f64>; Field::COUNT],
}

/// How often a command ran, and the time that all its calls took.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Its name, never its arguments.
    pub name: String,
    /// Calls since the counters began.
    pub calls: f64,
    /// Microseconds of all of them.
    pub micros: f64,
}

impl Server {
    /// A server of which nothing is known.
    pub fn unknown(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_reached: false,
            answer_ms: None,
            run_id: None,
            role: None,
            policy: None,
            version: None,
            is_clustered: None,
            commands: None,
            numbers: [None; Field::COUNT],
        }
    }

    /// A number, if the server told it.
    pub fn number(&self, field: Field) -> Option<f64> {
        self.numbers.get(field as usize).copied().flatten()
    }

    /// Takes in a number; one that is none is as good as missing.
    pub fn set(&mut self, field: Field, value: f64) {
        self.put(field, Some(value).filter(|value| value.is_finite()));
    }

    /// Takes in that a number is missing.
    pub fn unset(&mut self, field: Field) {
        self.put(field, None);
    }

    /// Adds to a number, which is 0 until then.
    pub fn add(&mut self, field: Field, value: f64) {
        self.set(field, self.number(field).unwrap_or(0.0) + value);
    }

    fn put(&mut self, field: Field, value: Option<f64>) {
        if let Some(place) = self.numbers.get_mut(field as usize) {
            *place = value;
        }
    }

    /// Whether it follows another server.
    pub fn is_replica(&self) -> Option<bool> {
        Some(matches!(self.role.as_deref()?, "slave" | "replica"))
    }

    /// Whether it can make room when it is full: its policy removes keys, and there are keys that it
    /// may remove.
    pub fn can_evict(&self) -> Option<bool> {
        let policy = self.policy.as_deref()?;
        if policy.starts_with("allkeys") {
            return Some(true);
        }
        if !policy.starts_with("volatile") {
            return Some(false);
        }
        let (keys, expires) = (self.number(Field::Keys)?, self.number(Field::Expires)?);
        // Without keys nobody can tell; the first ones will show.
        Some(keys == 0.0 || expires >= keys / 10.0)
    }

    /// Whether it told anything about itself: one that a script keeps busy answers, and tells nothing.
    pub(crate) fn tells(&self) -> bool {
        let has = |field| self.number(field).is_some();
        self.run_id.is_some() || has(Field::Uptime) || has(Field::Commands)
    }

    /// Whether the counters of this look go on from those of an earlier one: the same process, and
    /// nobody reset them.
    pub(crate) fn continues(&self, earlier: &Self) -> bool {
        if self.run_id != earlier.run_id {
            return false;
        }
        let shrank = |field: Field| match (earlier.number(field), self.number(field)) {
            (Some(before), Some(now)) => now < before,
            _ => false,
        };
        let counters = Field::ALL.iter().copied();
        let mut counters = counters.filter(|field| field.kind() == crate::field::Kind::Counter);
        !shrank(Field::Uptime) && !counters.any(shrank)
    }

    /// Whether this is another process than that of an earlier look.
    pub(crate) fn is_another_process(&self, earlier: &Self) -> bool {
        if let (Some(now), Some(before)) = (&self.run_id, &earlier.run_id) {
            return now != before;
        }
        let (now, before) = (self.number(Field::Uptime), earlier.number(Field::Uptime));
        matches!((now, before), (Some(now), Some(before)) if now < before)
    }
}
