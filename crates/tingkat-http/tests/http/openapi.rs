//! The description of the interface, and its page.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, Request, StatusCode, header};
use serde_json::Value;
use tingkat_http::Code;

use crate::described::DOCUMENT;
use crate::store::{Store, header_of, text};

/// Path and methods, as they are described.
fn described() -> BTreeMap<String, BTreeSet<String>> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    let methods = |item: &Value| item.as_object().unwrap().keys().cloned().collect();
    paths
        .map(|(path, item)| (path.clone(), methods(item)))
        .collect()
}

/// A path with something in the place of its parameters.
fn filled(path: &str) -> String {
    let parts = path.split('{').map(|part| {
        part.split_once('}')
            .map_or(part.to_owned(), |(_, rest)| format!("x{rest}"))
    });
    parts.collect()
}

#[tokio::test(start_paused = true)]
async fn every_route_and_method_is_described_and_no_other() {
    let store = Store::new();
    let problem: Value = serde_json::from_str(&store.body("/nowhere").await).unwrap();
    let mut served = BTreeMap::new();
    // One pattern of the router is two routes.
    let routes = problem["routes"].as_array().unwrap().iter();
    let routes = routes.map(|route| route.as_str().unwrap().to_owned());
    for route in routes.chain(["/v1/x/{entity}:batchGet".to_owned()]) {
        let request = Request::builder().method("BREW").uri(filled(&route));
        let allowed = header_of(&store.send(request).await, &header::ALLOW);
        let methods = allowed.split(',').map(|it| it.trim().to_lowercase());
        served.insert(route, methods.filter(|it| it != "head").collect());
    }
    assert_eq!(served, described());
}

#[test]
fn every_code_is_described_where_it_is_answered() {
    let text = DOCUMENT["paths"].to_string();
    for code in Code::ALL {
        // Of paths and methods that there are not.
        let is_of_no_route = matches!(code, Code::RouteUnknown | Code::MethodNotAllowed);
        let is_described = text.contains(&format!("\"{}\"", code.name()));
        assert!(is_described != is_of_no_route, "{}", code.name());
    }
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let committed = include_str!("../../../../docs/openapi.json");
    assert!(
        committed == tingkat_http::openapi(),
        "docs/openapi.json is not what the code says; write it anew by\n\
         cargo run -q -p tingkat-http --example openapi > docs/openapi.json"
    );
}

#[tokio::test(start_paused = true)]
async fn the_document_is_served_and_need_not_be_sent_twice() {
    let store = Store::new();
    let response = store.send(Request::get("/openapi.json")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let tag = header_of(&response, &header::ETAG);
    assert_eq!(text(response).await, tingkat_http::openapi());
    let again = Request::get("/openapi.json").header(header::IF_NONE_MATCH, tag);
    assert_eq!(store.send(again).await.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test(start_paused = true)]
async fn the_page_tells_of_every_route_without_scripts_and_network() {
    let store = Store::new();
    let policy = store.header("/docs", header::CONTENT_SECURITY_POLICY).await;
    assert!(
        policy.starts_with("default-src 'none'; style-src 'unsafe-inline';"),
        "{policy}"
    );
    let page = store.body("/docs").await;
    for word in ["<script", "src=", "http-equiv", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    for (path, methods) in described() {
        for method in methods {
            let heading = format!(
                "<span class=\"verb\">{}</span> <code>{path}</code>",
                method.to_uppercase()
            );
            assert!(page.contains(&heading), "{heading}");
        }
    }
    for link in page.split("href=\"/").skip(1) {
        let path = format!("/{}", link.split(['"', '#']).next().unwrap());
        assert_eq!(
            store.send(Request::get(&path)).await.status(),
            StatusCode::OK,
            "{path}"
        );
    }
}

/// Values of a parameter that are right, and some that are wrong.
fn values(schema: &Value) -> (Vec<String>, Vec<String>) {
    if let Some(names) = schema["enum"].as_array() {
        let right = names.iter().map(|it| it.as_str().unwrap().to_owned());
        return (right.collect(), vec!["neither".to_owned()]);
    }
    let list = |count: u64| vec!["1"; usize::try_from(count).unwrap()].join(",");
    let whole = |name: &str| schema[name].as_u64().unwrap();
    match schema["type"].as_str().unwrap() {
        "boolean" => (vec!["true".into(), "false".into()], vec!["1".into()]),
        "integer" => (
            vec![whole("minimum").to_string(), whole("maximum").to_string()],
            vec!["-1".into(), (whole("maximum") + 1).to_string()],
        ),
        "array" => (
            vec![list(whole("maxItems"))],
            vec![list(whole("maxItems") + 1), String::new()],
        ),
        "string" => match schema["maxLength"].as_u64() {
            Some(most) => (
                vec!["x".repeat(usize::try_from(most).unwrap())],
                vec![
                    "x".repeat(usize::try_from(most).unwrap() + 1),
                    String::new(),
                ],
            ),
            None => (Vec::new(), Vec::new()),
        },
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_bounds_of_query_parameters_are_those_of_the_service() {
    let store = Store::new();
    let mut checked = 0;
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        let of_query = parameters.filter(|it| it["in"] == "query");
        // There are no documents here, and a page that nobody knows has no bounds.
        for parameter in of_query.filter(|_| !path.contains("{entity}")) {
            let name = parameter["name"].as_str().unwrap();
            let uri = |value: &str| format!("{}?{name}={value}", path.replace("{id}", "8"));
            let (right, wrong) = values(&parameter["schema"]);
            for value in right {
                let status = store.send(Request::get(uri(&value))).await.status();
                let is_fine = status == StatusCode::OK || status == StatusCode::NOT_FOUND;
                assert!(is_fine, "{}: {status}", uri(&value));
            }
            for value in wrong {
                let status = store.send(Request::get(uri(&value))).await.status();
                let is_refused =
                    status == StatusCode::BAD_REQUEST || status == StatusCode::UNPROCESSABLE_ENTITY;
                assert!(is_refused, "{}: {status}", uri(&value));
                checked += 1;
            }
        }
    }
    assert!(checked > 15, "{checked}");
}

#[tokio::test(start_paused = true)]
async fn a_look_up_is_answered_for_head_as_for_get() {
    let store = Store::new();
    for path in described().keys() {
        let is_of_get = DOCUMENT["paths"][path]["get"].is_object() && !path.ends_with("changes");
        if is_of_get {
            let head = Request::builder().method(Method::HEAD).uri(filled(path));
            let get = store.send(Request::get(filled(path))).await;
            assert_eq!(store.send(head).await.status(), get.status(), "{path}");
        }
    }
}
