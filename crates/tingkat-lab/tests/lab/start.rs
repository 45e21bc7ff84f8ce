//! When a start counts as done.

use std::time::Duration;

use tingkat_lab::start::{StartError, measure};
use tingkat_lab::{Answer, Target};
use tokio::process::Command;

use crate::scripted::Act::{Hang, Read, Send};
use crate::scripted::Scripted;

const SOON: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_secs(20);

/// A program that runs, and leaves the answers to somebody else.
fn idle() -> Command {
    let mut command = Command::new("sleep");
    command.arg("60");
    command
}

#[tokio::test]
async fn the_first_right_answer_ends_the_start() {
    const EARLY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let server = Scripted::start(&[
        &[Hang],
        &[Read, Send(EARLY), Read, Send(EARLY), Read, Send(RIGHT)],
    ])
    .await;
    let target = Target::new(server.address);
    let mut seen = Vec::new();
    let is_right = |answer: &Answer| {
        seen.push(answer.status.as_u16());
        answer.status == 200
    };
    let start = measure(&mut idle(), &target, "/", is_right, LATE).await;
    let start = start.unwrap();
    assert!(start.process.id().is_some());
    assert!(start.listening <= start.answered && start.answered < LATE);
    assert_eq!(seen, [503, 503, 200]);
}

#[tokio::test]
async fn a_program_that_ends_has_not_started() {
    let server = Scripted::start(&[&[]]).await;
    let target = Target::new(server.address);
    let ended = measure(&mut Command::new("false"), &target, "/", |_| true, LATE).await;
    let Err(StartError::Ended(status)) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(status.code(), Some(1));
}

#[tokio::test]
async fn a_program_that_gives_no_answer_is_given_up() {
    let server = Scripted::start(&[&[]]).await;
    let target = Target::new(server.address);
    let given_up = measure(&mut idle(), &target, "/", |_| true, SOON).await;
    assert!(
        matches!(given_up, Err(StartError::Deadline(SOON))),
        "{given_up:?}"
    );
}
