use std::time::Duration;

use axum::http::{Method, Request, StatusCode, header};
use insta::assert_snapshot;

use crate::store::{Mood, Store, header_of, shown, text};

#[tokio::test(start_paused = true)]
async fn a_postcode_is_located() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/postcodes/50450").await, @r#"
    200 OK
    age: 0
    cache-control: public, max-age=86400
    cache-status: memory; fwd=uri-miss, source; fwd=uri-miss; stored
    content-length: 159
    content-type: application/json
    etag: "00059981351dcf5926b0d578f74c2324"
    vary: accept-encoding
    x-content-type-options: nosniff

    {"valid":true,"formatted":"50450","location":{"state_code":"KUL","state_name":"Wp Kuala Lumpur","city":"Kuala Lumpur","cities":["Kuala Lumpur"],"zone":"west"}}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_second_look_up_is_a_hit_with_its_age() {
    let store = Store::new();
    store.get("/v1/postcodes/88000").await;
    tokio::time::advance(Duration::from_millis(90_900)).await;
    assert_snapshot!(store.get("/v1/postcodes/88000").await, @r#"
    200 OK
    age: 90
    cache-control: public, max-age=86400
    cache-status: memory; hit
    content-length: 159
    content-type: application/json
    etag: "3968b4f3d60f6589f80ea379d4132fdd"
    vary: accept-encoding
    x-content-type-options: nosniff

    {"valid":true,"formatted":"88000","location":{"state_code":"SBH","state_name":"Sabah","city":"Kota Kinabalu","cities":["Kota Kinabalu","Likas"],"zone":"east"}}
    "#);
    assert_eq!(store.database.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn white_space_is_ignored() {
    let store = Store::new();
    let plain = store.body("/v1/postcodes/50450").await;
    for uri in [
        "/v1/postcodes/%2050450%20",
        "/v1/postcodes/50%20450",
        "/v1/postcodes/504%C2%A050",
    ] {
        assert_eq!(store.body(uri).await, plain, "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_postcode_has_the_same_shape_and_says_so() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/postcodes/99999").await, @r#"
    404 Not Found
    age: 0
    cache-control: public, max-age=60
    cache-status: memory; fwd=uri-miss, source; fwd=uri-miss; stored
    content-length: 122
    content-type: application/json
    x-content-type-options: nosniff

    {"valid":false,"formatted":"99999","location":null,"error":"no place in Malaysia has the postcode 99999","suggestions":[]}
    "#);
    let loads = store.database.loads();
    store.get("/v1/postcodes/99999").await;
    assert_eq!(store.database.loads(), loads, "absence is cached");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_postcode_is_told_what_a_postcode_is() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/postcodes/5O450").await, @r#"
    422 Unprocessable Entity
    cache-control: no-store
    content-length: 175
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#postcode_malformed","title":"Not a postcode","status":422,"detail":"a postcode has five digits, such as 50450; found \"5O450\"","code":"postcode_malformed"}
    "#);
    for wrong in [
        "5045",
        "504500",
        "-5045",
        "%D9%A5%D9%A0%D9%A4%D9%A5%D9%A0",
        "%20",
        "50450%00",
        "50%2F450",
    ] {
        let uri = format!("/v1/postcodes/{wrong}");
        let response = store.send(Request::get(&uri)).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{uri}");
    }
    assert_eq!(store.database.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_head_is_the_get_without_its_body() {
    let store = Store::new();
    store.get("/v1/postcodes/50450").await;
    let of_one = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let named = |request: axum::http::request::Builder| {
        request
            .header("x-request-id", "1")
            .header("traceparent", of_one)
    };
    let mut get = store.send(named(Request::get("/v1/postcodes/50450"))).await;
    let mut head = store
        .send(named(Request::head("/v1/postcodes/50450")))
        .await;
    assert_eq!(head.status(), get.status());
    // Each is a hop of its own.
    for answer in [&mut get, &mut head] {
        assert!(answer.headers_mut().remove("traceparent").is_some());
    }
    assert_eq!(head.headers(), get.headers());
    assert_eq!(text(head).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_holds_the_bytes_gets_none() {
    let store = Store::new();
    let uri = "/v1/postcodes/50450";
    let tag = store.header(uri, header::ETAG).await;
    let ask = |method: Method, held: String| {
        store.send(
            Request::builder()
                .uri(uri)
                .method(method)
                .header(header::IF_NONE_MATCH, held),
        )
    };
    assert_snapshot!(shown(ask(Method::GET, tag.clone()).await).await, @r#"
    304 Not Modified
    age: 0
    cache-control: public, max-age=86400
    cache-status: memory; hit
    etag: "00059981351dcf5926b0d578f74c2324"
    vary: accept-encoding
    x-content-type-options: nosniff
    "#);
    for held in [
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let response = ask(method, held.clone()).await;
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{held}");
            assert_eq!(header_of(&response, &header::ETAG), tag);
        }
    }
    let response = ask(Method::GET, "\"other\"".to_owned()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_condition_does_not_hide_that_there_is_nothing() {
    let store = Store::new();
    let request = Request::get("/v1/postcodes/99999").header(header::IF_NONE_MATCH, "*");
    assert_eq!(store.send(request).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_known_to_be_current_is_marked_and_kept_by_nobody() {
    let store = Store::new();
    store.get("/v1/postcodes/50450").await;
    tokio::time::advance(Duration::from_hours(30)).await;
    store.database.set(Mood::Fails);
    assert_snapshot!(store.get("/v1/postcodes/50450").await, @r#"
    200 OK
    age: 108000
    cache-control: private, no-cache
    cache-status: memory; hit; detail=stale
    content-length: 159
    content-type: application/json
    etag: "00059981351dcf5926b0d578f74c2324"
    vary: accept-encoding
    x-content-type-options: nosniff

    {"valid":true,"formatted":"50450","location":{"state_code":"KUL","state_name":"Wp Kuala Lumpur","city":"Kuala Lumpur","cities":["Kuala Lumpur"],"zone":"west"}}
    "#);
}

#[tokio::test(start_paused = true)]
async fn concurrent_look_ups_of_one_postcode_are_one_load() {
    let store = Store::new();
    let ask = || {
        store.header(
            "/v1/postcodes/50450",
            header::HeaderName::from_static("cache-status"),
        )
    };
    let mut answers = futures::future::join_all([ask(), ask(), ask()]).await;
    answers.sort();
    let loaded = "memory; fwd=uri-miss, source; fwd=uri-miss; stored";
    let joined = format!("{loaded}; collapsed");
    assert_eq!(answers, [loaded, &joined, &joined]);
    assert_eq!(store.database.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_near_miss_is_suggested() {
    let store = Store::new();
    let near = store.body("/v1/postcodes/88001").await;
    assert!(near.contains(r#""suggestions":["88000"]"#), "{near}");
    let swapped = store.body("/v1/postcodes/50540").await;
    assert!(swapped.contains(r#""suggestions":["50450"]"#), "{swapped}");
}

#[tokio::test(start_paused = true)]
async fn a_page_has_the_bytes_of_each_look_up() {
    let store = Store::new();
    let one = store.body("/v1/postcodes/50450").await;
    let other = store.body("/v1/postcodes/88000").await;
    assert_eq!(
        store.body("/v1/postcodes").await,
        format!(r#"{{"items":[{one},{other}],"next":null}}"#)
    );
    assert_eq!(
        store.body("/v1/postcodes?limit=1").await,
        format!(r#"{{"items":[{one}],"next":"50450"}}"#)
    );
    assert_eq!(
        store.body("/v1/postcodes?limit=1&cursor=50450").await,
        format!(r#"{{"items":[{other}],"next":null}}"#)
    );
    for query in ["state=sbh", "zone=EAST", "city=LIKAS", "q=Kota%20K", "q=88"] {
        assert_eq!(
            store.body(&format!("/v1/postcodes?{query}")).await,
            format!(r#"{{"items":[{other}],"next":null}}"#),
            "{query}"
        );
    }
    for query in ["state=SBH&q=504", "city=Lika", "q=Kinabalu"] {
        assert_eq!(
            store.body(&format!("/v1/postcodes?{query}")).await,
            r#"{"items":[],"next":null}"#,
            "{query}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_can_not_be_meant_is_told_what_would_be_right() {
    let store = Store::new();
    for (query, detail) in [
        (
            "zone=north",
            r#"found \"north\"; `zone` is `west` or `east`"#,
        ),
        ("limit=0", r#"found \"0\"; `limit` is from 1 to 100"#),
        ("limit=101", r#"found \"101\"; `limit` is from 1 to 100"#),
        ("limit=many", r#"found \"many\"; `limit` is from 1 to 100"#),
        ("city=%20", "`city` is empty; leave it out for all"),
        (
            "cursor=first",
            "`cursor` is the `next` of an earlier page of this list",
        ),
    ] {
        let answer = store.get(&format!("/v1/postcodes?{query}")).await;
        assert!(answer.starts_with("400 Bad Request"), "{query}: {answer}");
        assert!(answer.contains(detail), "{query}: {answer}");
    }
}
