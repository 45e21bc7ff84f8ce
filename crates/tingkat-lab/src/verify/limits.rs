//! What is refused, and what is never shown.

use hyper::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::check::Found;
use super::each::on_every_node;
use super::end::{End, failed, must, skipped};
use super::node::Node;
use super::ports::RedisProbe;
use super::postcodes::problem;
use super::scene::Scene;
use crate::answer::Answer;
use crate::probe::ProbeError;

/// Nearly the longest address that HTTP clients can write.
const LONG_ADDRESS: usize = 60 << 10;

/// More than any route reads of a body.
const LARGE_BODY: usize = 256 << 10;

const FORGET: &str = "/v1/forget";

/// The pages that are looked through for secrets.
const PAGES: [&str; 8] = [
    "/",
    "/readyz?verbose",
    "/livez?verbose",
    "/metrics",
    "/v1/caches",
    "/v1/health",
    "/v1/warm",
    "/v1/nowhere",
];

/// What can not be read is refused, and is no fault of the server.
pub(super) async fn malformed(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let batch = "/v1/products:batchGet";
        let asked = [
            (Method::GET, "/v1/products/%zz", "", StatusCode::BAD_REQUEST),
            (
                Method::GET,
                "/v1/products/1?colour=red",
                "",
                StatusCode::BAD_REQUEST,
            ),
            (
                Method::GET,
                "/v1/products?ids=",
                "",
                StatusCode::BAD_REQUEST,
            ),
            (
                Method::GET,
                "/v1/products/a%2Fb",
                "",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (Method::GET, "/v1/nowhere", "", StatusCode::NOT_FOUND),
            (Method::POST, batch, "{\"ids\":", StatusCode::BAD_REQUEST),
            (
                Method::POST,
                batch,
                "{\"ids\":7}",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (
                Method::PUT,
                "/v1/products/1",
                "{}",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
        ];
        let count = asked.len();
        for (method, path, body, status) in asked {
            let what = format!("{method} {path} {body}");
            let answer = ask(node, method, path, body).await?;
            let body = node.read(&what, &answer, status)?;
            problem(body, &what)?;
        }
        Ok(format!("{count} requests are refused in words"))
    })
    .await
}

/// Look-ups may need the token; it is no secret from the server.
async fn ask(node: &Node, method: Method, path: &str, body: &str) -> Result<Answer, End> {
    if body.is_empty() {
        return node.get(path).await;
    }
    node.send_text(method, path, body).await
}

/// What is too large is refused before it is read.
pub(super) async fn oversized(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let path = format!("/v1/products/1?{}", "x".repeat(LONG_ADDRESS));
        let answer = node.send_large(Method::GET, &path, "").await?;
        let told = answer.json().unwrap_or_default();
        let is_refused = matches!(
            answer.status,
            StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        );
        // Who has chosen so long a server.uri_bytes is told what is in it.
        let is_read = told.get("code").and_then(Value::as_str) == Some("parameter_unknown");
        must(is_refused || is_read, || {
            format!(
                "an address of {LONG_ADDRESS} bytes is answered with {}",
                answer.status
            )
        })?;
        let body = json!({ "ids": ["x".repeat(LARGE_BODY)] }).to_string();
        let answer = node
            .send_large(Method::POST, "/v1/products:batchGet", &body)
            .await?;
        must(answer.status == StatusCode::PAYLOAD_TOO_LARGE, || {
            format!(
                "a body of {LARGE_BODY} bytes is answered with {}",
                answer.status
            )
        })?;
        let page = node.get("/v1/products?limit=100000").await?;
        node.read("/v1/products?limit=100000", &page, StatusCode::BAD_REQUEST)?;
        Ok("an address, a body and a page that are too large are refused".to_owned())
    })
    .await
}

/// Whatever writes or operates, with what would make it harmless if it were let in.
fn guarded(scene: &Scene) -> Vec<(Method, String, Value)> {
    let absent = format!("{}absent", scene.scratch_ids());
    let patch = json!({ "stock_delta": 1 });
    // Refused for what it says once it is let in, so that it is no run that anybody is told of.
    let warm = json!({ "keys": { "product": [absent] }, "top": 1 });
    let mut guarded = vec![
        (Method::PATCH, format!("/v1/products/{absent}"), patch),
        (Method::POST, "/v1/warm".to_owned(), warm),
    ];
    if !scene.is_read_only {
        // It would be written into the change log.
        let forget = json!({ "entity": "product", "keys": [absent] });
        guarded.push((Method::POST, FORGET.to_owned(), forget));
    }
    guarded
}

/// Nobody writes or operates without a token.
pub(super) async fn token_missing(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        opens_nothing(scene, node, &[]).await?;
        Ok("without a token nothing is written".to_owned())
    })
    .await
}

/// A token that is none opens nothing.
pub(super) async fn token_wrong(scene: &Scene) -> Found {
    let wrong = format!("Bearer wrong-{}", scene.run);
    on_every_node(scene, async |node| {
        opens_nothing(scene, node, &[("authorization", &wrong)]).await?;
        // What begins like a token is none either.
        opens_nothing(scene, node, &[("authorization", "Bearer ")]).await?;
        Ok("with a token that is none nothing is written".to_owned())
    })
    .await
}

