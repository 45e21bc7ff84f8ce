//! How a node stops: it finishes what it has begun, unless it is told twice.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tingkat_lab::{Answer, AskError, AskErrorKind, Target};
use tingkat_testkit::eventually;
use tingkat_testkit::postgres::Database;
use tokio::task::JoinSet;

use crate::crowd::{CALLERS, Crowd};
use crate::program::{Folder, Node, PATIENCE, Program};
use crate::question::{Question, distinct};
use crate::stores::installed;
use crate::truth::postcodes;

/// Shorter than the server waits for connections that are in use.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A node whose database holds the answer to one request back.
struct Held {
    node: Node,
    database: Database<'static>,
    question: Question,
    request: JoinSet<Result<Answer, AskError>>,
}

impl Held {
    async fn new() -> Self {
        let database = installed().await;
        // Nobody else may wait for the table.
        let program = Program::serve(&Folder::new())
            .with("DATABASE_URL", database.url())
            .with("TINGKAT__POPULARITY__KEEP", "0")
            .with("TINGKAT__FEED__CHECK_INTERVAL", "1h")
            // However slow the machine is, the request is held by the lock and ended by its release.
            .with("TINGKAT__ENTITY__POSTCODE__HARD_DEADLINE", "10m")
            .with("TINGKAT__SOURCE__STATEMENT_TIMEOUT", "11m")
            .with("TINGKAT__SERVER__REQUEST_TIMEOUT", "21m")
            .with("TINGKAT__SERVER__DRAIN_TIMEOUT", "10m");
        let node = program.listening().await;
        node.sees("source", "up").await;
        // The guard of the change log plans statements that read the table, and would wait as well.
        node.sees("data", "whole").await;
        // A prepared transaction keeps its lock without anybody who has to stay. Its name is one for
        // all databases of the server.
        let name = database.name();
        let lock = format!("BEGIN; LOCK TABLE postcode; PREPARE TRANSACTION '{name}'");
        database.psql(&lock).await.unwrap();

        let question = Question::postcode(&postcodes()[0]);
        let (target, path) = (Arc::clone(&node.target), question.path.clone());
        let mut request = JoinSet::new();
        request.spawn(async move { target.get(&path).await });
        let held = Self {
            node,
            database,
            question,
            request,
        };
        held.has_reached_the_database().await;
        held
    }

    async fn has_reached_the_database(&self) {
        let waiting = "SELECT count(*) FROM pg_locks \
                       WHERE NOT granted AND relation = 'postcode'::regclass";
        eventually(PATIENCE, async || {
            self.database.psql(waiting).await.unwrap() == "1"
        })
        .await
        .unwrap();
    }

    async fn release(&self) {
        let name = self.database.name();
        let release = format!("ROLLBACK PREPARED '{name}'");
        self.database.psql(&release).await.unwrap();
    }

    async fn result(&mut self) -> Result<Answer, AskError> {
        self.request.join_next().await.unwrap().unwrap()
    }
}

async fn drains_at(signal: Signal) {
    let mut held = Held::new().await;
    held.node.process.signal(signal);
    held.node.says("stopping: no new connections").await;
    let somebody_else = Target::new(held.node.target.address());
    eventually(PATIENCE, async || {
        let refused = somebody_else.get("/livez").await;
        refused.is_err_and(|error| error.kind() == AskErrorKind::Unreachable)
    })
    .await
    .unwrap();

    held.release().await;
    let answer = held.result().await.unwrap();
    held.question.check(&answer).unwrap();
    let ended = held.node.process.ended_within(AT_ONCE).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_request_under_way_at_sigterm_is_answered() {
    drains_at(Signal::TERM).await;
}

#[tokio::test]
async fn a_request_under_way_at_ctrl_c_is_answered() {
    drains_at(Signal::INT).await;
}

#[tokio::test]
async fn the_second_signal_waits_for_nobody() {
    let mut held = Held::new().await;
    held.node.process.signal(Signal::TERM);
    held.node.says("stopping: no new connections").await;
    // Signals in quick succession count as one, so one of these is the second.
    eventually(PATIENCE, || {
        held.node.process.signal(Signal::TERM);
        std::future::ready(!held.node.process.is_running())
    })
    .await
    .unwrap();
    let log = held.node.process.log();
    assert!(log.contains("stopping at once"), "{log}");
    let error = held.result().await.unwrap_err();
    assert_eq!(error.kind(), AskErrorKind::Unanswered);
    held.release().await;
}

#[tokio::test]
async fn a_node_that_leaves_says_so_and_serves_until_the_delay_is_over() {
    // It ends by the second signal: whatever is seen before is seen within the delay.
    let program = Program::serve(&Folder::new()).with("TINGKAT__SERVER__SHUTDOWN_DELAY", "1h");
    let mut node = program.listening().await;
    node.sees("source", "up").await;
    node.process.signal(Signal::TERM);
    eventually(PATIENCE, async || {
        let (code, body) = node.readiness().await;
        code == 503 && body["status"] == "draining"
    })
    .await
    .unwrap();
    let somebody_new = Target::new(node.target.address());
    for path in ["/v1/states", "/livez"] {
        assert_eq!(somebody_new.get(path).await.unwrap().status, 200, "{path}");
    }
    assert!(!node.process.log().contains("no new connections"));
    eventually(PATIENCE, || {
        node.process.signal(Signal::TERM);
        std::future::ready(!node.process.is_running())
    })
    .await
    .unwrap();
    let ended = node.process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("stopping at once"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn when_the_delay_is_over_a_node_ends_by_itself() {
    let program = Program::serve(&Folder::new()).with("TINGKAT__SERVER__SHUTDOWN_DELAY", "500ms");
    let mut node = program.listening().await;
    node.process.signal(Signal::INT);
    let ended = node.process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (_, rest) = ended.stderr.split_once("stopping in 500ms").unwrap();
    assert!(rest.contains("stopping: no new connections"), "{rest}");
    assert!(rest.contains("stopped"), "{rest}");
}

#[tokio::test]
async fn no_answer_is_cut_when_a_node_stops_under_load() {
    let mut node = Node::alone().await;
    let crowd = Crowd::ask(&node.target, distinct(10_000));
    crowd.has_asked(3_000).await;
    node.process.signal(Signal::TERM);
    let report = crowd.finished().await;

    let (mut answered, mut unanswered) = (0, 0);
    for asked in &report.0 {
        match &asked.result {
            Ok(answer) => {
                asked.question.check(answer).unwrap();
                answered += 1;
            }
            // The server had closed before it saw the request.
            Err(error) if error.kind() == AskErrorKind::Unanswered => unanswered += 1,
            Err(error) => assert_eq!(error.kind(), AskErrorKind::Unreachable, "{error}"),
        }
    }
    assert!(answered >= 3_000, "{answered}");
    assert!(answered < 10_000, "it went on serving");
    // For each caller at most an idle connection, and one that came when nobody accepted any more.
    assert!(unanswered <= 2 * CALLERS, "{unanswered}");
    assert_eq!(node.process.ended_within(AT_ONCE).await.code, Some(0));
}
