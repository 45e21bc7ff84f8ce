//! A node that answers as it is told to, and the command that asks it.

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
            let status = if body.get("code").is_some() {
                "409 Conflict"
            } else {
                "200 OK"
            };
            let (body, head) = (
                body.to_string(),
                format!("HTTP/1.1 {status}\r\nconnection: close"),
            );
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

async fn run(answers: Vec<Value>, parts: &[&[&str]]) -> Result<Report, (Failure, Option<Report>)> {
    run_within((None, None), answers, parts).await
}

async fn run_within(
    limits: (Option<Duration>, Option<u64>),
    answers: Vec<Value>,
    parts: &[&[&str]],
) -> Result<Report, (Failure, Option<Report>)> {
    let (node, progress) = (node(answers).await, Progress::new(false));
    let parts = parts.iter().map(|names| keys(names)).collect();
    let interrupts = Interrupts::listen().unwrap();
    let asked = Asked {
        node: &node,
        progress: &progress,
        start: &Start::now(limits.0, &interrupts),
        bytes: limits.1,
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

/// All parts together have what one run has.
#[tokio::test]
async fn what_is_left_of_the_limits_is_for_the_next_part() {
    let parts: [&[&str]; 3] = [&["a", "b"], &["c", "d"], &["e"]];
    let mut first = shown("last", 1, End::Completed, 2, 0);
    first["last"]["report"]["entities"][0]["bytes"] = 600.into();
    let mut second = shown("last", 2, End::Completed, 2, 0);
    second["last"]["report"]["entities"][0]["bytes"] = 400.into();
    let answers = vec![begun(1), first, begun(2), second];
    let report = run_within((None, Some(1_000)), answers, &parts)
        .await
        .unwrap();
    assert_eq!((report.end, report.success), (End::BytesReached, false));
    let product = &report.entities[0];
    assert_eq!((product.wanted, product.loaded, product.left), (5, 4, 1));

    // Its time is over before the first.
    let report = run_within((Some(Duration::ZERO), None), vec![], &parts).await;
    let report = report.unwrap();
    assert_eq!((report.end, report.entities[0].left), (End::TimedOut, 5));
}

#[tokio::test]
async fn a_run_that_somebody_else_wanted_is_waited_for_within_the_time() {
    let busy = json!({ "code": BUSY, "title": "busy", "detail": "run 1 goes on" });
    let last = shown("last", 2, End::Completed, 1, 0);
    let answers = vec![busy.clone(), busy.clone(), begun(2), last];
    let report = run(answers, &[&["a"]]).await.unwrap();
    assert!(report.success, "{report:?}");
    let limits = (Some(Duration::from_millis(50)), None);
    let report = run_within(limits, vec![busy; 10_000], &[&["a"]]).await;
    let report = report.unwrap();
    assert_eq!((report.end, report.entities[0].left), (End::TimedOut, 1));
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
