//! Answers from memory over HTTP/1.1 beside a bare route of axum with the same status, headers and
//! body: `cargo bench -p tingkat-http --bench hit`.
//!
//! Each has a server with a thread of its own; one client writes to many connections and then reads
//! from all of them. The two take short turns, and each ratio is the median of its rounds: of the
//! requests per second, and of the time that the thread of the server had the processor. The verdict is
//! by the latter, of which those who share the machine take nothing.
//!
//! Measured by the time of the processor on two shared cores: a product 1.00, a packed one 0.99, one that
//! the client holds 0.99; a batch of 100, which has no target, 0.26 before its keys were asked for one
//! by one, most of it look-ups and the joining of 85 kB.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark measures real time, prints, and stops at a surprise"
)]

mod shop;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use tingkat_http::{Limits, Routes, serve};
use tingkat_testkit::figures::{self, Limit};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::shop::Recorded;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 32;

/// How often the two take turns, and how many requests each turn has.
const ROUNDS: usize = 41;
const REQUESTS: usize = 6_400;

/// A run that only shows that it runs: `-- --quick`.
const QUICK: (usize, usize) = (1, 640);

/// What is asked, how many times fewer than the others, and what the ratio shall be at least.
struct Case {
    name: &'static str,
    path: String,
    headers: &'static str,
    /// With the tag of the answer as `If-None-Match`.
    is_held: bool,
    rarer: usize,
    target: Option<Limit>,
}

fn cases() -> Vec<Case> {
    let case = |name, headers| Case {
        name,
        path: "/v1/products/7".to_owned(),
        headers,
        is_held: false,
        rarer: 1,
        target: None,
    };
    let ids: Vec<String> = (0..100).map(|id| id.to_string()).collect();
    let batch = format!("/v1/products?ids={}", ids.join(","));
    vec![
        Case {
            target: Some(Limit::AtLeast(0.9)),
            ..case("a product", "")
        },
        Case {
            target: Some(Limit::AtLeast(0.9)),
            path: format!("/v1/products/{}7", shop::LONG),
            ..case("a product, packed", "accept-encoding: gzip, br\r\n")
        },
        Case {
            is_held: true,
            target: Some(Limit::AtLeast(0.9)),
            ..case("a product that the client holds", "")
        },
        Case {
            path: batch,
            rarer: 16,
            ..case("a batch of 100", "")
        },
    ]
}

/// A server on a thread of its own.
struct Server {
    address: SocketAddr,
    thread: Handle,
}

impl Server {
    fn start<R: Routes>(routes: impl FnOnce() -> R + Send + 'static) -> Self {
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = listener.local_addr().expect("an address");
                let server = Self {
                    address,
                    thread: Handle::current(),
                };
                tell.send(server).expect("somebody waits");
                serve(
                    listener,
                    routes(),
                    Limits::default(),
                    CancellationToken::new(),
                )
                .await;
            });
        });
        told.recv().expect("a server")
    }

    /// For how long its thread had the processor.
    fn busy(&self) -> Duration {
        let (tell, told) = mpsc::channel();
        self.thread.spawn(async move {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            let seconds = u64::try_from(time.tv_sec).expect("a time");
            let nanos = u32::try_from(time.tv_nsec).expect("a time");
            tell.send(Duration::new(seconds, nanos))
                .expect("somebody waits");
        });
        told.recv().expect("a time")
    }
}

/// Many connections with one server, on which one request is sent again and again.
struct Clients {
    connections: Vec<TcpStream>,
    request: String,
    buffer: Vec<u8>,
}

impl Clients {
    fn of(server: &Server, request: String) -> Self {
        let connect = |_| {
            let stream = TcpStream::connect(server.address).expect("a connection");
            stream.set_nodelay(true).expect("an option");
            stream
        };
        Self {
            connections: (0..CONNECTIONS).map(connect).collect(),
            request,
            buffer: vec![0; 1 << 20],
        }
    }

    /// Sends so many requests and reads the answers; gives back the last one.
    fn run(&mut self, requests: usize) -> Recorded {
        let mut last = None;
        for _ in 0..requests.div_ceil(CONNECTIONS) {
            for connection in &mut self.connections {
                connection.write_all(self.request.as_bytes()).expect("sent");
            }
            for connection in &mut self.connections {
                let (head, end) = answer(connection, &mut self.buffer);
                last = Some((head, end));
            }
        }
        let (head, end) = last.expect("an answer");
        recorded(&self.buffer[..head], &self.buffer[head..end])
    }
}

