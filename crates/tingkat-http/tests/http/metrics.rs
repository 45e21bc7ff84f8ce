//! What `/metrics` tells, over real traffic: its numbers, its bounds, and its page of documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use futures::FutureExt as _;
use tingkat_health::{Monitor, Report};
use tingkat_http::Limits;
use tingkat_http::edge::{Rate, RateLimits, Rates};
use tingkat_testkit::fakes::FakeRedis;

use crate::health::look;
use crate::store::{Mood, Store, header_of, shown, text};
use crate::tracked::Shared;
use crate::wire::{Server, patiently};

/// A page that was read: families by name, and numbers by name and labels.
#[derive(Debug, Default)]
struct Read {
    kinds: BTreeMap<String, String>,
    helps: BTreeMap<String, String>,
    numbers: BTreeMap<String, String>,
}

impl Read {
    /// Reads the text format as strictly as a scraper does.
    fn of(page: &str) -> Self {
        let mut read = Self::default();
        let mut family = String::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                name.clone_into(&mut family);
                assert!(
                    read.helps.insert(family.clone(), help.to_owned()).is_none(),
                    "{name} comes twice"
                );
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, family);
                read.kinds.insert(family.clone(), kind.to_owned());
            } else {
                let (row, number) = line.rsplit_once(' ').unwrap();
                assert!(row.starts_with(&family), "{row} is not of {family}");
                assert!(number.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                let known = read.numbers.insert(row.to_owned(), number.to_owned());
                let is_new = known.is_none();
                assert!(is_new, "{row} comes twice");
            }
        }
        read
    }

    #[track_caller]
    fn number(&self, row: &str) -> &str {
        let number = self.numbers.get(row);
        number.unwrap_or_else(|| panic!("there is no {row} in {:#?}", self.numbers))
    }

    #[track_caller]
    fn count(&self, row: &str) -> u64 {
        self.number(row).parse().unwrap()
    }

    #[track_caller]
    fn seconds(&self, row: &str) -> f64 {
        self.number(row).parse().unwrap()
    }

    /// The names of a family's labels.
    fn labels(&self, family: &str) -> BTreeSet<String> {
        let rows = self.numbers.keys().filter(|row| {
            let rest = row.strip_prefix(family).unwrap_or_default();
            ["{", "_bucket{", "_sum{", "_count{"]
                .iter()
                .any(|it| rest.starts_with(it))
        });
        let labels = rows.flat_map(|row| {
            let (_, labels) = row.trim_end_matches('}').split_once('{').unwrap();
            labels
                .split("\",")
                .map(|label| label.split_once('=').unwrap().0.to_owned())
        });
        labels.filter(|label| label != "le").collect()
    }
}

