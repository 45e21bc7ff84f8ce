//! Which bytes an answer has: kept, packed, or none.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header, request};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::BodyExt as _;
use insta::assert_snapshot;
use tingkat_shop::product::{Product, ProductId};

use crate::store::{Store, Switch, Table, header_of, products, sources};

/// The lamp, with more to say of it than fits into a segment.
fn wordy() -> Store {
    let database = Arc::new(Switch::default());
    let mut sources = sources(&database);
    let [lamp, mug, ..] = products();
    let lamp = Product {
        description: "Warm light for the table and the stairs. ".repeat(40),
        ..lamp
    };
    let rows = [lamp, mug].map(|product| (product.id.clone(), product));
    sources.products = Table::<ProductId, _>::new(&database, rows);
    Store::over(database, sources, |node| node, |_| ())
}

async fn ask(store: &Store, uri: &str, headers: &[(header::HeaderName, &str)]) -> Response<Body> {
    let request = headers
        .iter()
        .fold(Request::get(uri), |request, (name, value)| {
            request.header(name, *value)
        });
    store.send(request).await
}

async fn accepting(store: &Store, uri: &str, encodings: &str) -> Response<Body> {
    ask(store, uri, &[(header::ACCEPT_ENCODING, encodings)]).await
}

async fn bytes(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn unpacked(bytes: &Bytes) -> String {
    let mut text = String::new();
    GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// The headers that say which form of an answer this is.
fn form(response: &Response<Body>) -> String {
    let names = [
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::ETAG,
        header::VARY,
    ];
    names.map(|name| header_of(response, &name)).join(" | ")
}

#[tokio::test(start_paused = true)]
async fn a_long_product_is_packed_for_those_who_take_it() {
    let store = wordy();
    let uri = "/v1/products/1";
    let plain = accepting(&store, uri, "br").await;
    assert_snapshot!(form(&plain), @r#" | 2435 | "6e41842ad6026af7373c487a26ee2b41" | accept-encoding"#);
    let plain = bytes(plain).await;
    let packed = accepting(&store, uri, "gzip, br").await;
    let first = form(&packed);
    assert_snapshot!(first, @r#"gzip | 434 | "6e41842ad6026af7373c487a26ee2b41-gzip" | accept-encoding"#);
    // As it is made, and as it was kept.
    for _ in 0..2 {
        let packed = accepting(&store, uri, "gzip, br").await;
        assert_eq!(form(&packed), first);
        let packed = bytes(packed).await;
        assert!(packed.len() < plain.len() / 2);
        assert_eq!(unpacked(&packed), plain);
    }
    let again = ask(&store, uri, &[]).await;
    assert_eq!(header_of(&again, &header::CONTENT_ENCODING), "");
    assert_eq!(bytes(again).await, plain);
}

#[tokio::test(start_paused = true)]
async fn a_short_product_is_packed_only_for_those_who_take_nothing_else() {
    let store = wordy();
    let uri = "/v1/products/2";
    let plain = accepting(&store, uri, "gzip").await;
    assert_snapshot!(form(&plain), @r#" | 424 | "cfb0895459ec549e12289227be20d22b" | accept-encoding"#);
    let plain = bytes(plain).await;
    let packed = accepting(&store, uri, "gzip, identity;q=0").await;
    assert_eq!(header_of(&packed, &header::CONTENT_ENCODING), "gzip");
    assert_eq!(unpacked(&bytes(packed).await), plain);
}

#[tokio::test(start_paused = true)]
async fn either_form_that_a_client_holds_is_not_sent_again() {
    let store = wordy();
    let uri = "/v1/products/1";
    let plain = store.header(uri, header::ETAG).await;
    let packed = accepting(&store, uri, "gzip").await;
    let packed = header_of(&packed, &header::ETAG);
    assert_ne!(plain, packed);
    let held = async |tag: &str, encodings: &str| {
        let headers = [
            (header::IF_NONE_MATCH, tag),
            (header::ACCEPT_ENCODING, encodings),
        ];
        let response = ask(&store, uri, &headers).await;
        assert_eq!(header_of(&response, &header::VARY), "accept-encoding");
        (response.status(), header_of(&response, &header::ETAG))
    };
    let not_modified = StatusCode::NOT_MODIFIED;
    assert_eq!(held(&plain, "gzip").await, (not_modified, plain.clone()));
    assert_eq!(held(&packed, "gzip").await, (not_modified, packed.clone()));
    assert_eq!(held(&plain, "br").await, (not_modified, plain.clone()));
    // A form that the client does not take is no use to it.
    assert_eq!(held(&packed, "br").await.0, StatusCode::OK);
    let strict = "gzip, identity;q=0";
    assert_eq!(held(&plain, strict).await, (StatusCode::OK, packed.clone()));
    assert_eq!(held(&packed, strict).await, (not_modified, packed.clone()));
}

#[tokio::test(start_paused = true)]
async fn a_list_is_packed_as_it_goes_out() {
    let store = wordy();
    for uri in [
        "/v1/products?ids=1,2,9",
        "/v1/products?sort=newest",
        "/v1/categories/8/products",
    ] {
        let plain = bytes(ask(&store, uri, &[]).await).await;
        let packed = accepting(&store, uri, "gzip").await;
        assert_eq!(
            header_of(&packed, &header::CONTENT_ENCODING),
            "gzip",
            "{uri}"
        );
        let length = header_of(&packed, &header::CONTENT_LENGTH);
        let packed = bytes(packed).await;
        assert_eq!(packed.len().to_string(), length, "{uri}");
        assert_eq!(unpacked(&packed), plain, "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_sent_without_a_copy() {
    let store = Store::new();
    let one = async |uri: &str| bytes(ask(&store, uri, &[]).await).await;
    for uri in [
        "/v1/products/1",
        "/v1/postcodes/50450",
        "/v1/states",
        "/v1/categories",
        "/v1/categories/8",
    ] {
        let (first, second) = (one(uri).await, one(uri).await);
        assert_eq!(first.as_ptr(), second.as_ptr(), "{uri}");
    }
    let by_id = one("/v1/products/1").await;
    let by_sku = one("/v1/products?sku=85123A").await;
    assert_eq!(by_id.as_ptr(), by_sku.as_ptr());
}

#[tokio::test(start_paused = true)]
async fn a_product_has_a_body_for_each_price_that_somebody_pays() {
    let store = Store::new();
    let one = async |uri: &str| bytes(ask(&store, uri, &[]).await).await;
    let (guest, member) = ("/v1/products/1", "/v1/products/1?tier=member");
    let (before, members) = (one(guest).await, one(member).await);
    assert_ne!(before, members);
    tokio::time::advance(Duration::from_hours(1)).await;
    let during = one(guest).await;
    assert_ne!(during, before);
    assert_eq!(
        one(member).await.as_ptr(),
        during.as_ptr(),
        "one price for all"
    );
    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(one(guest).await, before);
    assert_eq!(one(member).await, members);
}

const TRACEPARENT: &str = "traceparent";

/// A request with names of its own, so that its answer has no others but those of the hop.
fn named(request: request::Builder) -> request::Builder {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request
        .header("x-request-id", "1")
        .header(TRACEPARENT, trace)
}

/// The same address in a form that the short way does not read.
fn roundabout(uri: &str) -> String {
    let (path, query) = uri.find('?').map_or((uri, ""), |at| uri.split_at(at));
    let (before, last) = path.split_at(path.len() - 1);
    format!("{before}%{:02X}{query}", last.as_bytes()[0])
}

/// What a look-up is answered with by the short way and by its route.
async fn both_ways(
    store: &Store,
    method: Method,
    uri: &str,
) -> [(StatusCode, HeaderMap, Bytes); 2] {
    let mut answers = Vec::new();
    for uri in [uri.to_owned(), roundabout(uri)] {
        let request = named(Request::builder().method(method.clone()).uri(uri));
        let (mut parts, body) = store.send(request).await.into_parts();
        parts.headers.remove(TRACEPARENT);
        let body = body.collect().await.unwrap().to_bytes();
        answers.push((parts.status, parts.headers, body));
    }
    answers.try_into().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_short_way_answers_as_the_routes_do() {
    let store = Store::new();
    for uri in [
        "/v1/products/1",
        "/v1/products/1?tier=guest",
        "/v1/products/1?tier=member",
        "/v1/products/1?tier=nobody",
        "/v1/products/1?",
        "/v1/products/4",
        "/v1/products/9",
        "/v1/products/a%20b",
        "/v1/postcodes/50450",
        "/v1/postcodes/50%20450",
        "/v1/postcodes/99999",
        "/v1/postcodes/5045",
        "/v1/postcodes/50450?x=1",
        "/v1/x/rate/1",
    ] {
        // Into memory, if it is anywhere.
        store.get(uri).await;
        for method in [Method::GET, Method::HEAD] {
            let [short, long] = both_ways(&store, method, uri).await;
            assert_eq!(short, long, "{uri}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_of_every_look_up_is_the_get_without_its_body() {
    let store = wordy();
    for uri in [
        "/v1/products/1",
        "/v1/products?sku=85123A",
        "/v1/products?ids=1,2",
        "/v1/products?sort=newest",
        "/v1/categories",
        "/v1/categories/8",
        "/v1/categories/8/products",
        "/v1/postcodes",
        "/v1/postcodes/50450",
        "/v1/postcodes/99999",
        "/v1/states",
    ] {
        store.get(uri).await;
        for encodings in ["identity", "gzip"] {
            let ask = |request: request::Builder| {
                let request = named(request).header(header::ACCEPT_ENCODING, encodings);
                store.send(request)
            };
            let mut get = ask(Request::get(uri)).await;
            let mut head = ask(Request::head(uri)).await;
            for answer in [&mut get, &mut head] {
                answer.headers_mut().remove(TRACEPARENT);
            }
            assert_eq!(head.status(), get.status(), "{uri}");
            assert_eq!(head.headers(), get.headers(), "{uri}");
            assert_eq!(bytes(head).await, "", "{uri}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_kept_as_long_as_configured_and_not_past_its_next_change() {
    let hour = Duration::from_hours(1);
    let store = Store::with(|app| {
        let keeps = std::mem::take(&mut app.keeps);
        app.keeps = keeps
            .with("product", 4 * hour)
            .with("states", Duration::ZERO);
    });
    let keep = async |uri: &str| store.header(uri, header::CACHE_CONTROL).await;
    // The promotion begins in a little less than an hour, and ends an hour later.
    for uri in [
        "/v1/products/1",
        "/v1/products?ids=2,1",
        "/v1/products?sort=newest",
    ] {
        for _ in 0..2 {
            assert_eq!(keep(uri).await, "public, max-age=3599", "{uri}");
        }
    }
    assert_eq!(keep("/v1/products/2").await, "public, max-age=14400");
    assert_eq!(
        keep("/v1/products/9").await,
        "no-cache",
        "it may be there soon"
    );
    assert_eq!(keep("/v1/states").await, "no-cache");
    tokio::time::advance(hour + hour / 2).await;
    assert_eq!(keep("/v1/products/1").await, "public, max-age=1799");
    tokio::time::advance(hour / 2).await;
    assert_eq!(keep("/v1/products/1").await, "public, max-age=14400");
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_product_is_charged_for_the_bodies_that_it_has() {
    let store = wordy();
    let caches = store.node.registry().all();
    let products = caches
        .iter()
        .find(|cache| cache.name() == "product")
        .unwrap();
    let bytes = async |uri: &str| {
        let body = bytes(ask(&store, uri, &[]).await).await;
        (body.len() as u64, products.bytes())
    };
    let (guest, member) = ("/v1/products/1", "/v1/products/1?tier=member");
    let (long, one) = bytes(guest).await;
    assert_eq!(bytes(guest).await.1, one, "once");
    let (_, two) = bytes(member).await;
    let (least, most) = (long + long / 2, 2 * long + 500);
    assert!(
        (least..most).contains(&(two - one)),
        "{long} bytes, charged {}",
        two - one
    );
    let all = bytes("/v1/products?ids=1,2").await.1;
    assert!(all > two, "the other one is new");
    assert_eq!(bytes("/v1/products?ids=1,2").await.1, all);
}