/// Reads one answer; tells where its head and its body end.
fn answer(connection: &mut TcpStream, buffer: &mut [u8]) -> (usize, usize) {
    let (mut have, mut ends) = (0, None);
    loop {
        if let Some((head, end)) = ends
            && have >= end
        {
            assert_eq!(have, end, "one answer for one request");
            return (head, end);
        }
        let read = connection.read(&mut buffer[have..]).expect("an answer");
        assert!(read > 0, "the connection stays open");
        have += read;
        if ends.is_none()
            && let Some(at) = buffer[..have].windows(4).position(|it| it == b"\r\n\r\n")
        {
            let head = at + 4;
            ends = Some((head, head + body_bytes(&buffer[..head])));
        }
    }
}

fn body_bytes(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length: ";
    let Some(at) = head.windows(NAME.len()).position(|it| it == NAME) else {
        return 0;
    };
    let digits = head[at + NAME.len()..]
        .iter()
        .take_while(|it| it.is_ascii_digit());
    digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
}

fn recorded(head: &[u8], body: &[u8]) -> Recorded {
    let head = std::str::from_utf8(head).expect("a head");
    let mut lines = head.trim_end().lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        let name: HeaderName = name.parse().expect("a name");
        // The server itself adds the date.
        if name != header::DATE {
            headers.insert(name, HeaderValue::from_str(value).expect("a value"));
        }
    }
    Recorded {
        status: status
            .expect("a status")
            .parse::<StatusCode>()
            .expect("a status"),
        headers,
        body: Bytes::copy_from_slice(body),
    }
}

fn measure(service: &Server, case: &Case, rounds: usize, requests: usize) {
    let Case { path, headers, .. } = case;
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n{headers}\r\n");
    // The first answer is loaded, the second one is that of memory.
    let mut ours = Clients::of(service, request.clone());
    ours.run(CONNECTIONS);
    let mut expected = ours.run(CONNECTIONS);
    if case.is_held {
        let tag = expected.headers[header::ETAG].to_str().expect("a tag");
        let head = request.trim_end().to_owned();
        request = format!("{head}\r\nif-none-match: {tag}\r\n\r\n");
        ours = Clients::of(service, request.clone());
        expected = ours.run(CONNECTIONS);
    }
    assert_eq!(expected.headers["cache-status"], "memory; hit");
    let answer = expected.clone();
    let bare_server = Server::start(move || shop::bare(answer));
    let mut bare = Clients::of(&bare_server, request);
    let found = bare.run(CONNECTIONS);
    assert_eq!(found.status, expected.status);
    assert_eq!(found.headers, expected.headers, "the same headers");
    assert_eq!(found.body, expected.body, "the same body");

    let requests = requests / case.rarer;
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    let (mut per_second, mut micros) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..rounds {
        let turns = [(&bare_server, &mut bare), (service, &mut ours)];
        let measured = turns.map(|(server, clients)| {
            let (started, busy) = (Instant::now(), server.busy());
            clients.run(requests);
            let busy = server.busy().saturating_sub(busy);
            (started.elapsed().as_secs_f64(), busy.as_secs_f64())
        });
        for (place, (seconds, busy)) in measured.into_iter().enumerate() {
            per_second[place].push(requests as f64 / seconds);
            micros[place].push(busy * 1e6 / requests as f64);
        }
        let [(bare, bare_busy), (ours, busy)] = measured;
        rates.push(bare / ours);
        times.push(bare_busy / busy);
    }
    let [bare, ours] = per_second.map(median);
    let [bare_micros, our_micros] = micros.map(median);
    let (rate, time) = (median(rates), median(times));
    let verdict = case.target.map_or(String::new(), |target| {
        let what = format!(
            "HTTP memory hit: {}, by the time of the processor",
            case.name
        );
        figures::target(&what, time, "× bare axum", target);
        format!("{target} {}", target.verdict(time))
    });
    let cells = [
        ("bytes", expected.body.len().to_string()),
        ("bare axum, a second", format!("{bare:.0}")),
        ("service, a second", format!("{ours:.0}")),
        ("ratio", format!("{rate:.2}")),
        ("bare axum, µs of processor", format!("{bare_micros:.2}")),
        ("service, µs of processor", format!("{our_micros:.2}")),
        ("ratio of these", format!("{time:.2}")),
    ];
    figures::row("HTTP hits in memory", case.name, &cells);
    println!(
        "{:34} {:>6} B {bare:>9.0} {ours:>9.0} {rate:>6.2} | {bare_micros:>8.2} {our_micros:>8.2} {time:>6.2}   {verdict}",
        case.name,
        expected.body.len(),
    );
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let (rounds, requests) = if std::env::args().any(|argument| argument == "--quick") {
        QUICK
    } else {
        (ROUNDS, REQUESTS)
    };
    println!(
        "{:34} {:>8} {:>9} {:>9} {:>6} | {:>8} {:>8} {:>6}   target",
        "", "body", "bare /s", "ours /s", "ratio", "bare us", "ours us", "ratio"
    );
    let service = Server::start(shop::service);
    for case in cases() {
        measure(&service, &case, rounds, requests);
    }
}
