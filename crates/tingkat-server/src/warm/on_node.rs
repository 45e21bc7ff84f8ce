//! On a node that runs: into its memory, and into Redis.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Map, Value, json};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat::warm::{End, EntityReport, Report};

use super::begin::{Begun, Start};
use super::told::Progress;
use super::{Keys, listed};
use crate::cli::{self, Warm};
use crate::config::{Loaded, Surroundings};
use crate::exit::{Code, Failure};
use crate::running_node::RunningNode;
use crate::signals::Interrupts;

const PATH: &str = "/v1/warm";

/// The problem of a node where another run goes on.
const BUSY: &str = "warm_running";

/// How often the node is asked how far it is.
const LOOK: Duration = Duration::from_millis(250);

/// Keys in one request, and their bytes.
const MOST_KEYS: usize = 5_000;
const MOST_BYTES: usize = 400 << 10;

/// How often a node that does not answer is asked again, each time after a longer pause.
const ATTEMPTS: u32 = 5;

/// Without a time limit so long is waited for the end of a run that somebody else wanted.
const PATIENCE: Duration = Duration::from_mins(5);

/// Why a node is not asked on, and what it did so far.
pub(super) struct Broken {
    pub(super) failure: Failure,
    pub(super) so_far: Option<Report>,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        let so_far = None;
        Self { failure, so_far }
    }
}

/// Has the node warm, and waits for it.
pub(super) async fn warm(
    arguments: &Warm,
    loaded: Loaded,
    surroundings: &Surroundings,
    progress: &Progress,
    interrupts: &Interrupts,
) -> Result<Report, Broken> {
    let service = cli::Service {
        url: arguments.url.clone(),
    };
    let top = arguments
        .top
        .unwrap_or_else(|| loaded.settings.size("warm.top"));
    let start = Start::now(arguments.timeout, interrupts);
    let node = RunningNode::find(&service, loaded, surroundings)?;
    let listed = match start.with(listed_keys(&node, arguments, top)).await? {
        Begun::Well(listed) => listed,
        Begun::Ended(report) => return Ok(report),
    };
    let mut body = options(arguments);
    let asked = Asked {
        node: &node,
        progress,
        start: &start,
        bytes: arguments.bytes.filter(|bytes| *bytes > 0),
        look: LOOK,
    };
    if let Some(keys) = listed {
        return asked.all_parts(&body, parts(keys)).await;
    }
    if !arguments.entities.is_empty() {
        body.insert("entities".to_owned(), json!(arguments.entities));
    }
    if let Some(top) = arguments.top {
        body.insert("top".to_owned(), json!(top));
    }
    asked.carry_out(body, None).await
}

/// The keys of the list that is named, if one is.
async fn listed_keys(
    node: &RunningNode,
    arguments: &Warm,
    top: usize,
) -> Result<Option<Keys>, Failure> {
    let (known, named) = (known_entities(node).await?, arguments.entities.clone());
    let is_entity = move |name: &str| {
        let is_wanted = named.is_empty() || named.iter().any(|it| it == name);
        is_wanted && known.iter().any(|it| it == name)
    };
    listed::given(arguments, top, is_entity).await
}

fn add(whole: &mut Option<Report>, report: Report) {
    match whole {
        Some(whole) => whole.add(&report),
        None => *whole = Some(report),
    }
}

/// Leaves the keys of entities out that an earlier part was given up for.
fn not_given_up(keys: Keys, whole: &mut Option<Report>) -> Keys {
    let is_given_up = |entity: &str| {
        let mut known = whole.iter().flat_map(|report| &report.entities);
        known.any(|it| it.entity == entity && it.stopped.is_some())
    };
    let (given_up, others): (Keys, Keys) = keys
        .into_iter()
        .partition(|(entity, _)| is_given_up(entity));
    if !given_up.is_empty() {
        add(whole, untried(&given_up, End::Completed));
    }
    others
}

/// A report of keys that no node was told of.
fn untried(keys: &Keys, end: End) -> Report {
    let entities = keys.iter().map(|(entity, keys)| EntityReport {
        entity: entity.clone(),
        wanted: keys.len(),
        left: keys.len(),
        ..EntityReport::default()
    });
    Report {
        end,
        entities: entities.collect(),
        ..Report::default()
    }
}

