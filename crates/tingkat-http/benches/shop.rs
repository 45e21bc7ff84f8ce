//! What the benchmark and the test of allocations share: a shop whose products are made from their
//! ids, on a node that follows a log, and the bare route beside it.
#![allow(dead_code, missing_docs, reason = "each uses a part")]

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream;
use tingkat::clock::SystemClock;
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Loaded, Source, Wanted};
use tingkat::warm::{Order, Warming, Wish};
use tingkat::{Key, Node};
use tingkat_health::{DataState, Observed, RedisState, SourceState, StandIn, WarmState};
use tingkat_http::{
    App, Changes, Edge, Face, Heartbeat, Keeps, Limits, Metrics, Routes, Tokens, face,
};
use tingkat_shop::money::Money;
use tingkat_shop::product::{
    CategoryName, Image, Product, ProductBodies, ProductId, Promotion, Status, Variant,
};
use tingkat_shop::{Documents, Shop, Sources};
use tingkat_testkit::fakes::FakeDatabase;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Nobody wants anything ahead of demand.
struct Unordered;

impl Order for Unordered {
    fn top<'a>(&'a self, _: &'a str, _: usize) -> BoxFuture<'a, Result<Vec<String>, SourceError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// A source of nothing.
struct Empty;

impl<K: Key, V: Send + Sync + 'static> Source<K, V> for Empty {
    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<K, V>],
    ) -> BoxFuture<'a, Result<Batch<V>, SourceError>> {
        let loaded = wanted.iter().map(|_| Loaded::absent()).collect();
        Box::pin(async move {
            Ok(Batch {
                certificate: None,
                loaded,
            })
        })
    }
}

struct Lamps;

impl Source<ProductId, Product> for Lamps {
    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<ProductId, Product>],
    ) -> BoxFuture<'a, Result<Batch<Product>, SourceError>> {
        let loaded = wanted.iter().map(|wanted| Loaded::value(lamp(&wanted.key)));
        let loaded = loaded.collect();
        Box::pin(async move {
            Ok(Batch {
                certificate: None,
                loaded,
            })
        })
    }
}

/// Ids of products that are described at length begin so.
pub(crate) const LONG: &str = "long-";

/// As much as products of a real shop have, with a promotion that is long over.
fn lamp(id: &ProductId) -> Product {
    let texts = |text: &str| format!("{text} {id}");
    let sentences = if id.as_str().starts_with(LONG) { 12 } else { 1 };
    Product {
        id: id.clone(),
        sku: texts("SKU").parse().expect("a sku"),
        slug: texts("lamp").parse().expect("a slug"),
        name: texts("White hanging lamp with a heart"),
        description: texts("Warm light for the table and the stairs, by hand.").repeat(sentences),
        status: Status::Active,
        regular_price: Money::sen(255),
        member_price: Money::sen(230),
        promotion: Some(Promotion {
            price: Money::sen(199),
            starts_at: Some("2025-05-01T13:00:00Z".parse().expect("a time")),
            ends_at: Some("2025-05-01T14:00:00Z".parse().expect("a time")),
        }),
        stock_quantity: 3,
        low_stock_at: 5,
        featured: true,
        categories: vec![CategoryName {
            id: "7".into(),
            slug: "lamps".into(),
            name: "Lamps".into(),
        }],
        images: vec![Image {
            url: "https://img.example/1.jpg".into(),
            alt: "The lamp".into(),
        }],
        variants: vec![Variant {
            sku: texts("L").parse().expect("a sku"),
            name: "size".into(),
            value: "L".into(),
            regular_price: Money::sen(305),
            member_price: Money::sen(280),
            stock_quantity: 0,
        }],
        version: 4,
        updated_at: "2026-04-30T08:15:30.25Z".parse().expect("a time"),
        bodies: ProductBodies::default(),
    }
}

/// The service, as it is served. Its node follows a log in which nothing happens; it wants a runtime
/// around it.
pub(crate) fn service() -> impl Routes + Sync {
    service_with(|_| ())
}

/// The same, with something about it changed.
pub(crate) fn service_with(change: impl FnOnce(&mut App)) -> impl Routes + Sync {
    let database = FakeDatabase::new();
    let node = Node::builder().change_log(Arc::new(database.log())).build();
    let sources = Sources {
        products: Arc::new(Lamps),
        skus: Arc::new(Empty),
        slugs: Arc::new(Empty),
        listings: Arc::new(Empty),
        popular: Arc::new(Empty),
        categories: Arc::new(Empty),
        category_counts: Arc::new(Empty),
        postcodes: Arc::new(Empty),
        postcode_index: Arc::new(Empty),
        states: Arc::new(Empty),
    };
    // Whoever would send later states of the neighbours is gone; this one stays.
    let (_, readiness) = watch::channel(Observed {
        source: SourceState::Up,
        source_was_ever_up: true,
        stand_in: StandIn::Nobody,
        redis: RedisState::Off,
        data: DataState::Whole,
        feed_is_adrift: false,
        warm: WarmState::Off,
        draining: false,
        required: Vec::new(),
        waived: Vec::new(),
        privacy: Vec::new(),
    });
    let mut app = App {
        shop: Shop::new(&node, sources),
        documents: Documents::default(),
        warming: Warming::new(&node, Arc::new(Unordered)),
        usual_warming: Wish::default(),
        node,
        writes: None,
        tokens: Tokens::default(),
        changes: Arc::new(Changes::new(2)),
        metrics: Metrics::new(Arc::new(SystemClock)),
        clock: Arc::new(SystemClock),
        readiness,
        health: watch::channel(None).1,
        heartbeat: Heartbeat::default(),
        keeps: Keeps::default(),
        limits: Limits::default(),
        edge: Edge::default(),
        shutdown: CancellationToken::new(),
    };
    change(&mut app);
    face(app, Face::WHOLE)
}

/// Headers whose values are made for each answer, which is the bare route's work as well.
const EACH_TIME: [&str; 2] = ["traceparent", "x-request-id"];

/// An answer, to be given again and again.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A route that gives one answer to everybody, which is the least that axum can do.
pub(crate) fn bare(answer: Recorded) -> Router {
    Router::new()
        .route("/v1/products/{id}", get(one))
        .route("/v1/products", get(many))
        .with_state(Arc::new(answer))
}

/// Who answers about a product takes its id from the path, at the least.
async fn one(State(answer): State<Arc<Recorded>>, Path(_id): Path<String>) -> Response {
    answer.response()
}

async fn many(State(answer): State<Arc<Recorded>>) -> Response {
    answer.response()
}

impl Recorded {
    fn response(&self) -> Response {
        let body = if self.status == StatusCode::NOT_MODIFIED {
            // Of no length, which axum would tell.
            Body::from_stream(stream::empty::<Result<Bytes, Infallible>>())
        } else {
            Body::from(self.body.clone())
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let mut headers = self.headers.clone();
        for name in EACH_TIME {
            if let Some(value) = headers.get_mut(name) {
                *value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
            }
        }
        *response.headers_mut() = headers;
        response
    }
}
