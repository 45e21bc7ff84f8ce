use axum::http::{Request, StatusCode};
use insta::assert_snapshot;
use tingkat_health::{RedisState, SourceState};

use crate::store::Store;

#[tokio::test(start_paused = true)]
async fn the_page_links_to_look_ups_and_tells_the_tiers() {
    let store = Store::new();
    assert_snapshot!("home", store.get("/").await);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_shown_as_text() {
    let store = Store::new();
    store.observed.send_modify(|observed| {
        observed.source = SourceState::Down {
            why: "<script>alert(1)</script>".into(),
            since_ms: 1_777_636_800_000,
        };
        observed.redis = RedisState::Connecting;
    });
    let page = store.body("/").await;
    assert!(!page.contains("<script"), "{page}");
    let shown: Vec<&str> = page
        .lines()
        .filter(|line| line.contains("script") || line.contains("redis"))
        .collect();
    assert_snapshot!(shown.join("\n"), @r#"
    <li>the database is down, answers come from the cache: &lt;script&gt;alert(1)&lt;/script&gt;</li>
    <li>redis has not been reached yet</li>
    <tr><th scope="row">redis</th><td>… connecting</td></tr>
    <tr><th scope="row">source</th><td>✗ down since 2026-05-01T12:00:00Z: &lt;script&gt;alert(1)&lt;/script&gt;</td></tr>
    "#);
}

#[tokio::test(start_paused = true)]
async fn every_link_leads_somewhere() {
    let store = Store::new();
    let page = store.body("/").await;
    let links: Vec<&str> = page
        .split("href=\"/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        let response = store.send(Request::get(format!("/{link}"))).await;
        let expected = if link == "v1/postcodes/5045" {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::OK
        };
        assert_eq!(response.status(), expected, "{link}");
    }
}
