//! `GET /`: a page of links, and the state of the tiers.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use tingkat_health::{Observed, Readiness, RedisState, SourceState, Status};

use crate::app::{App, timestamp};
use crate::page::{Escaped, page as html};

/// Examples that the demo store answers.
const LINKS: [(&str, &str); 11] = [
    ("/v1/postcodes/50450", "where a postcode is"),
    ("/v1/states", "the states and their zones"),
    ("/v1/products/1", "a product by its id"),
    ("/v1/products?sku=85123A", "a product by its sku"),
    ("/v1/products?ids=1,2,3", "many products at once"),
    (
        "/v1/postcodes/5045",
        "a mistake, and the problem document that explains it",
    ),
    ("/docs", "all routes, with what they take and answer"),
    ("/openapi.json", "the same for programs, as OpenAPI 3.1"),
    ("/problems", "all problems and what would be right"),
    ("/livez", "whether the node is alive"),
    ("/readyz", "whether the node should be sent requests"),
];

/// The page.
pub(crate) async fn page(State(app): State<Arc<App>>) -> Response {
    let content = {
        let observed = app.readiness.borrow();
        format!("{}{}{}", verdict(&observed), tiers(&observed), links())
    };
    html("Tingkat", &content)
}

fn verdict(observed: &Observed) -> String {
    let Readiness { status, reasons } = Readiness::of(observed);
    let words = match status {
        Status::Ready => "✓ Ready: nothing is missing.",
        Status::Degraded => "⚠ Degraded: it answers, though something is missing.",
        Status::NotReady => "✗ Not ready: it can not answer yet.",
        Status::Draining => "■ Stopping: it wants no new requests.",
    };
    let mut text = format!(
        "<p>The caching tier of the store: memory and Redis in front of the database.</p>\n\
         <h2>State of this node</h2>\n<p><strong>{words}</strong></p>\n"
    );
    if !reasons.is_empty() {
        let items = reasons
            .iter()
            .map(|reason| format!("<li>{}</li>\n", Escaped(reason)));
        text.push_str("<ul>\n");
        text.extend(items);
        text.push_str("</ul>\n");
    }
    text
}

fn tiers(observed: &Observed) -> String {
    let redis = match &observed.redis {
        RedisState::Off => "– off by configuration".to_owned(),
        RedisState::Connecting => "… connecting".to_owned(),
        RedisState::Up => "✓ up".to_owned(),
        RedisState::Limited { why } => format!("! limited: {why}"),
        RedisState::Down { why } => format!("✗ down: {why}"),
    };
    let source = match &observed.source {
        SourceState::Unknown => "… not reached yet".to_owned(),
        SourceState::Up => "✓ up".to_owned(),
        SourceState::Down { why, since_ms } => {
            format!("✗ down since {}: {why}", timestamp(*since_ms))
        }
    };
    let mut text = String::from(
        "<table>\n<caption>Tiers, in the order in which they are asked</caption>\n\
         <thead><tr><th scope=\"col\">Tier</th><th scope=\"col\">State</th></tr></thead>\n<tbody>\n",
    );
    for (tier, state) in [("memory", "✓ up"), ("redis", &redis), ("source", &source)] {
        let state = Escaped(state);
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "<tr><th scope=\"row\">{tier}</th><td>{state}</td></tr>"
        );
    }
    text.push_str("</tbody>\n</table>\n");
    text
}

fn links() -> String {
    let mut text = String::from("<h2>Look-ups to try</h2>\n<ul>\n");
    for (address, words) in LINKS {
        let address = Escaped(address);
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "<li><a href=\"{address}\"><code>{address}</code></a>: {words}</li>"
        );
    }
    text.push_str("</ul>\n");
    text
}
