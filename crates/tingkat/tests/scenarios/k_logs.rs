//! K. What is logged, at which level, and what each line says about where it comes from.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::Value;
use tingkat::ports::Loaded;
use tingkat::{Cache, GetErrorKind, Node, Policy};
use tingkat_testkit::fakes::Mood;
use tracing_subscriber::EnvFilter;

use crate::stage::{Stage, hop, key, still};

/// What is logged on this thread while it lives.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens at what `filter` lets through, as a service would configure it.
    fn listen(filter: &str) -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_env_filter(EnvFilter::new(filter))
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines whose message is `text`.
    fn lines(&self, text: &str) -> Vec<Value> {
        let all = self.0.lock().unwrap();
        let all = std::str::from_utf8(&all).unwrap().lines();
        all.map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["fields"]["message"] == text)
            .collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Scenario 132.
#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_breaks_nothing_and_the_next_one_hears() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .tune(|node| node.on_event(|event| panic!("heard {event:?}")))
        .open()
        .await;
    shop.version().await;
    shop.cache.forget(&key()).await.unwrap();
    assert_eq!(shop.version().await, Some(1));
    assert_eq!(shop.events.count("Forgot"), 1);
}

/// Scenario 132. It is logged at the configured level, a warning unless one is chosen, and only if
/// the service logs that much.
#[tokio::test(start_paused = true)]
async fn that_a_listener_panicked_is_logged_at_the_configured_level() {
    use tracing::Level;
    for (chosen, filter, logged) in [
        (None, "warn", Some("WARN")),
        (None, "error", None),
        (Some(Level::ERROR), "error", Some("ERROR")),
        (Some(Level::INFO), "info", Some("INFO")),
        (Some(Level::INFO), "warn", None),
        (Some(Level::DEBUG), "debug", Some("DEBUG")),
        (Some(Level::TRACE), "trace", Some("TRACE")),
        (Some(Level::TRACE), "debug", None),
    ] {
        let (log, _listening) = Log::listen(filter);
        let stage = Stage::new();
        let shop = stage
            .plan()
            .tune(|node| {
                let node = node.on_event(|event| {
                    assert!(!format!("{event:?}").starts_with("Forgot"), "heard");
                });
                match chosen {
                    Some(level) => node.log_panics_at(level),
                    None => node,
                }
            })
            .open()
            .await;
        shop.version().await;
        shop.cache.forget(&key()).await.unwrap();
        assert_eq!(shop.version().await, Some(1), "nothing is broken");
        let lines = log.lines("a listener panicked");
        let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str()).collect();
        let expected: Vec<_> = logged.iter().map(|level| Some(*level)).collect();
        assert_eq!(levels, expected, "{chosen:?} under {filter}");
        for line in lines {
            let event = line["fields"]["event"].as_str().unwrap();
            assert_eq!(event, "Forgot { dep: \"product:7\" }");
        }
    }
}

/// Scenario 134. Most is told as events and logged by listeners: those of a cache name its entity.
#[tokio::test(start_paused = true)]
async fn events_of_a_cache_name_its_entity() {
    let stage = Stage::new();
    let policy = Policy {
        max_value_bytes: 1,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    shop.version().await;
    stage.source.switch.cut();
    let hung = shop.cache.get(&"8".to_owned()).await;
    assert_eq!(hung.unwrap_err().kind(), GetErrorKind::Deadline);
    hop(5).await;
    shop.cache.expire(&key()).await.unwrap();
    stage.source.switch.set(Mood::Failing);
    assert!(shop.look().await.trail().stale);
    for name in [
        "Oversized",
        "Refused",
        "LoadFailed",
        "ServedStale",
        "LoadHung",
    ] {
        let told = shop.events.all();
        let of_name: Vec<_> = told.iter().filter(|it| it.starts_with(name)).collect();
        assert!(!of_name.is_empty(), "no {name} in {told:?}");
        for event in of_name {
            assert!(event.contains("entity: \"product\""), "{event}");
        }
    }
}

/// Scenario 134. Whatever is logged about a cache, by the engine or by a listener, says which one
/// and of which node, also under a filter that lets through no more than the line itself.
#[tokio::test(start_paused = true)]
async fn every_line_names_its_cache_and_its_node() {
    for filter in ["trace", "warn"] {
        let (log, _listening) = Log::listen(filter);
        let stage = Stage::new();
        let plan = |id: Option<&'static str>| {
            stage.plan().policy(still()).tune(move |node| {
                let node = match id {
                    Some(id) => node.id(id),
                    None => node,
                };
                node.on_event(|event| tracing::warn!(what = ?event, "heard"))
                    .on_event(|event| assert!(event.entity().is_none(), "panics"))
            })
        };
        let shops = [plan(None).open().await, plan(Some("till-3")).open().await];
        assert_eq!(shops[0].node.id().len(), 8);
        assert_eq!(shops[1].node.id(), "till-3");
        for shop in &shops {
            shop.version().await;
            shop.cache.expire(&key()).await.unwrap();
            stage.source.switch.set(Mood::Failing);
            assert!(shop.look().await.trail().stale);
            stage.source.switch.restore();
            hop(2_000).await;
            let codes = Cache::<String, Unspeakable>::builder("code")
                .node(&shop.node)
                .load(|_| async { Ok(Loaded::value(Unspeakable)) })
                .build();
            assert!(codes.get(&key()).await.unwrap().is_some());
            let id = shop.node.id();
            let of_node = |text: &str, entity: Option<&str>| {
                let lines = log.lines(text).into_iter();
                let is_ours = |line: &Value| {
                    let told = line["span"]["entity"].as_str();
                    line["span"]["node"] == id && told == entity
                };
                lines.filter(is_ours).collect::<Vec<_>>()
            };
            for text in ["heard", "a listener panicked"] {
                let lines = of_node(text, Some("product"));
                let of_stale = |line: &&Value| line.to_string().contains("ServedStale");
                assert_eq!(lines.iter().filter(of_stale).count(), 1, "{text} {lines:?}");
            }
            assert_eq!(of_node("a value has no encoding", Some("code")).len(), 1);
            assert!(
                !of_node("heard", None).is_empty(),
                "polls are of the node alone"
            );
        }
        for text in ["heard", "a listener panicked", "a value has no encoding"] {
            for line in log.lines(text) {
                assert!(line["span"]["node"].is_string(), "{line}");
                let fields = line["fields"].to_string();
                let is_of_cache = fields.contains("entity:") || text != "heard";
                assert_eq!(line["span"]["entity"].is_string(), is_of_cache, "{line}");
            }
        }
    }
}

/// Two nodes that nobody named differ.
#[test]
fn nodes_have_ids_of_their_own() {
    let (a, b) = (
        Node::builder().seed(1).build(),
        Node::builder().seed(1).build(),
    );
    assert_ne!(a.id(), b.id());
}

/// A value without an encoding.
struct Unspeakable;

impl Serialize for Unspeakable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("it has none"))
    }
}

impl<'de> Deserialize<'de> for Unspeakable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}
