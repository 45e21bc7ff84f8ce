//! Clients that mean harm, or do it: the process stays small, others are answered meanwhile, and each
//! gets a documented status or is cut.

use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tingkat_lab::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::program::{Folder, Node, PATIENCE, Program};

/// What one attack may add to a process that has answered before.
const MOST_GROWTH: u64 = 96 << 20;

const CHUNK: usize = 64 << 10;

/// A node that has answered, and how large it was then.
struct Victim {
    node: Node,
    before: u64,
}

impl Victim {
    async fn new() -> Self {
        // Both ends of a thousand connections are files; the process inherits what it may have.
        let mut files = getrlimit(Resource::Nofile);
        files.current = files.maximum.map(|most| most.min(16_384)).or(Some(16_384));
        setrlimit(Resource::Nofile, files).unwrap();
        let node = Program::serve(&Folder::new()).listening().await;
        // So that what every node needs once is not taken for the harm.
        for _ in 0..20 {
            assert_eq!(node.get("/v1/products/1").await.status, StatusCode::OK);
        }
        let before = node.process.resident_bytes();
        Self { node, before }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.node.target.address())
            .await
            .unwrap()
    }

    /// Others are answered, nothing panicked, and the process has not grown.
    async fn is_unharmed(&self) {
        for path in ["/livez", "/v1/products/1", "/v1/postcodes/50450"] {
            assert_eq!(self.node.get(path).await.status, StatusCode::OK, "{path}");
        }
        let now = self.node.process.resident_bytes();
        let grown = now.saturating_sub(self.before);
        assert!(grown < MOST_GROWTH, "{} to {now} bytes", self.before);
        let log = self.node.process.log();
        assert!(!log.contains("panic") && !log.contains("a bug at"), "{log}");
    }

    /// Sends these bytes, and gives all that comes until the connection ends.
    async fn answer_to(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may close before it has read everything.
        let _ = stream.write_all(bytes).await;
        rest(stream).await
    }
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset ends a connection as well.
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server neither answers nor closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a body without end until the server has enough or 100 MB are sent; says how much it took.
async fn pour(mut stream: TcpStream, head: &str, is_chunked: bool) -> (usize, String) {
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut sent = 0;
    let mut answer = Vec::new();
    let pouring = async {
        let chunk = vec![b'x'; CHUNK];
        while sent < 100_000_000 {
            if is_chunked {
                let length = format!("{CHUNK:x}\r\n");
                writing.write_all(length.as_bytes()).await?;
            }
            writing.write_all(&chunk).await?;
            if is_chunked {
                writing.write_all(b"\r\n").await?;
            }
            sent += CHUNK;
        }
        std::io::Result::Ok(())
    };
    let both = async {
        // The first to end: a server that closed takes nothing any more.
        let read = reading.read_to_end(&mut answer);
        tokio::select! {
            _ = read => {}
            Err(_) = pouring => {}
        }
    };
    let ended = tokio::time::timeout(PATIENCE, both).await;
    assert!(ended.is_ok(), "the server neither answers nor closes");
    (sent, String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn a_thousand_connections_that_trickle_keep_nobody_waiting() {
    let victim = Victim::new().await;
    let mut slow = JoinSet::new();
    for _ in 0..1_000 {
        let mut stream = victim.connect().await;
        slow.spawn(async move {
            let head = b"GET /v1/products/1 HTTP/1.1\r\nhost: x\r\nx-slow: ";
            stream.write_all(head).await.unwrap();
            for _ in 0..100 {
                stream.write_all(b"x").await.unwrap();
                tokio::task::yield_now().await;
            }
            stream
        });
    }
    victim.is_unharmed().await;
    // They are all still there, and cost little each.
    let streams = slow.join_all().await;
    assert_eq!(streams.len(), 1_000);
    victim.is_unharmed().await;
}

#[tokio::test]
async fn a_connection_that_trickles_for_too_long_is_cut() {
    let folder = Folder::new();
    let program = Program::serve(&folder).with("TINGKAT__SERVER__IDLE_TIMEOUT", "1s");
    let node = program.listening().await;
    let mut stream = TcpStream::connect(node.target.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    // However often a byte comes: what counts is a whole head.
    let cut = async {
        let mut one = [0];
        while stream.write_all(b"x").await.is_ok() {
            let read = stream.read(&mut one);
            let pause = Duration::from_millis(50);
            if let Ok(ended) = tokio::time::timeout(pause, read).await {
                return ended;
            }
        }
        Ok(0)
    };
    let ended = tokio::time::timeout(PATIENCE, cut).await;
    // A reset is an end as well.
    assert_eq!(ended.expect("it is not cut").unwrap_or(0), 0);
    assert_eq!(node.get("/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_of_a_hundred_megabytes_are_not_taken() {
    let victim = Victim::new().await;
    let json = "content-type: application/json\r\n";
    for (route, length, is_chunked, status) in [
        (
            "POST /v1/products:batchGet",
            "content-length: 100000000",
            false,
            "413",
        ),
        (
            "POST /v1/products:batchGet",
            "transfer-encoding: chunked",
            true,
            "413",
        ),
        ("POST /v1/states", "content-length: 100000000", false, "413"),
        ("POST /v1/states", "transfer-encoding: chunked", true, "405"),
        ("GET /v1/states", "transfer-encoding: chunked", true, "200"),
        ("POST /v1/forget", "transfer-encoding: chunked", true, "401"),
    ] {
        let head = format!("{route} HTTP/1.1\r\nhost: x\r\n{json}{length}\r\n\r\n");
        let stream = victim.connect().await;
        let pouring = pour(stream, &head, is_chunked);
        let ((sent, answer), ()) = tokio::join!(pouring, victim.is_unharmed());
        let what = format!("{route}, {length}: {answer}");
        // A reset may overtake the answer.
        let is_right = answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}"));
        assert!(is_right, "{what}");
        // What is under way in the buffers of the system counts as sent.
        assert!(sent < 50_000_000, "{sent} bytes were taken for {what}");
    }
    victim.is_unharmed().await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let victim = Victim::new().await;
    let many = "a: b\r\n".repeat(10_000);
    let large = format!("x: {}\r\n", "y".repeat(1 << 20));
    let line = "x".repeat(1 << 20);
    for (request, statuses) in [
        (
            format!("GET /livez HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
            ["431", "431"],
        ),
        (
            format!("GET /livez HTTP/1.1\r\nhost: x\r\n{large}\r\n"),
            ["431", "431"],
        ),
        (
            format!("GET /{line} HTTP/1.1\r\nhost: x\r\n\r\n"),
            ["431", "414"],
        ),
    ] {
        let answer = victim.answer_to(request.as_bytes()).await;
        // A reset may overtake the answer.
        let is_right = answer.is_empty() || statuses.contains(&&answer[9..12]);
        assert!(is_right, "{answer}");
        victim.is_unharmed().await;
    }
}

#[tokio::test]
async fn what_is_not_http_gets_a_refusal_or_is_cut() {
    let victim = Victim::new().await;
    let get = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let rubbish = "7\u{1}?\r\n\r\n".repeat(2_000);
    let hello: &[u8] = &[
        0x16, 3, 1, 0, 0x2f, 1, 0, 0, 0x2b, 3, 3, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    ];
    let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for bytes in [hello, preface, rubbish.as_bytes(), &vec![0; 100_000]] {
        let answer = victim.answer_to(bytes).await;
        let is_right = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(is_right, "{answer}");
        victim.is_unharmed().await;
    }
    // What was right before it is answered.
    let answer = victim
        .answer_to(format!("{get}{get}{rubbish}").as_bytes())
        .await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 4").count(), 1, "{answer}");
    victim.is_unharmed().await;
}

#[tokio::test]
async fn connections_that_are_half_closed_are_ended() {
    let victim = Victim::new().await;
    for bytes in [
        "",
        "GET /livez HT",
        "POST /v1/forget HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
    ] {
        let mut streams = Vec::new();
        for _ in 0..100 {
            let mut stream = victim.connect().await;
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            streams.push(stream);
        }
        for stream in streams {
            let answer = rest(stream).await;
            let is_right = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
            assert!(is_right, "{answer}");
        }
        victim.is_unharmed().await;
    }
    // A whole request is answered before the end, if the server has seen it before the end.
    let mut stream = victim.connect().await;
    let request = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn pipelined_requests_that_nobody_reads_the_answers_of_fill_no_memory() {
    let victim = Victim::new().await;
    let mut stream = victim.connect().await;
    let requests = "GET /v1/states HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let mut sent = 0;
    // At some point the server reads no more, since its answers are not read.
    while let Ok(Ok(count)) =
        tokio::time::timeout(Duration::from_secs(2), stream.write(requests.as_bytes())).await
    {
        sent += count;
        assert!(sent < 200_000_000, "the server takes requests for ever");
    }
    victim.is_unharmed().await;
}