async fn opens_nothing(scene: &Scene, node: &Node, headers: &[(&str, &str)]) -> Result<(), End> {
    let mut refused = 0;
    for (method, path, body) in guarded(scene) {
        let what = format!("{method} {path}");
        let answer = node
            .stranger(method, &path, headers, &body.to_string())
            .await?;
        if is_unknown(&answer) {
            continue;
        }
        refused += 1;
        let is_refused = matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        must(is_refused, || {
            let status = answer.status;
            format!("{what} without a right token is answered with {status}")
        })?;
    }
    if refused == 0 {
        return skipped(format!(
            "{} does not serve operators; name the address of server.admin_listen",
            node.name()
        ));
    }
    Ok(())
}

/// Whether there is no such route at this door, or in this release.
fn is_unknown(answer: &Answer) -> bool {
    let told = answer.json().unwrap_or_default();
    told.get("code").and_then(Value::as_str) == Some("route_unknown")
}

/// A token opens what it is for. That others open nothing would be true of a wall as well.
pub(super) async fn token_right(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        if !node.has_token() {
            return skipped("TINGKAT_TOKEN has no token");
        }
        for (method, path, body) in guarded(scene) {
            if path == FORGET {
                // What is forgotten for nothing is loaded again by somebody.
                continue;
            }
            let answer = node.send(method.clone(), &path, &body).await?;
            if method == Method::POST && is_unknown(&answer) {
                continue;
            }
            node.is_open(&answer)?;
            let is_let_in = answer.status.is_success()
                || matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::CONFLICT)
                || answer.status == StatusCode::UNPROCESSABLE_ENTITY
                || answer.status == StatusCode::NOT_IMPLEMENTED;
            must(is_let_in, || {
                format!("{path} with the token is answered with {}", answer.status)
            })?;
        }
        Ok("the token opens what it is for".to_owned())
    })
    .await
}

/// No page shows a secret.
pub(super) async fn secrets(scene: &Scene) -> Found {
    if scene.secrets.is_empty() {
        return skipped("no secret is known here that could be looked for");
    }
    for node in scene.everywhere() {
        for path in PAGES {
            let answer = node.get(path).await?;
            let mut shown = answer.text();
            for value in answer.headers.values() {
                shown.push('\n');
                shown.push_str(&String::from_utf8_lossy(value.as_bytes()));
            }
            for (what, secret) in &scene.secrets {
                if shown.contains(secret.expose_secret()) {
                    return failed(format!("{}: {path} shows {what}", node.name()));
                }
            }
        }
    }
    let count = scene.secrets.len();
    Ok(format!(
        "{count} secrets are on none of {} pages",
        PAGES.len()
    ))
}

/// What was written is gone.
pub(super) async fn removed(scene: &Scene) -> Found {
    let mut told = Vec::new();
    let products = scene.scratch_products();
    if !products.is_empty() {
        let store = scene.store()?;
        let rows = store.remove_products(&scene.scratch_ids()).await?;
        let left = store.products(&products, products.len()).await?;
        must(left.is_empty(), || {
            let (count, ids) = (left.len(), scene.scratch_ids());
            format!("{count} products {ids}* can not be removed")
        })?;
        told.push(format!("{rows} rows"));
    }
    if let (true, Ok(redis)) = (scene.has_keys(), &scene.redis) {
        told.push(format!("{} keys", remove_keys(scene, &**redis).await?));
    }
    if told.is_empty() {
        return Ok("nothing was written".to_owned());
    }
    Ok(format!("{} were removed", told.join(" and ")))
}

/// More scratch keys than this are not ours.
const MOST_KEYS: usize = 10_000;

async fn remove_keys(scene: &Scene, redis: &dyn RedisProbe) -> Result<usize, End> {
    let prefix = &scene.scratch_prefix;
    let mut count = 0;
    // What was under way when the nodes were stopped may come after the first look.
    for _ in 0..2 {
        let keys = redis.keys(prefix, MOST_KEYS).await;
        let keys = keys.map_err(|error| not_listed(prefix, &error))?;
        redis.remove(&keys).await?;
        count += keys.len();
    }
    let left = redis.keys(prefix, MOST_KEYS).await?;
    must(left.is_empty(), || {
        format!("{} keys {prefix}* can not be removed", left.len())
    })?;
    Ok(count + remove_kept(scene, redis).await?)
}

/// Removes what running nodes keep of the products of this run; they would have it until it is old.
async fn remove_kept(scene: &Scene, redis: &dyn RedisProbe) -> Result<usize, End> {
    let Ok(prefix) = &scene.prefix else {
        return Ok(0);
    };
    if scene.scratch_products().is_empty() || scene.scratch_prefix == *prefix {
        return Ok(0);
    }
    let ids = scene.scratch_ids();
    let keys = redis.keys_with(prefix, &ids, MOST_KEYS).await;
    let keys = keys.map_err(|error| not_listed(&format!("{prefix}*{ids}"), &error))?;
    redis.remove(&keys).await?;
    for key in &keys {
        let left = redis.get(key).await?;
        must(left.is_none(), || {
            format!("the key {key} can not be removed")
        })?;
    }
    Ok(keys.len())
}

fn not_listed(keys: &str, error: &ProbeError) -> End {
    End::Failed(format!(
        "keys {keys}* can not be listed, and go by themselves: {error}"
    ))
}