async fn scraped(store: &Store) -> Read {
    Read::of(&store.body("/metrics").await)
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_is_counted_by_route_method_and_outcome() {
    let store = Store::new();
    for _ in 0..3 {
        store.get("/v1/products/1").await;
    }
    store.get("/v1/products/404").await;
    store.get("/v1/postcodes/5045").await;
    store.send(Request::head("/livez")).await;
    store.send(Request::delete("/livez")).await;
    store.send(Request::get("/v1/%")).await;
    store.database.set(Mood::Fails);
    store.get("/v1/states").await;
    let read = scraped(&store).await;
    for (labels, count) in [
        (r#"route="/v1/products/{id}",method="GET",status="2xx""#, 3),
        (r#"route="/v1/products/{id}",method="GET",status="4xx""#, 1),
        (
            r#"route="/v1/postcodes/{code}",method="GET",status="4xx""#,
            1,
        ),
        (r#"route="/livez",method="HEAD",status="2xx""#, 1),
        (r#"route="/livez",method="other",status="4xx""#, 1),
        (r#"route="unknown",method="GET",status="4xx""#, 1),
        (r#"route="/v1/states",method="GET",status="5xx""#, 1),
    ] {
        let row = format!("tingkat_http_requests_total{{{labels}}}");
        assert_eq!(read.count(&row), count, "{row}");
    }
    let counts = read.numbers.keys();
    let counts = counts.filter(|row| row.starts_with("tingkat_http_requests_total"));
    assert_eq!(counts.count(), 7);
    // This scrape is under way.
    assert_eq!(read.count("tingkat_http_requests_in_flight"), 1);
}

#[tokio::test(start_paused = true)]
async fn durations_are_those_of_the_clock() {
    let store = Store::with(|app| app.limits.request_timeout = Duration::from_millis(300));
    store.database.set(Mood::Hangs);
    store.get("/v1/products/1").await;
    let read = scraped(&store).await;
    let of = |rest: &str| {
        let name = "tingkat_http_request_duration_seconds";
        read.number(&format!("{name}{rest}")).to_owned()
    };
    let route = r#"route="/v1/products/{id}""#;
    assert_eq!(of(&format!("_bucket{{{route},le=\"0.25\"}}")), "0");
    assert_eq!(of(&format!("_bucket{{{route},le=\"0.5\"}}")), "1");
    assert_eq!(of(&format!("_bucket{{{route},le=\"+Inf\"}}")), "1");
    assert_eq!(of(&format!("_count{{{route}}}")), "1");
    assert!(of(&format!("_sum{{{route}}}")).starts_with("0.3"));
}

#[tokio::test(start_paused = true)]
async fn the_numbers_of_a_cache_are_those_of_the_registry() {
    let store = Store::new();
    for uri in ["/v1/products/1", "/v1/products/1", "/v1/products/404"] {
        store.get(uri).await;
    }
    store.get("/v1/products?sku=85123A").await;
    let read = scraped(&store).await;
    let caches = store.node.registry().all();
    assert!(caches.len() >= 10);
    for cache in caches {
        let (stats, entity) = (cache.stats(), cache.name());
        let row = |name: &str, rest: &str| {
            read.count(&format!("tingkat_{name}{{entity=\"{entity}\"{rest}}}"))
        };
        let pairs = [
            (
                row("lookups_total", r#",tier="memory",result="hit""#),
                stats.memory_hits.get(),
            ),
            (
                row("lookups_total", r#",tier="memory",result="miss""#),
                stats.memory_misses.get(),
            ),
            (row("load_batches_total", ""), stats.batches.get()),
            (row("load_keys_total", ""), stats.loaded_keys.get()),
            (row("absent_answers_total", ""), stats.absent_answers.get()),
            (row("memory_entries", ""), cache.entries()),
            (row("memory_bytes", ""), cache.bytes()),
            (row("memory_limit_bytes", ""), cache.policy().memory_bytes),
        ];
        for (told, counted) in pairs {
            assert_eq!(told, counted, "{entity}");
        }
    }
    let hits = r#"tingkat_lookups_total{entity="product",tier="memory",result="hit"}"#;
    assert_eq!(read.count(hits), 2);
    let loads = r#"tingkat_load_duration_seconds_count{entity="product"}"#;
    assert_eq!(read.count(loads), 2);
}

#[tokio::test(start_paused = true)]
async fn endless_addresses_keys_and_methods_make_no_more_rows() {
    let store = Store::new();
    let ask = async |n: usize| {
        for uri in [
            format!("/v1/nowhere/{n}"),
            format!("/v1/products/p{n}"),
            format!("/v1/x/entity{n}/key{n}"),
            format!("/v1/products?sku=s{n}&x{n}=1"),
        ] {
            store.send(Request::get(uri)).await;
        }
        let method = format!("METHOD{n}");
        let odd = Request::builder().method(method.as_str()).uri("/livez");
        store.send(odd.header("x-tenant", n)).await;
    };
    ask(0).await;
    store.body("/metrics").await;
    let rows = |read: &Read| read.numbers.keys().cloned().collect::<BTreeSet<_>>();
    let before = rows(&scraped(&store).await);
    for n in 1..10_000 {
        ask(n).await;
    }
    let after = scraped(&store).await;
    let unknown = r#"tingkat_http_requests_total{route="unknown",method="GET",status="4xx"}"#;
    assert_eq!(after.count(unknown), 10_000);
    let new: Vec<_> = rows(&after).difference(&before).cloned().collect();
    // Whatever was first evicted or slow may have added an outcome, never a name.
    assert!(new.iter().all(|row| !row.contains("999")), "{new:?}");
    assert!(rows(&after).len() < 2_000, "{}", rows(&after).len());
}

#[tokio::test]
async fn a_client_that_goes_away_and_open_connections_are_counted() {
    let store = Store::with(|_| ());
    store.database.set(Mood::Hangs);
    let server = Server::start(store.routes.clone(), Limits::default()).await;
    let mut client = server.connect().await;
    client
        .send("GET /v1/states HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let row = |name: &'static str| {
        let store = &store;
        async move {
            let read = scraped(store).await;
            let number = read.numbers.get(name);
            number.map_or(0, |number| number.parse::<u64>().unwrap())
        }
    };
    // The one that hangs, and this scrape.
    patiently(async {
        while row("tingkat_http_requests_in_flight").await < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(client);
    let gone = r#"tingkat_http_requests_total{route="/v1/states",method="GET",status="gone"}"#;
    patiently(async {
        while row(gone).await < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(row("tingkat_http_requests_in_flight").await, 1);
}

#[tokio::test]
async fn open_connections_are_counted_by_listener() {
    let mut connections = None;
    let store = Store::with(|app| connections = Some(app.metrics.connections("main")));
    let routes = store.routes.clone();
    let server = Server::counted(routes, Limits::default(), connections.unwrap()).await;
    let row = r#"tingkat_http_connections{listener="main"}"#;
    assert_eq!(scraped(&store).await.count(row), 0);
    let mut one = server.connect().await;
    let mut two = server.connect().await;
    one.get("/livez").await;
    two.get("/livez").await;
    assert_eq!(scraped(&store).await.count(row), 2);
    drop(one);
    patiently(async {
        while scraped(&store).await.count(row) > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_scraper_that_asks_for_openmetrics_gets_it() {
    let store = Store::new();
    store.get("/v1/products/1").await;
    let plain = store.send(Request::get("/metrics")).await;
    assert_eq!(plain.status(), StatusCode::OK);
    let format = header_of(&plain, &header::CONTENT_TYPE);
    assert_eq!(format, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!text(plain).await.contains("# EOF"));
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let open = Request::get("/metrics").header(header::ACCEPT, accept);
    let open = store.send(open).await;
    let format = header_of(&open, &header::CONTENT_TYPE);
    assert_eq!(
        format,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert_eq!(header_of(&open, &header::CACHE_CONTROL), "no-store");
    let page = shown(open).await;
    assert!(page.ends_with("# EOF\n"), "{page}");
    assert!(page.contains("# TYPE tingkat_http_requests counter\n"));
    assert!(page.contains("# TYPE tingkat_build info\ntingkat_build_info{version="));
}

/// A store with everything that has numbers: Redis, a change log, failures, loads of every outcome.
async fn busy_store() -> Store {
    let (shared, redis) = (Shared::new(), FakeRedis::new());
    let remote = Arc::new(redis.handle());
    let log = Arc::new(shared.log.log());
    let tune = |node: tingkat::node::Builder| {
        node.remote(remote)
            .change_log(log)
            .staleness_bound(Duration::from_millis(300))
    };
    let store = shared.store_tuned(tune, |app| {
        app.metrics.connections("main");
    });
    for uri in ["/v1/products/1", "/v1/products/404", "/v1/states"] {
        store.get(uri).await;
    }
    let mut report = Report::clone(&Monitor::default().take(look(10)));
    (report.cache.score, report.poll_age_ms) = (Some(88.5), Some(120));
    store.report.send_replace(Some(Arc::new(report)));
    store
}

#[tokio::test(start_paused = true)]
async fn health_is_told_as_it_was_judged_last_and_nothing_before() {
    let read = scraped(&Store::new()).await;
    assert!(
        !read
            .kinds
            .keys()
            .any(|name| name.starts_with("tingkat_health_"))
    );
    let read = scraped(&busy_store().await).await;
    assert_eq!(read.number("tingkat_health_score"), "88.5");
    assert_eq!(read.number("tingkat_health_poll_age_seconds"), "0.12");
    let row = r#"tingkat_health_check_value{check="memory_cannot_evict"}"#;
    assert_eq!(read.number(row), "95.0");
    let row = r#"tingkat_health_check_status{check="memory_cannot_evict"}"#;
    assert_eq!(read.number(row), "2.0");
    let row = r#"tingkat_health_check_status{check="evicted"}"#;
    assert!(!read.numbers.contains_key(row), "not known, so not told");
}

#[tokio::test(start_paused = true)]
async fn the_feed_and_redis_are_told() {
    let store = busy_store().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let read = scraped(&store).await;
    assert_eq!(read.count("tingkat_feed_anchored"), 1);
    assert_eq!(read.number("tingkat_feed_staleness_bound_seconds"), "0.3");
    assert!(read.seconds("tingkat_feed_poll_age_seconds") <= 0.3);
    assert!(read.count("tingkat_feed_polls_total") >= 5);
    assert!(read.count(r#"tingkat_redis_calls_total{access="read"}"#) >= 3);
    assert!(read.count(r#"tingkat_redis_calls_total{access="write"}"#) >= 3);
    assert_eq!(
        read.number(r#"tingkat_redis_call_failures_total{kind="timeout"}"#),
        "0"
    );
    let stands = |state: &str| {
        let row = format!(r#"tingkat_redis_breaker_state{{breaker="all",state="{state}"}}"#);
        read.count(&row)
    };
    assert_eq!(
        [stands("closed"), stands("open"), stands("half_open")],
        [1, 0, 0]
    );
    assert_eq!(read.count(r#"tingkat_node_status{status="ready"}"#), 1);
    assert_eq!(read.count(r#"tingkat_source_state{state="up"}"#), 1);
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_documented_as_it_is() {
    let read = scraped(&busy_store().await).await;
    let row = |(name, kind): (&String, &String)| {
        let labels: Vec<String> = read
            .labels(name)
            .iter()
            .map(|it| format!("`{it}`"))
            .collect();
        let help = &read.helps[name];
        format!("| `{name}` | {kind} | {} | {help} |", labels.join(", ")).replace("|  |", "| |")
    };
    let told: Vec<String> = read.kinds.iter().map(row).collect();
    let documentation = include_str!("../../../../docs/metrics.md");
    let documented: Vec<&str> = documentation
        .lines()
        .filter(|line| line.starts_with("| `tingkat_") || line.starts_with("| `process_"))
        .collect();
    assert_eq!(
        documented.join("\n"),
        told.join("\n"),
        "docs/metrics.md should have\n{}\n",
        told.join("\n")
    );
}

#[tokio::test(start_paused = true)]
async fn names_are_as_prometheus_wants_them() {
    let read = scraped(&busy_store().await).await;
    for (name, kind) in &read.kinds {
        assert!(
            name.starts_with("tingkat_") || name.starts_with("process_"),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        for wrong in ["_ms", "_us", "_kb", "_count", "_sum", "_bucket"] {
            assert!(!name.ends_with(wrong), "{name}");
        }
        let help = &read.helps[name];
        assert!(!help.ends_with('.') && help.len() > 10, "{name}: {help}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_have_rows_of_their_own() {
    let store = Store::with(|app| {
        app.limits.in_flight = 1;
        let one = NonZeroU32::MIN;
        let limits = RateLimits {
            look_ups: None,
            writes: Some(Rate {
                per_second: one,
                burst: one,
            }),
            clients: 8,
        };
        app.edge.rates = Rates::new(&limits, &app.clock);
    });
    let refused = |read: &Read| {
        ["rate_limit", "in_flight"].map(|reason| {
            read.count(&format!(
                "tingkat_http_refused_total{{reason=\"{reason}\"}}"
            ))
        })
    };
    assert_eq!(refused(&scraped(&store).await), [0, 0]);
    for _ in 0..3 {
        store.send(Request::post("/v1/forget")).await;
    }
    store.database.set(Mood::Hangs);
    let mut waiting = Box::pin(store.send(Request::get("/v1/products/1")));
    assert!(waiting.as_mut().now_or_never().is_none());
    let status = store.send(Request::get("/v1/products/2")).await.status();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused(&scraped(&store).await), [2, 1]);
}
