//! One client that follows the changes: the bytes that it is sent.
//!
//! Nothing is queued for it. A client that does not read is cut by the connection's own patience; one
//! that reads slowly finds that the ring has moved on, and is told to purge everything.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream::unfold;
use serde::Serialize;
use tingkat::certificate::{Change, ChangeKind};
use tingkat::ports::Clock;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::Changes;
use super::cursor::Cursor;
use super::ring::{News, Place};
use crate::app::App;

/// A client that hears nothing for this long is told that the stream lives, and where it is.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Changes in one event.
const MOST_IN_EVENT: usize = 500;

/// At once, so that whoever stands between sees an answer; and when to come back after an end.
const HELLO: &str = ": changes of the store\nretry: 1000\n\n";

pub(super) struct Follower {
    changes: Arc<Changes>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    news: watch::Receiver<u64>,
    place: Place,
    greeted: bool,
    _place_among_streams: OwnedSemaphorePermit,
}

#[derive(Serialize)]
struct Told<'a> {
    kind: &'static str,
    dep: &'a str,
}

#[derive(Serialize)]
struct Batch<'a> {
    changes: Vec<Told<'a>>,
}

impl Follower {
    pub(super) fn new(app: &App, place: Place, permit: OwnedSemaphorePermit) -> Self {
        Self {
            changes: Arc::clone(&app.changes),
            clock: Arc::clone(&app.clock),
            shutdown: app.shutdown.clone(),
            news: app.changes.news.subscribe(),
            place,
            greeted: false,
            _place_among_streams: permit,
        }
    }

    /// What the client is sent, until the node stops.
    pub(super) fn frames(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        unfold(self, async |mut follower| {
            let frame = follower.next().await?;
            Some((Ok(Bytes::from(frame)), follower))
        })
    }

    async fn next(&mut self) -> Option<String> {
        if !self.greeted {
            self.greeted = true;
            return Some(HELLO.to_owned());
        }
        let heartbeat = self.clock.sleep(HEARTBEAT);
        tokio::pin!(heartbeat);
        loop {
            if self.shutdown.is_cancelled() {
                return None;
            }
            // What comes after this look wakes the wait below.
            self.news.mark_unchanged();
            let news = self.changes.ring().after(&mut self.place);
            if let Some(news) = news {
                return Some(frame(&news, self.place.seen()));
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                // The sender lives as long as the changes.
                _ = self.news.changed() => {}
                () = &mut heartbeat => {
                    let news = self.changes.ring().after(&mut self.place);
                    let seen = self.place.seen();
                    return Some(news.map_or_else(|| beat(seen), |news| frame(&news, seen)));
                }
            }
        }
    }
}

/// An id without data moves the client's cursor and is no event.
fn beat(seen: Option<&Cursor>) -> String {
    let id = seen.map(|seen| format!("id: {seen}\n")).unwrap_or_default();
    format!(": heartbeat\n{id}\n")
}

fn frame(news: &News, seen: Option<&Cursor>) -> String {
    let id = seen.map(|seen| format!("id: {seen}\n")).unwrap_or_default();
    match news {
        News::Reset(reason) => {
            let reason = reason.name();
            format!("event: reset\n{id}data: {{\"reason\":\"{reason}\"}}\n\n")
        }
        News::Changes(changes) => {
            let mut text = String::new();
            let mut events = changes.chunks(MOST_IN_EVENT).peekable();
            while let Some(changes) = events.next() {
                // Who has seen a part of them has not seen what the cursor says.
                let id = if events.peek().is_none() { &*id } else { "" };
                // Writing to a String does not fail, and every key of the JSON is a text.
                let _ = write!(text, "event: changes\n{id}data: {}\n\n", data(changes));
            }
            text
        }
    }
}

fn data(changes: &[Change]) -> String {
    let changes = changes.iter().map(|change| Told {
        kind: match change.kind {
            ChangeKind::Forget => "forget",
            ChangeKind::Expire => "expire",
            ChangeKind::Pattern => "pattern",
        },
        dep: change.dep.name(),
    });
    let batch = Batch {
        changes: changes.collect(),
    };
    serde_json::to_string(&batch).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tingkat::certificate::{Dep, Incarnation, Position};

    use super::*;

    fn seen() -> Cursor {
        Cursor {
            incarnation: Incarnation::from_bytes([0; 16]),
            position: Position::log_id(7),
        }
    }

    #[test]
    fn a_name_with_a_line_break_stays_on_its_line() {
        let change = Change {
            dep: Dep::new("tag\n\ndata: \"x\""),
            kind: ChangeKind::Expire,
        };
        let text = frame(&News::Changes(vec![change]), Some(&seen()));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        let told = r#"data: {"changes":[{"kind":"expire","dep":"tag\n\ndata: \"x\""}]}"#;
        assert_eq!(lines[2], told);
    }

    #[test]
    fn only_the_last_of_many_events_moves_the_cursor() {
        let change = |n: usize| Change {
            dep: Dep::new(format!("product:{n}")),
            kind: ChangeKind::Forget,
        };
        let changes = (0..=MOST_IN_EVENT).map(change).collect();
        let text = frame(&News::Changes(changes), Some(&seen()));
        assert_eq!(text.matches("event: changes\n").count(), 2);
        assert_eq!(text.matches("id: ").count(), 1);
        let (_, last) = text.rsplit_once("event: ").unwrap();
        assert!(last.contains("id: ") && last.contains("product:500"));
    }
}
