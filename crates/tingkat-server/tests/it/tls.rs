//! Neighbours that can not prove who they are, and a node that can not: each is told in one line, in
//! health. And the service itself, as clients see it that look at its certificate.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tingkat_testkit::{Certificates, Identity, Postgres, Redis, eventually};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::program::{Folder, Node, PATIENCE, Process, Program};

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

/// What a client is answered that trusts this authority and asks for `localhost`, or why it does not ask.
async fn look_up(address: SocketAddr, authority: &Path) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let asking = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await?;
        let request = "GET /v1/products/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    };
    let answer: std::io::Result<String> = tokio::time::timeout(PATIENCE, asking).await.unwrap();
    answer.map_err(|error| error.to_string())
}

#[tokio::test]
async fn clients_believe_the_service_with_a_right_certificate_and_see_what_is_wrong_with_others() {
    let certificates = Certificates::generate().unwrap();
    for (who, words, told) in [
        (
            Identity::Server,
            "",
            "tls: the certificate is valid until 2100-01-01",
        ),
        (
            Identity::Expired,
            "certificate expired",
            "WARN tls: the certificate has expired at 2001-01-01",
        ),
        (
            Identity::NotYet,
            "not valid yet",
            "WARN tls: the certificate is not valid before 2090-01-01",
        ),
        (
            Identity::WrongName,
            "not valid for name",
            "tls: the certificate is valid until",
        ),
        (
            Identity::UnknownAuthority,
            "UnknownIssuer",
            "tls: the certificate is valid until",
        ),
    ] {
        let (process, address) = Program::serve(&Folder::new())
            .with(
                "TINGKAT__SERVER__TLS__CERTIFICATE",
                certificates.certificate(who),
            )
            .with("TINGKAT__SERVER__TLS__KEY", certificates.key(who))
            .encrypted()
            .await;
        let answer = look_up(address, &certificates.authority()).await;
        match answer {
            Ok(text) => {
                assert_eq!(who, Identity::Server, "{text}");
                assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
                assert!(text.contains("\"id\":\"1\""), "{text}");
            }
            Err(why) => assert!(!words.is_empty() && why.contains(words), "{who:?}: {why}"),
        }
        assert!(process.log().contains(told), "{}", process.log());
    }
}

/// How often the log says so, once that is so often.
async fn says_times(process: &Process, words: &str, times: usize) {
    eventually(PATIENCE, || {
        std::future::ready(process.log().matches(words).count() == times)
    })
    .await
    .unwrap_or_else(|_| panic!("{words:?} is not {times} times in:\n{}", process.log()));
}

#[tokio::test]
async fn a_certificate_is_renewed_under_its_name_or_another_and_the_log_says_which() {
    let (old, new) = (
        Certificates::generate().unwrap(),
        Certificates::generate().unwrap(),
    );
    let (folder, who) = (Folder::new(), Identity::Server);
    let put = |from: &Certificates, name: &str| {
        let path = |end: &str| folder.path().join(format!("{name}.{end}"));
        fs::copy(from.certificate(who), path("pem")).unwrap();
        fs::copy(from.key(who), path("key")).unwrap();
        let text = format!("[server.tls]\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n");
        fs::write(folder.path().join("tingkat.toml"), text).unwrap();
    };
    put(&old, "own");
    let (mut process, address) = Program::serve(&folder).encrypted().await;
    assert!(look_up(address, &old.authority()).await.is_ok());
    process.signal(Signal::HUP);
    says_times(&process, "read again: nothing to change", 1).await;

    // Under the same name.
    put(&new, "own");
    process.signal(Signal::HUP);
    says_times(&process, "read again: server.tls.certificate\n", 1).await;
    says_times(&process, "tls: the certificate is valid until", 2).await;
    assert!(look_up(address, &new.authority()).await.is_ok());
    assert!(look_up(address, &old.authority()).await.is_err());

    // Under another.
    put(&old, "other");
    process.signal(Signal::HUP);
    says_times(
        &process,
        "read again: server.tls.certificate, server.tls.key\n",
        1,
    )
    .await;
    says_times(&process, "tls: the certificate is valid until", 3).await;
    assert!(look_up(address, &old.authority()).await.is_ok());
    assert!(
        !process.log().contains("need a restart"),
        "{}",
        process.log()
    );

    // Whether there is TLS is settled at the start.
    fs::write(folder.path().join("tingkat.toml"), "").unwrap();
    process.signal(Signal::HUP);
    let waiting = "these differ and need a restart: server.tls.certificate, server.tls.key\n";
    says_times(&process, waiting, 1).await;
    says_times(&process, "read again: nothing to change", 2).await;
    assert!(look_up(address, &old.authority()).await.is_ok());
}

#[tokio::test]
async fn commands_that_ask_a_node_say_what_to_do_about_tls() {
    let folder = Folder::new();
    let url = "https://shop.example";
    for arguments in [
        &["health", url][..],
        &["healthcheck", url],
        &["verify", url],
        &["bench", "postcode", "--url", url],
        &["forget", "product", "7", "--url", url],
        &["inspect", "product", "7", "--url", url],
        &["warm", "--url", url],
    ] {
        let ended = Program::new(&folder, arguments).run().await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        let said = [ended.stdout, ended.stderr].concat();
        for words in [
            "https:// is not spoken here",
            "server.admin_listen",
            "tunnel",
        ] {
            assert!(said.contains(words), "{arguments:?}: {said}");
        }
    }
    // The service that is configured here, where it is.
    let certificates = Certificates::generate().unwrap();
    let who = Identity::Server;
    let ended = Program::new(&folder, &["health"])
        .with(
            "TINGKAT__SERVER__TLS__CERTIFICATE",
            certificates.certificate(who),
        )
        .with("TINGKAT__SERVER__TLS__KEY", certificates.key(who))
        .run()
        .await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    let words =
        "operators are served over TLS here, which commands do not speak: set server.admin_listen";
    assert!(ended.stderr.contains(words), "{ended:?}");
}
