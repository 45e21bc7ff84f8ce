//! On a node that runs: into its memory, and into Redis.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat::warm::{End, EntityReport, Report};

use super::told::Progress;
use super::{Keys, listed};
use crate::cli::{self, Warm};
use crate::config::{Loaded, Surroundings};
use crate::exit::{Code, Failure};
use crate::running_node::RunningNode;
use crate::signals::Interrupts;

const PATH: &str = "/v1/warm";

/// How often the node is asked how far it is.
const LOOK: Duration = Duration::from_millis(250);

/// Keys in one request, and their bytes.
const MOST_KEYS: usize = 5_000;
const MOST_BYTES: usize = 400 << 10;

/// How often a node that does not answer is asked again, each time after a longer pause.
const ATTEMPTS: u32 = 5;

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
    let node = RunningNode::find(&service, loaded, surroundings)?;
    let known = known_entities(&node).await?;
    let is_entity = |name: &str| {
        let is_wanted =
            arguments.entities.is_empty() || arguments.entities.iter().any(|it| it == name);
        is_wanted && known.iter().any(|it| it == name)
    };
    let mut body = options(arguments);
    let asked = Asked {
        node: &node,
        progress,
        interrupts,
        look: LOOK,
    };
    if let Some(keys) = listed::given(arguments, top, is_entity)? {
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
    let millis = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX).max(1);
    put("bytes", arguments.bytes.map(|it| json!(it)));
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

/// A node that is asked to warm.
struct Asked<'a> {
    node: &'a RunningNode,
    progress: &'a Progress,
    interrupts: &'a Interrupts,
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
            let mut body = options.clone();
            body.insert("keys".to_owned(), json!(keys));
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
        whole.ok_or_else(|| Failure::unexpected("nothing was warmed").into())
    }

    /// A run, after what was `before`.
    async fn carry_out(
        &self,
        body: Map<String, Value>,
        before: Option<&Report>,
    ) -> Result<Report, Broken> {
        let begun = self.node.post(PATH, &Value::Object(body)).await?;
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
            () = self.interrupts.first() => {}
        }
        let stopping = async {
            self.node.delete(PATH).await?;
            self.ended(run, before, so_far).await
        };
        tokio::select! {
            report = stopping => report,
            () = self.interrupts.second() => Err(Failure::new(Code::Interrupted, "stopped at once; the node may go on")),
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const NONE: Value = Value::Null;

    const SHORT: Duration = Duration::from_millis(1);

    /// A node that gives these answers in turn and then none; it hangs up where there is [`NONE`].
    async fn node(answers: Vec<Value>) -> RunningNode {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut answers = VecDeque::from(answers);
        let task = async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let Some(body) = answers.pop_front().filter(|it| *it != NONE) else {
                    continue;
                };
                let (body, head) = (body.to_string(), "HTTP/1.1 200 OK\r\nconnection: close");
                let length = body.len();
                let answer = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        #[expect(clippy::disallowed_methods, reason = "a node of its own")]
        tokio::spawn(task);
        RunningNode::at(url)
    }

    fn keys(names: &[&str]) -> Keys {
        let names = names.iter().map(|it| (*it).to_owned()).collect();
        Keys::from([("product".to_owned(), names)])
    }

    fn begun(run: u64) -> Value {
        json!({ "run": run })
    }

    fn shown(place: &str, run: u64, end: End, loaded: usize, left: usize) -> Value {
        let mut report = untried(&keys(&["a", "b"]), end);
        report.success = end == End::Completed;
        let product = &mut report.entities[0];
        (product.loaded, product.left) = (loaded, left);
        json!({ place: { "run": run, "report": report } })
    }

    async fn run(
        answers: Vec<Value>,
        parts: &[&[&str]],
    ) -> Result<Report, (Failure, Option<Report>)> {
        let (node, progress) = (node(answers).await, Progress::new(false));
        let parts = parts.iter().map(|names| keys(names)).collect();
        let asked = Asked {
            node: &node,
            progress: &progress,
            interrupts: &Interrupts::listen().unwrap(),
            look: SHORT,
        };
        let outcome = asked.all_parts(&Map::new(), parts).await;
        outcome.map_err(|broken| (broken.failure, broken.so_far))
    }

    #[tokio::test]
    async fn a_node_that_does_not_answer_now_and_then_is_asked_again() {
        let answers = vec![
            begun(1),
            NONE,
            NONE,
            shown("running", 1, End::Running, 1, 1),
            NONE,
            shown("last", 1, End::Completed, 2, 0),
        ];
        let report = run(answers, &[&["a", "b"]]).await.unwrap();
        assert!(report.success, "{report:?}");
    }

    #[tokio::test]
    async fn what_was_done_before_a_node_went_away_is_told() {
        let answers = vec![
            begun(1),
            shown("last", 1, End::Completed, 2, 0),
            begun(2),
            shown("running", 2, End::Running, 1, 1),
        ];
        let parts: [&[&str]; 3] = [&["a", "b"], &["c", "d"], &["e"]];
        let (failure, so_far) = run(answers, &parts).await.unwrap_err();
        assert_eq!(failure.code(), Code::Unreachable);
        let product = &so_far.unwrap().entities[0];
        assert_eq!((product.wanted, product.loaded, product.left), (5, 3, 2));
    }

    #[tokio::test]
    async fn a_node_that_takes_nothing_leaves_nothing_to_tell() {
        let (failure, so_far) = run(vec![], &[&["a"]]).await.unwrap_err();
        assert_eq!((failure.code(), so_far), (Code::Unreachable, None));
    }

    /// Somebody stopped it: what was not sent is wanted all the same.
    #[tokio::test]
    async fn keys_that_no_node_was_told_of_are_left() {
        let answers = vec![begun(1), shown("last", 1, End::Cancelled, 1, 1)];
        let parts: [&[&str]; 3] = [&["a", "b"], &["c", "d"], &["e"]];
        let report = run(answers, &parts).await.unwrap();
        assert_eq!((report.end, report.success), (End::Cancelled, false));
        let product = &report.entities[0];
        assert_eq!((product.wanted, product.loaded, product.left), (5, 1, 4));
    }

    #[tokio::test]
    async fn an_entity_that_was_given_up_is_not_sent_again() {
        let mut given_up = shown("last", 1, End::Completed, 1, 1);
        given_up["last"]["report"]["success"] = false.into();
        given_up["last"]["report"]["entities"][0]["stopped"] = "nothing_there".into();
        let answers = vec![begun(1), given_up];
        let parts: [&[&str]; 3] = [&["a", "b"], &["c", "d"], &["e"]];
        let report = run(answers, &parts).await.unwrap();
        assert!(!report.success, "{report:?}");
        let product = &report.entities[0];
        assert_eq!((product.wanted, product.loaded, product.left), (5, 1, 4));
    }
}
