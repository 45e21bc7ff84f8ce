//! Whether the service tells the truth about itself, and whether it is good.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use super::check::Found;
use super::each::on_every_node;
use super::end::{failed, moot, must};
use super::node::eventually;
use super::redis_tier::is_not_left_out;
use super::scene::{Scene, text};

/// A node that has just started has not polled yet.
const SETTLED: Duration = Duration::from_secs(5);

/// The form of metrics that says where it ends, which the plain one does not.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

const END: &str = "\n# EOF\n";

const PATH: &str = "/v1/health";

/// The service says that it can answer.
pub(super) async fn service(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let seen = eventually(SETTLED, async || {
            let health = node.operators(PATH).await?;
            Ok(match text(&health, "/service/status") {
                "ready" => Ok(()),
                other => Err(format!("{} is {other:?}", node.name())),
            })
        });
        match seen.await? {
            Ok(()) => Ok("it is ready".to_owned()),
            Err(why) => failed(why),
        }
    })
    .await
}

/// The data is as true as was promised.
pub(super) async fn data(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let seen = eventually(SETTLED, async || {
            let health = node.operators(PATH).await?;
            let of = |name: &str| health.pointer(name).and_then(Value::as_u64);
            let (age, bound) = (of("/data/poll_age_ms"), of("/data/bound_ms"));
            let status = text(&health, "/data/status");
            let is_bad = matches!(status, "warning" | "critical" | "");
            Ok(match (age, bound) {
                (Some(age), Some(bound)) if age <= bound && !is_bad => Ok(format!(
                    "the log was read {age} ms ago, and the bound is {bound} ms"
                )),
                _ => Err(format!(
                    "the data is {status:?}: the log was read {age:?} ms ago, and the bound is {bound:?} ms"
                )),
            })
        });
        match seen.await? {
            Ok(detail) => Ok(detail),
            Err(why) => failed(why),
        }
    })
    .await
}

/// What the service says of Redis is so.
pub(super) async fn redis(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        // What has just come or gone is known to one of the two before the other.
        let seen = eventually(SETTLED, async || {
            let health = node.operators(PATH).await?;
            let told = text(&health, "/redis/status").to_owned();
            if told == "off" {
                is_not_left_out(scene)?;
                return moot(format!("redis.url is off on {}", node.name()));
            }
            let answers = scene.redis()?.answers().await?;
            let is_so = matches!(&*told, "up" | "limited") == answers && !told.is_empty();
            let found = if answers {
                "answers"
            } else {
                "does not answer"
            };
            Ok(if is_so {
                Ok(format!("redis is {told}, and it {found}"))
            } else {
                Err(format!(
                    "health says that redis is {told:?}, and it {found}"
                ))
            })
        });
        match seen.await? {
            Ok(detail) => Ok(detail),
            Err(why) => failed(why),
        }
    })
    .await
}

/// Nothing stays bad.
pub(super) async fn alerts(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let health = node.operators(PATH).await?;
        let alerts = health.get("alerts").and_then(Value::as_array);
        let Some(alerts) = alerts else {
            return failed(format!("the answer of {PATH} has no list of alerts"));
        };
        let told: Vec<String> = alerts
            .iter()
            .map(|it| format!("{} is {}", text(it, "/id"), text(it, "/status")))
            .collect();
        must(told.is_empty(), || told.join(", "))?;
        Ok("no alert is raised".to_owned())
    })
    .await
}

/// What is counted can be scraped.
pub(super) async fn metrics(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let accept = [("accept", OPEN_METRICS)];
        let answer = node.get_with("/metrics", &accept).await?;
        node.is_open(&answer)?;
        must(answer.status == StatusCode::OK, || {
            format!("/metrics answers {}", answer.status)
        })?;
        let text = answer.text();
        let odd = text.lines().find(|line| !is_told(line));
        must(odd.is_none(), || {
            format!("/metrics has the line {:?}", odd.unwrap_or_default())
        })?;
        // Lines alone do not tell: a page may break off between two of them.
        must(text.ends_with(END), || "/metrics breaks off".to_owned())?;
        let samples = text.lines().filter(|line| line.starts_with("tingkat_"));
        let count = samples.count();
        must(count > 0, || {
            "/metrics has no sample of tingkat_".to_owned()
        })?;
        Ok(format!("{count} samples"))
    })
    .await
}

/// Whether a line is a comment, or a sample with its number.
fn is_told(line: &str) -> bool {
    let value = line.rsplit(' ').next().unwrap_or_default();
    line.starts_with('#') || (line.contains(' ') && value.parse::<f64>().is_ok())
}
