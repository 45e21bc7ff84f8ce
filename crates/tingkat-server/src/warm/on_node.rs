//! On a node that runs: into its memory, and into Redis.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat::warm::Report;

use super::command::interrupted;
use super::told::Progress;
use super::{Keys, listed};
use crate::cli::{self, Warm};
use crate::config::{Loaded, Surroundings};
use crate::exit::{Code, Failure};
use crate::running_node::RunningNode;

const PATH: &str = "/v1/warm";

/// How often the node is asked how far it is.
const LOOK: Duration = Duration::from_millis(250);

/// Keys in one request, and their bytes.
const MOST_KEYS: usize = 5_000;
const MOST_BYTES: usize = 400 << 10;

/// Has the node warm, and waits for it.
pub(super) async fn warm(
    arguments: &Warm,
    loaded: Loaded,
    surroundings: &Surroundings,
    progress: &Progress,
) -> Result<Report, Failure> {
    let service = cli::Service {
        url: arguments.url.clone(),
    };
    let top = arguments
        .top
        .unwrap_or_else(|| loaded.settings.size("warm.top"));
    let node = RunningNode::find(&service, loaded, surroundings)?;
    let known = known_entities(&node).await?;
    let is_entity = |name: &str| {
        let is_wanted =
            arguments.entities.is_empty() || arguments.entities.iter().any(|it| it == name);
        is_wanted && known.iter().any(|it| it == name)
    };
    let Some(keys) = listed::given(arguments, top, is_entity)? else {
        let mut body = options(arguments);
        if !arguments.entities.is_empty() {
            body.insert("entities".to_owned(), json!(arguments.entities));
        }
        if let Some(top) = arguments.top {
            body.insert("top".to_owned(), json!(top));
        }
        return Run {
            node: &node,
            progress,
            before: None,
        }
        .carry_out(body)
        .await;
    };
    let mut whole: Option<Report> = None;
    for keys in parts(keys) {
        let mut body = options(arguments);
        body.insert("keys".to_owned(), json!(keys));
        let run = Run {
            node: &node,
            progress,
            before: whole.as_ref(),
        };
        let report = run.carry_out(body).await?;
        let is_through = report.end == tingkat::warm::End::Completed;
        match &mut whole {
            Some(whole) => whole.add(&report),
            None => whole = Some(report),
        }
        if !is_through {
            break;
        }
    }
    // A list without a key was refused.
    whole.ok_or_else(|| Failure::unexpected("nothing was warmed"))
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
    let millis = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX).max(1);
    put("timeout_ms", arguments.timeout.map(|it| json!(millis(it))));
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

/// One run of a node.
struct Run<'a> {
    node: &'a RunningNode,
    progress: &'a Progress,
    /// What was done before it.
    before: Option<&'a Report>,
}

impl Run<'_> {
    async fn carry_out(&self, body: Map<String, Value>) -> Result<Report, Failure> {
        let begun = self.node.post(PATH, &Value::Object(body)).await?;
        let run = begun.get("run").and_then(Value::as_u64).unwrap_or_default();
        tokio::select! {
            report = self.ended(run) => return report,
            () = interrupted() => {}
        }
        let stopping = async {
            self.node.delete(PATH).await?;
            self.ended(run).await
        };
        tokio::select! {
            report = stopping => report,
            () = interrupted() => Err(Failure::new(Code::Interrupted, "stopped at once; the node may go on")),
        }
    }

    /// The report, once the node says that the run has ended.
    async fn ended(&self, run: u64) -> Result<Report, Failure> {
        loop {
            let standing = self.node.get(PATH).await?;
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
            match self.before {
                Some(before) => {
                    let mut whole = before.clone();
                    whole.add(&report);
                    self.progress.tell(&whole);
                }
                None => self.progress.tell(&report),
            }
            SystemClock.sleep(LOOK).await;
        }
    }
}
