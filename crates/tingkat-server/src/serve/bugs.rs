//! A bug that a request meets: whoever asked is answered, and nobody is told a secret.

use std::process::Command;
use std::sync::Arc;

use futures::future::BoxFuture;
use tingkat_http::{Face, Limits, face, serve};
use tingkat_shop::product::ProductId;
use tingkat_shop::{ProductPatch, ProductWriter, ProductWrites, Saved, WriteError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Parts, tokens};
use crate::config::tests::Case;
use crate::config::{Config, Secrets};
use crate::{logging, panics};

/// A writer that breaks with all that a driver may have at hand.
struct Broken;

impl ProductWriter for Broken {
    fn write<'a>(
        &'a self,
        _: &'a ProductId,
        _: &'a ProductPatch,
    ) -> BoxFuture<'a, Result<Saved, WriteError>> {
        Box::pin(async {
            let url = "postgres://shop:hunter2-db@db/shop?password=hunter2-too";
            panic!("no connection to {url:?}, nor with hunter2-redis or hunter2-token")
        })
    }
}

/// The SHA-256 of `hunter2-token`.
const TOKEN: &str = "write:f9d9f399d40c3f76914bb6d4b5d614f54cca87d3d5df005ff8ef820fd81584b8";

/// In a process of its own, as the hook and the log belong to all of it.
#[tokio::test]
#[ignore = "run by the test below"]
async fn a_service_with_a_bug() {
    panics::tell();
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("shop.db").display());
    let loaded = Case::variable("DATABASE_URL", &file)
        .and("REDIS_URL", "redis://127.0.0.1:1")
        .and("REDIS_PASSWORD", "hunter2-redis")
        .and("TINGKAT__SERVER__TOKENS", TOKEN)
        .and("TINGKAT__LOG__LEVEL", "trace")
        .and("TINGKAT__LOG__ACCESS", "1")
        .load();
    let settings = loaded.into_settings().unwrap();
    panics::keep(Secrets::of(&settings).and(&"hunter2-token".into()));
    logging::start(&settings);
    let config = Config::build(settings).unwrap();
    let (parts, prefix) = Parts::assemble(&config, false).await.unwrap();
    let stove = parts.stove(&config, &prefix);
    let (observed, stop) = (
        tokio::sync::watch::Sender::default(),
        CancellationToken::new(),
    );
    let (tokens, edge) = (tokens(&config), config.edge);
    let mut app = parts.app(tokens, &observed, config.limits, edge, &stove, stop.clone());
    let products = &parts.shop.products;
    app.writes = Some(ProductWrites::new(&parts.node, products, Arc::new(Broken)));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = serve(
        listener,
        face(app, Face::WHOLE),
        Limits::default(),
        stop.clone(),
    );
    let asking = async {
        let request = "PATCH /v1/products/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                       authorization: Bearer hunter2-token\r\n\
                       content-type: application/json\r\ncontent-length: 11\r\n\r\n{\"stock\":1}";
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        println!("answer: {answer}");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        println!("metrics: {answer}");
        stop.cancel();
    };
    tokio::join!(serving, asking);
    parts.close().await;
}

#[test]
fn a_bug_under_a_request_is_answered_and_told_without_a_secret() {
    let name = "serve::bugs::a_service_with_a_bug";
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", name, "--ignored", "--nocapture"];
    let ended = Command::new(program).args(arguments).output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    for words in [
        "a bug at ",
        "bugs.rs:",
        "no connection to \"postgres://***@db/shop?***",
        "nor with *** or ***",
        "a handler panicked",
        "answer: HTTP/1.1 500",
        "\"code\":\"internal\"",
        "metrics: HTTP/1.1 200",
        "scope=\"write\"",
    ] {
        assert!(said.contains(words), "{words:?}: {said}");
    }
    assert!(
        !said.contains("hunter2") && !said.contains(&TOKEN[6..]),
        "{said}"
    );
}
