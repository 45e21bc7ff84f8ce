//! A store in memory whose database can be cut, hung and made to fail, and a client of its routes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, header};
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use tingkat::error::SourceError;
use tingkat::node::Builder;
use tingkat::ports::{Batch, Clock, Found, Loaded, Source, Tick, Wanted};
use tingkat::warm::{Order, Warming, Wish};
use tingkat::{Key, Node};
use tingkat_health::{DataState, Observed, RedisState, Report, SourceState, StandIn, WarmState};
use tingkat_http::{App, Changes, Edge, Face, Heartbeat, Keeps, Limits, Metrics, Tokens, router};
use tingkat_shop::All;
use tingkat_shop::body::Kept;
use tingkat_shop::category::{CategoryCount, CategoryRow, CategoryTree};
use tingkat_shop::money::Money;
use tingkat_shop::postcode::{self, Postcode, PostcodeIndex};
use tingkat_shop::product::listing::{Listing, ListingKey, Place, Popular, Sorted};
use tingkat_shop::product::{
    CategoryName, Image, Product, ProductBodies, ProductId, Promotion, SkuOwner, SlugOwner, Status,
    Variant,
};
use tingkat_shop::state::{State, StateList, Zone};
use tingkat_shop::{Documents, Shop, Sources};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::described;

/// What the database does with a question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    Answers = 0,
    Fails = 1,
    Hangs = 2,
    /// The product with the id 2 fails, all else is answered.
    FailsOnTwo = 3,
}

/// The switch of a database, and how often it was asked.
#[derive(Default)]
pub(crate) struct Switch {
    mood: AtomicU8,
    loads: AtomicUsize,
}

impl Switch {
    pub(crate) fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    fn is(&self, mood: Mood) -> bool {
        self.mood.load(Ordering::SeqCst) == mood as u8
    }
}

pub(crate) struct Table<K, V> {
    pub(crate) rows: Mutex<HashMap<String, V>>,
    switch: Arc<Switch>,
    key: std::marker::PhantomData<fn(K)>,
}

impl<K: Key, V> Table<K, V> {
    pub(crate) fn new(switch: &Arc<Switch>, rows: impl IntoIterator<Item = (K, V)>) -> Arc<Self> {
        let rows = rows.into_iter().map(|(key, value)| (key.text(), value));
        Arc::new(Self {
            rows: Mutex::new(rows.collect()),
            switch: Arc::clone(switch),
            key: std::marker::PhantomData,
        })
    }
}

impl<K: Key, V: Clone + Send + Sync + 'static> Source<K, V> for Table<K, V> {
    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<K, V>],
    ) -> BoxFuture<'a, Result<Batch<V>, SourceError>> {
        Box::pin(async move {
            self.switch.loads.fetch_add(1, Ordering::SeqCst);
            if self.switch.is(Mood::Hangs) {
                return std::future::pending().await;
            }
            if self.switch.is(Mood::Fails) {
                return Err(SourceError::transient("relation \"secret\" does not exist"));
            }
            let rows = self.rows.lock().unwrap();
            let found = |wanted: &Wanted<K, V>| {
                let key = wanted.key.text();
                if self.switch.is(Mood::FailsOnTwo) && key == "2" {
                    return Loaded::new(Found::Failed(SourceError::transient("no")));
                }
                rows.get(&key)
                    .cloned()
                    .map_or_else(Loaded::absent, Loaded::value)
            };
            Ok(Batch {
                certificate: None,
                loaded: wanted.iter().map(found).collect(),
            })
        })
    }
}

/// Wants products, in the order of their ids.
struct ById;

impl Order for ById {
    fn top<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, SourceError>> {
        let ids = ["1", "2", "3", "4", "9"].map(str::to_owned);
        let wanted = ids.into_iter().take(most).filter(|_| entity == "product");
        let wanted = wanted.collect();
        Box::pin(std::future::ready(Ok(wanted)))
    }
}

/// The time of the tests: it begins at noon on a day in May, and moves with tokio's.
pub(crate) struct Hands(tokio::time::Instant);

