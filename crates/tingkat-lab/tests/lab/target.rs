//! What a client gets, and what it says when it gets nothing whole.

use std::time::Duration;

use tingkat_lab::{AskErrorKind, Method, Target};

use crate::scripted::Act::{Close, Hang, Read, Send};
use crate::scripted::{Act, Scripted};

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-way: memory\r\n\r\n{}";
const LAST: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 1\r\nconnection: close\r\n\r\n1";

async fn failure(scripts: &'static [&'static [Act]]) -> AskErrorKind {
    let server = Scripted::start(scripts).await;
    let target = Target::new(server.address)
        .deadline(Duration::from_millis(200))
        .most_body_bytes(8);
    target.get("/").await.unwrap_err().kind()
}

#[tokio::test]
async fn an_answer_is_whole_whatever_its_status() {
    let server = Scripted::start(&[&[Read, Send(LAST), Close]]).await;
    let answer = Target::new(server.address).get("/x?y=1").await.unwrap();
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("Connection"), Some("close"));
    assert_eq!(answer.json().unwrap(), 1);
    assert!(answer.took > Duration::ZERO);
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let server = Scripted::start(&[&[Read, Send(GOOD), Read, Send(GOOD), Read, Send(GOOD)]]).await;
    let target = Target::new(server.address);
    for _ in 0..3 {
        let answer = target.send(Method::POST, "/", r#"{"a":1}"#).await.unwrap();
        assert_eq!(answer.header("x-way"), Some("memory"));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn requests_at_the_same_time_have_connections_of_their_own() {
    let server = Scripted::start(&[&[Read, Send(GOOD), Hang]]).await;
    let target = Target::new(server.address);
    let (one, other) = tokio::join!(target.get("/"), target.get("/"));
    one.unwrap();
    other.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_it_was_idle_is_replaced() {
    let server = Scripted::start(&[&[Read, Send(LAST), Close], &[Read, Send(GOOD), Hang]]).await;
    let target = Target::new(server.address);
    assert_eq!(target.get("/").await.unwrap().status, 404);
    assert_eq!(target.get("/").await.unwrap().status, 200);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_under_a_request_is_never_replaced() {
    let server = Scripted::start(&[&[Read, Close], &[Read, Send(GOOD)]]).await;
    let error = Target::new(server.address).get("/").await.unwrap_err();
    assert_eq!(error.kind(), AskErrorKind::Unanswered);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_ends_too_early_is_no_answer() {
    const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhalf";
    assert_eq!(
        failure(&[&[Read, Send(HALF), Close]]).await,
        AskErrorKind::CutShort
    );
}

#[tokio::test]
async fn what_comes_too_late_or_is_too_large_is_given_up() {
    const LARGE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123456789";
    assert_eq!(failure(&[&[Read, Hang]]).await, AskErrorKind::Deadline);
    assert_eq!(
        failure(&[&[Read, Send(LARGE), Hang]]).await,
        AskErrorKind::TooLarge
    );
}

#[tokio::test]
async fn nobody_is_asked_what_can_not_be_written_down_or_delivered() {
    let server = Scripted::start(&[&[Hang]]).await;
    let address = server.address;
    let error = Target::new(address).get("/a b").await.unwrap_err();
    assert_eq!(error.kind(), AskErrorKind::Malformed);
    drop(server);
    let error = Target::new(address).get("/").await.unwrap_err();
    assert_eq!(error.kind(), AskErrorKind::Unreachable);
}
