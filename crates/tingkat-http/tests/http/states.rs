use insta::assert_snapshot;

use crate::store::Store;

#[tokio::test(start_paused = true)]
async fn the_states_are_one_list() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/states").await, @r#"
    200 OK
    age: 0
    cache-control: public, max-age=86400
    cache-status: memory; fwd=uri-miss, source; fwd=uri-miss; stored
    content-length: 111
    content-type: application/json
    etag: "8c4b6812e4a1586cd36852a329905fa4"
    vary: accept-encoding
    x-content-type-options: nosniff

    {"items":[{"code":"JHR","name":"Johor","zone":"west"},{"code":"SBH","name":"Sabah","zone":"east"}],"next":null}
    "#);
}

#[tokio::test(start_paused = true)]
async fn the_list_has_no_parameters() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/states?zone=west").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 196
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#parameter_unknown","title":"Unknown query parameter","status":400,"detail":"found \"zone\"; this route has no query parameters","code":"parameter_unknown","known_parameters":[]}
    "#);
}
