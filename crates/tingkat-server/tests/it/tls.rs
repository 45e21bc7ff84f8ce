//! Neighbours that can not prove who they are, and a node that can not: each is told in one line, in
//! health.

use std::path::Path;

use tingkat_testkit::{Certificates, Identity, Postgres, Redis, eventually};

use crate::program::{Folder, Node, PATIENCE, Program};

/// The one reason of readiness that begins like this, once it has these words.
async fn is_told(node: &Node, begin: &str, words: &str) {
    eventually(PATIENCE, async || {
        let ready = node.readiness().await.1;
        let reasons = ready["reasons"].as_array().unwrap();
        let mut lines = reasons.iter().map(|it| it.as_str().unwrap());
        lines.any(|line| {
            line.starts_with(begin) && line.contains(words) && line.lines().count() == 1
        })
    })
    .await
    .unwrap_or_else(|_| panic!("{words:?} is not told:\n{}", node.process.log()));
}

/// A node that trusts this authority, if any, and shows nothing of itself.
async fn node(redis: &Redis, authority: Option<&Path>) -> Node {
    let program = Program::serve(&Folder::new()).with("REDIS_URL", redis.url());
    let program = match authority {
        Some(path) => program.with("TINGKAT__REDIS__TLS__CA", path),
        None => program,
    };
    program.listening().await
}

#[tokio::test]
async fn what_is_wrong_with_the_certificates_of_redis_is_named_in_readiness_and_in_the_log() {
    let certificates = Certificates::generate().unwrap();
    let authority = certificates.authority();
    let trusted = Some(authority.as_path());
    for (identity, asks_clients, authority, words) in [
        (
            Identity::Expired,
            false,
            trusted,
            "the server's certificate has expired",
        ),
        (
            Identity::WrongName,
            false,
            trusted,
            "is not for 127.0.0.1 but for",
        ),
        (
            Identity::UnknownAuthority,
            false,
            trusted,
            "name that authority in redis.tls.ca",
        ),
        (
            Identity::Server,
            false,
            None,
            "name that authority in redis.tls.ca",
        ),
        (
            Identity::Server,
            true,
            trusted,
            "the server wants a client certificate",
        ),
    ] {
        let config = Redis::config().tls(&certificates).identity(identity);
        let config = if asks_clients {
            config.client_certificates()
        } else {
            config
        };
        let redis = config.start().await.unwrap();
        let node = node(&redis, authority).await;
        is_told(&node, "redis is down: ", words).await;
        // Redis may be known before the database was looked at.
        let is_ready = eventually(PATIENCE, async || {
            let (status, ready) = node.readiness().await;
            status == 200 && ready["redis"] == "down"
        });
        assert!(is_ready.await.is_ok(), "{}", node.process.log());
        node.says("redis is away: ").await;
        assert!(node.process.log().contains(words), "{}", node.process.log());
        assert_eq!(node.get("/v1/products/1").await.status, 200);
    }
}

#[tokio::test]
async fn a_redis_that_proves_itself_to_a_client_that_does_is_used() {
    let certificates = Certificates::generate().unwrap();
    let config = Redis::config().tls(&certificates).client_certificates();
    let redis = config.start().await.unwrap();
    let own = Identity::Client;
    let program = Program::serve(&Folder::new())
        .with("REDIS_URL", redis.url())
        .with("TINGKAT__REDIS__TLS__CA", certificates.authority())
        .with(
            "TINGKAT__REDIS__TLS__CERTIFICATE",
            certificates.certificate(own),
        )
        .with("TINGKAT__REDIS__TLS__KEY", certificates.key(own));
    program.listening().await.sees("redis", "up").await;
}

#[tokio::test]
async fn what_is_wrong_with_the_certificate_of_the_database_is_named_in_readiness() {
    let certificates = Certificates::generate().unwrap();
    let authority = certificates.authority();
    for (identity, words) in [
        (Identity::Expired, "has expired"),
        (Identity::WrongName, "is for another name"),
        (Identity::UnknownAuthority, "authority that is not trusted"),
    ] {
        let config = Postgres::config().tls(&certificates).identity(identity);
        let server = config.start().await.unwrap();
        server.create_database("shop").await.unwrap();
        let url = server.url("shop");
        let bare = url.split('?').next().unwrap();
        let url = format!(
            "{bare}?sslmode=verify-full&sslrootcert={}",
            authority.display()
        );
        let program = Program::serve(&Folder::new()).with("DATABASE_URL", url);
        let node = program.listening().await;
        is_told(&node, "the database has never been reached: ", words).await;
        assert_eq!(node.readiness().await.0, 503, "{identity:?}");
    }
}