impl Hands {
    #[expect(
        clippy::disallowed_methods,
        reason = "tokio's clock is the one that tests move"
    )]
    fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for Hands {
    fn now(&self) -> Tick {
        let since = self.0.elapsed() + Duration::from_hours(1);
        Tick::from_nanos(u64::try_from(since.as_nanos()).unwrap())
    }

    fn coarse(&self) -> Tick {
        self.now()
    }

    fn boot(&self) -> Tick {
        self.now()
    }

    fn wall_ms(&self) -> u64 {
        let noon = "2026-05-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let since = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        u64::try_from(noon.as_millisecond()).unwrap() + since
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that no handler survives.
pub(crate) struct Broken;

impl Clock for Broken {
    fn now(&self) -> Tick {
        Tick::from_nanos(1)
    }

    fn coarse(&self) -> Tick {
        self.now()
    }

    fn boot(&self) -> Tick {
        self.now()
    }

    fn wall_ms(&self) -> u64 {
        panic!("the spring is broken")
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The service and all of its switches.
pub(crate) struct Store {
    pub(crate) routes: Router,
    pub(crate) database: Arc<Switch>,
    pub(crate) observed: watch::Sender<Observed>,
    pub(crate) report: watch::Sender<Option<Arc<Report>>>,
    pub(crate) node: Node,
    pub(crate) shutdown: CancellationToken,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// A store whose [`App`] is changed before its routes are made.
    pub(crate) fn with(change: impl FnOnce(&mut App)) -> Self {
        let database = Arc::new(Switch::default());
        let sources = sources(&database);
        Self::over(database, sources, |node| node, change)
    }

    /// A store of which one listener is looked at.
    pub(crate) fn with_face(face: Face) -> Self {
        let mut app = None;
        let store = Self::with(|it| app = Some(it.clone()));
        Self {
            routes: Router::new().fallback_service(tingkat_http::face(app.unwrap(), face)),
            ..store
        }
    }

    /// A store over these sources, on a node that is tuned.
    pub(crate) fn over(
        database: Arc<Switch>,
        sources: Sources,
        tune: impl FnOnce(Builder) -> Builder,
        change: impl FnOnce(&mut App),
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Hands::new());
        let changes = Arc::new(Changes::new(2));
        let heard = Arc::clone(&changes);
        let metrics = Metrics::new(Arc::clone(&clock));
        let counted = metrics.clone();
        let node = Node::builder()
            .clock(Arc::clone(&clock))
            .seed(1)
            .on_event(move |event| counted.hear(event))
            .on_event(move |event| heard.hear(event));
        let node = tune(node).build();
        let shutdown = CancellationToken::new();
        let (report, health) = watch::channel(None);
        let (observed, readiness) = watch::channel(Observed {
            warm: WarmState::Off,
            source: SourceState::Up,
            source_was_ever_up: true,
            stand_in: StandIn::Nobody,
            redis: RedisState::Off,
            data: DataState::Whole,
            feed_is_adrift: false,
            draining: false,
            required: Vec::new(),
            waived: Vec::new(),
            privacy: Vec::new(),
        });
        let mut app = App {
            shop: Shop::new(&node, sources),
            documents: Documents::default(),
            node: node.clone(),
            writes: None,
            warming: Warming::new(&node, Arc::new(ById)),
            usual_warming: Wish {
                top: 10,
                ..Wish::default()
            },
            tokens: Tokens::default(),
            changes,
            metrics,
            clock,
            readiness,
            health,
            keeps: Keeps::default(),
            heartbeat: Heartbeat::default(),
            limits: Limits::default(),
            edge: Edge::default(),
            shutdown: shutdown.clone(),
        };
        change(&mut app);
        Self {
            routes: router(app),
            database,
            observed,
            report,
            node,
            shutdown,
        }
    }

    /// Sends a request without a body.
    pub(crate) async fn send(&self, request: axum::http::request::Builder) -> Response<Body> {
        self.answer(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a request, and holds the answer against its description.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.routes.clone().oneshot(request).await.unwrap();
        described::check(&method, &path, response).await
    }

    /// The response to a GET, as a text to be read: status, headers and body.
    pub(crate) async fn get(&self, uri: &str) -> String {
        shown(self.send(Request::get(uri)).await).await
    }

    /// One header of the response to a GET.
    pub(crate) async fn header(&self, uri: &str, name: header::HeaderName) -> String {
        let response = self.send(Request::get(uri)).await;
        header_of(&response, &name)
    }

    /// The body of the response to a GET.
    pub(crate) async fn body(&self, uri: &str) -> String {
        text(self.send(Request::get(uri)).await).await
    }
}

pub(crate) fn header_of(response: &Response<Body>, name: &header::HeaderName) -> String {
    let value = response.headers().get(name);
    value
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

/// The body without what names its request.
pub(crate) async fn text(response: Response<Body>) -> String {
    unnamed(&raw_text(response).await)
}

pub(crate) async fn raw_text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Headers that differ from request to request.
const OF_ONE_REQUEST: [&str; 2] = ["traceparent", "x-request-id"];

/// The same document without what names its request.
fn unnamed(body: &str) -> String {
    let mut body = body.to_owned();
    for member in [",\"request_id\":\"", ",\"trace_id\":\""] {
        if let Some(at) = body.find(member) {
            let from = at + member.len();
            let end = from + body[from..].find('"').unwrap() + 1;
            body.replace_range(at..end, "");
        }
    }
    body
}

/// A response as a text, its headers by name; their order carries no meaning.
pub(crate) async fn shown(response: Response<Body>) -> String {
    let mut shown = format!("{}\n", response.status());
    let mut heads = response.headers().clone();
    let whole = raw_text(response).await;
    let body = unnamed(&whole);
    if let Some(length) = heads.get_mut(header::CONTENT_LENGTH)
        && body != whole
    {
        assert_eq!(length.to_str().unwrap(), whole.len().to_string());
        *length = body.len().into();
    }
    let mut headers: Vec<String> = heads
        .iter()
        .filter(|(name, _)| !OF_ONE_REQUEST.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    shown.extend(headers);
    if !body.is_empty() {
        let _ = write!(shown, "\n{body}");
    }
    shown
}

pub(crate) fn sources(switch: &Arc<Switch>) -> Sources {
    let products = products();
    let skus: Vec<_> = products
        .iter()
        .map(|product| (product.sku.clone(), SkuOwner(product.id.clone())))
        .collect();
    let slugs: Vec<_> = products
        .iter()
        .map(|product| (product.slug.clone(), SlugOwner(product.id.clone())))
        .collect();
    let products = products.map(|product| (product.id.clone(), product));
    let postcodes = [kuala_lumpur(), shared()];
    let index = PostcodeIndex::new(postcodes.clone());
    let postcodes = postcodes.map(|postcode| (postcode.code, postcode));
    Sources {
        products: Table::<ProductId, _>::new(switch, products),
        skus: Table::new(switch, skus),
        slugs: Table::new(switch, slugs),
        listings: Table::new(switch, listings().map(|(key, page)| (key, Sorted(page)))),
        popular: Table::new(
            switch,
            [(key("sort=popularity"), Popular(page(&["3", "1"], false)))],
        ),
        categories: Table::new(switch, [(All, categories())]),
        category_counts: Table::new(
            switch,
            [("7", 1), ("8", 2)].map(|(id, count)| (id.parse().unwrap(), CategoryCount(count))),
        ),
        postcodes: Table::<postcode::Code, _>::new(switch, postcodes),
        postcode_index: Table::new(switch, [(All, index)]),
        states: Table::new(switch, [(All, states())]),
    }
}

/// Lamps, which are under the house.
fn categories() -> CategoryTree {
    let row = |id: &str, parent_id: Option<&str>, slug: &str, name: &str| CategoryRow {
        id: id.parse().unwrap(),
        parent_id: parent_id.map(|id| id.parse().unwrap()),
        slug: slug.into(),
        name: name.into(),
        active: true,
    };
    CategoryTree::new([
        row("7", Some("8"), "lamps", "Lamps"),
        row("8", None, "house", "House"),
    ])
}

fn key(text: &str) -> ListingKey {
    ListingKey::parse(text).unwrap()
}

fn page(ids: &[&str], more: bool) -> Listing {
    let place = |id: &&str| Place(0, 0, String::new(), id.parse().unwrap());
    Listing {
        places: ids.iter().map(place).collect(),
        more,
    }
}

/// Product 4 was taken off sale a moment ago, and 9 deleted.
fn listings() -> [(ListingKey, Listing); 5] {
    [
        (key("sort=newest"), page(&["1", "4", "9", "3"], false)),
        (key("after=newest.0.0.1."), page(&["4", "9", "3"], false)),
        (key("sort=price"), page(&["3"], true)),
        (
            key("category=7&featured=true&promoted=false&sort=name"),
            page(&["1"], false),
        ),
        (key("category=8&sort=newest"), page(&["3", "1"], false)),
    ]
}

fn kuala_lumpur() -> Postcode {
    Postcode {
        code: "50450".parse().unwrap(),
        cities: vec!["Kuala Lumpur".into()],
        state_code: "KUL".into(),
        state_name: "Wp Kuala Lumpur".into(),
        zone: Zone::West,
        body: Kept::default(),
    }
}

fn shared() -> Postcode {
    Postcode {
        code: "88000".parse().unwrap(),
        cities: vec!["Kota Kinabalu".into(), "Likas".into()],
        state_code: "SBH".into(),
        state_name: "Sabah".into(),
        zone: Zone::East,
        body: Kept::default(),
    }
}

fn states() -> StateList {
    let state = |code: &str, name: &str, zone| State {
        code: code.into(),
        name: name.into(),
        zone,
    };
    StateList::from(vec![
        state("JHR", "Johor", Zone::West),
        state("SBH", "Sabah", Zone::East),
    ])
}

/// The products that there are.
pub(crate) fn products() -> [Product; 4] {
    [lamp(), mug(), plate(), spoon()]
}

/// Everything a product can have; on promotion for the hour that begins at one.
fn lamp() -> Product {
    let category = |id: &str, slug: &str, name: &str| CategoryName {
        id: id.into(),
        slug: slug.into(),
        name: name.into(),
    };
    Product {
        id: "1".parse().unwrap(),
        sku: "85123A".parse().unwrap(),
        slug: "white-lamp".parse().unwrap(),
        name: "White \"hanging\" lamp <3".into(),
        description: "Warm light.".into(),
        status: Status::Active,
        regular_price: Money::sen(255),
        member_price: Money::sen(230),
        promotion: Some(Promotion {
            price: Money::sen(199),
            starts_at: Some("2026-05-01T13:00:00Z".parse().unwrap()),
            ends_at: Some("2026-05-01T14:00:00Z".parse().unwrap()),
        }),
        stock_quantity: 3,
        low_stock_at: 5,
        featured: true,
        categories: vec![category("7", "lamps", "Lamps")],
        images: vec![Image {
            url: "https://img.example/1.jpg".into(),
            alt: "The lamp".into(),
        }],
        variants: vec![Variant {
            sku: "85123A-L".parse().unwrap(),
            name: "size".into(),
            value: "L".into(),
            regular_price: Money::sen(305),
            member_price: Money::sen(280),
            stock_quantity: 0,
        }],
        version: 4,
        updated_at: "2026-04-30T08:15:30.25Z".parse().unwrap(),
        bodies: ProductBodies::default(),
    }
}

/// As little as a product can have.
fn mug() -> Product {
    Product {
        id: "2".parse().unwrap(),
        sku: "A+B C/1".parse().unwrap(),
        slug: "mug".parse().unwrap(),
        name: "Mug".into(),
        description: String::new(),
        status: Status::Active,
        regular_price: Money::sen(100),
        member_price: Money::sen(100),
        promotion: None,
        stock_quantity: 0,
        low_stock_at: 0,
        featured: false,
        categories: Vec::new(),
        images: Vec::new(),
        variants: Vec::new(),
        version: 1,
        updated_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        bodies: ProductBodies::default(),
    }
}

fn plate() -> Product {
    Product {
        id: "3".parse().unwrap(),
        sku: "PLATE".parse().unwrap(),
        slug: "plate".parse().unwrap(),
        name: "Plate".into(),
        ..mug()
    }
}

/// What is not sold any more.
fn spoon() -> Product {
    Product {
        id: "4".parse().unwrap(),
        sku: "SPOON".parse().unwrap(),
        slug: "spoon".parse().unwrap(),
        name: "Spoon".into(),
        status: Status::Inactive,
        ..mug()
    }
}