async fn known_entities(node: &RunningNode) -> Result<Vec<String>, Failure> {
    let caches = node.get("/v1/caches").await?;
    let items = caches.get("items").and_then(Value::as_array);
    let names = items
        .into_iter()
        .flatten()
        .filter_map(|it| it.get("entity")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

fn options(arguments: &Warm) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        body.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("concurrency", arguments.concurrency.map(|it| json!(it)));
    put("rate", arguments.rate.map(|it| json!(it)));
    put("bytes", arguments.bytes.map(|it| json!(it)));
    put("validate", arguments.validate.then_some(Value::Bool(true)));
    put("dry_run", arguments.dry_run.then_some(Value::Bool(true)));
    body
}

/// The keys in requests that a node takes.
fn parts(keys: Keys) -> Vec<Keys> {
    let (mut parts, mut part) = (Vec::new(), Keys::new());
    let (mut count, mut bytes) = (0, 0);
    for (entity, keys) in keys {
        for key in keys {
            // Quotes, a comma, and escapes.
            let more = key.len() * 2 + 4;
            if count >= MOST_KEYS || bytes + more > MOST_BYTES {
                parts.push(std::mem::take(&mut part));
                (count, bytes) = (0, 0);
            }
            count += 1;
            bytes += more;
            part.entry(entity.clone()).or_default().push(key);
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// A node that is asked to warm.
struct Asked<'a> {
    node: &'a RunningNode,
    progress: &'a Progress,
    start: &'a Start<'a>,
    /// What all runs together may load, where there is a limit.
    bytes: Option<u64>,
    /// How often the node is asked how far it is.
    look: Duration,
}

impl Asked<'_> {
    /// One run for each part, until one is not gone through.
    async fn all_parts(
        &self,
        options: &Map<String, Value>,
        parts: Vec<Keys>,
    ) -> Result<Report, Broken> {
        let mut whole: Option<Report> = None;
        let mut parts = parts.into_iter();
        while let Some(keys) = parts.next() {
            let keys = not_given_up(keys, &mut whole);
            if keys.is_empty() {
                continue;
            }
            if let Some(end) = self.end(whole.as_ref()) {
                for keys in [keys].into_iter().chain(parts.by_ref()) {
                    add(&mut whole, untried(&keys, end));
                }
                break;
            }
            let mut body = options.clone();
            body.insert("keys".to_owned(), json!(keys));
            if let Some(bytes) = self.bytes_left(whole.as_ref()) {
                body.insert("bytes".to_owned(), json!(bytes));
            }
            let (report, failure) = match self.carry_out(body, whole.as_ref()).await {
                Ok(report) => (report, None),
                Err(Broken { failure, so_far }) => {
                    // Before the first part there is nothing to tell.
                    if so_far.is_none() && whole.is_none() {
                        return Err(failure.into());
                    }
                    (
                        so_far.unwrap_or_else(|| untried(&keys, End::Running)),
                        Some(failure),
                    )
                }
            };
            let end = report.end;
            add(&mut whole, report);
            if failure.is_some() || end != End::Completed {
                for keys in parts.by_ref() {
                    add(&mut whole, untried(&keys, end));
                }
            }
            if let Some(failure) = failure {
                return Err(Broken {
                    failure,
                    so_far: whole,
                });
            }
        }
        // A list without a key was refused.
        let whole = whole.ok_or_else(|| Failure::unexpected("nothing was warmed"))?;
        Ok(self.start.whole(whole))
    }

    /// Why no other run is begun after what was done, if none is.
    fn end(&self, done: Option<&Report>) -> Option<End> {
        if self.start.left().is_some_and(|left| left.is_zero()) {
            Some(End::TimedOut)
        } else if self.bytes_left(done) == Some(0) {
            Some(End::BytesReached)
        } else {
            None
        }
    }

    /// What is left of the bytes after what was done.
    fn bytes_left(&self, done: Option<&Report>) -> Option<u64> {
        let entities = done.map(|report| &report.entities).into_iter().flatten();
        let used = entities.map(|entity| entity.bytes).sum();
        Some(self.bytes?.saturating_sub(used))
    }

    /// Begins a run with what is left of the time, after the one that somebody else wanted. Nothing where
    /// the time ends before.
    async fn begin(&self, mut body: Map<String, Value>) -> Result<Option<Value>, Failure> {
        let patience = self.start.left().unwrap_or(PATIENCE);
        let waits = async {
            loop {
                if let Some(left) = self.start.left() {
                    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
                    body.insert("timeout_ms".to_owned(), json!(left));
                }
                let body = Value::Object(body.clone());
                let begun = self.node.post_unless(BUSY, PATH, &body).await?;
                if begun.is_some() {
                    return Ok(begun);
                }
                SystemClock.sleep(self.look).await;
            }
        };
        tokio::select! {
            begun = waits => begun,
            () = SystemClock.sleep(patience) => Ok(None),
        }
    }

    /// A run, after what was `before`.
    async fn carry_out(
        &self,
        body: Map<String, Value>,
        before: Option<&Report>,
    ) -> Result<Report, Broken> {
        let keys = body.get("keys").cloned();
        let not_begun = |end| {
            let keys = keys.and_then(|keys| serde_json::from_value(keys).ok());
            Ok(untried(&keys.unwrap_or_default(), end))
        };
        let begun = tokio::select! {
            begun = self.begin(body) => match begun? {
                Some(begun) => begun,
                None if self.start.left().is_some() => return not_begun(End::TimedOut),
                None => {
                    let line = "another run goes on at the node; DELETE /v1/warm ends it";
                    return Err(Failure::new(Code::Usage, line).into());
                }
            },
            () = self.start.interrupts().first() => return not_begun(End::Cancelled),
        };
        let run = begun.get("run").and_then(Value::as_u64).unwrap_or_default();
        let mut so_far = None;
        let outcome = self.ended_or_stopped(run, before, &mut so_far).await;
        outcome.map_err(|failure| Broken { failure, so_far })
    }

    async fn ended_or_stopped(
        &self,
        run: u64,
        before: Option<&Report>,
        so_far: &mut Option<Report>,
    ) -> Result<Report, Failure> {
        tokio::select! {
            report = self.ended(run, before, so_far) => return report,
            () = self.start.interrupts().first() => {}
        }
        let stopping = async {
            self.node.delete(PATH).await?;
            self.ended(run, before, so_far).await
        };
        tokio::select! {
            report = stopping => report,
            () = self.start.interrupts().second() => Err(Failure::new(Code::Interrupted, "stopped at once; the node may go on")),
        }
    }

    /// The report, once the node says that the run has ended.
    async fn ended(
        &self,
        run: u64,
        before: Option<&Report>,
        so_far: &mut Option<Report>,
    ) -> Result<Report, Failure> {
        loop {
            let standing = self.standing().await?;
            let of = |name: &str| {
                let shown = standing.get(name)?;
                let is_ours = shown.get("run").and_then(Value::as_u64) == Some(run);
                let report = shown.get("report").filter(|_| is_ours)?;
                serde_json::from_value::<Report>(report.clone()).ok()
            };
            if let Some(report) = of("last") {
                return Ok(report);
            }
            let Some(report) = of("running") else {
                let line = "the node was restarted, or warmed something else since";
                return Err(Failure::new(Code::Unexpected, line));
            };
            match before {
                Some(before) => {
                    let mut whole = before.clone();
                    whole.add(&report);
                    self.progress.tell(&whole);
                }
                None => self.progress.tell(&report),
            }
            *so_far = Some(report);
            SystemClock.sleep(self.look).await;
        }
    }

    /// How it stands. A node that is busy, or a network that hiccups, ends no run.
    async fn standing(&self) -> Result<Value, Failure> {
        let mut pause = self.look;
        for _ in 1..ATTEMPTS {
            match self.node.get(PATH).await {
                Err(failure) if failure.code() == Code::Unreachable => {}
                answer => return answer,
            }
            SystemClock.sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        self.node.get(PATH).await
    }
}
