//! The service over TLS, with certificates made for the test.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tingkat_http::{Limits, Tls, serve};
use tingkat_testkit::{Certificates, Identity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::wire::patiently;

fn identity(certificates: &Certificates, who: Identity) -> Tls {
    let (certificate, key) = (certificates.certificate(who), certificates.key(who));
    Tls::read(&certificate, &key, |path| std::fs::read(path)).unwrap()
}

struct Server {
    address: SocketAddr,
    tls: Tls,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    async fn start(tls: Tls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let routes = Router::new().route("/", get(async || "over tls"));
        let limits = Limits::default();
        tasks.spawn(serve((listener, tls.clone()), routes, limits, stop.clone()));
        Self {
            address,
            tls,
            stop,
            tasks,
        }
    }

    /// The answer to a client who trusts the authority and knows us by this name.
    async fn ask(&self, authority: &Certificates, name: &'static str) -> Result<String, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority.authority()).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let connecting = TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from(name).unwrap(), stream);
        let mut stream = patiently(connecting)
            .await
            .map_err(|error| error.to_string())?;
        let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        patiently(stream.read_to_string(&mut text)).await.unwrap();
        Ok(text)
    }

    async fn stopped(self) {
        self.stop.cancel();
        self.tasks.close();
        patiently(self.tasks.wait()).await;
    }
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_answered_and_others_see_why_not() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::start(identity(&certificates, Identity::Server)).await;
    let answer = server.ask(&certificates, "localhost").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with("over tls"), "{answer}");
    let elsewhere = server.ask(&certificates, "elsewhere.invalid").await;
    let elsewhere = elsewhere.unwrap_err();
    assert!(elsewhere.contains("not valid for name"), "{elsewhere}");
    let others = Certificates::generate().unwrap();
    let unknown = server.ask(&others, "localhost").await.unwrap_err();
    assert!(
        unknown.contains("UnknownIssuer") || unknown.contains("BadSignature"),
        "{unknown}"
    );
    server.stopped().await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_the_next_connection() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::start(identity(&certificates, Identity::Expired)).await;
    let expired = server.ask(&certificates, "localhost").await.unwrap_err();
    assert!(expired.contains("xpired"), "{expired}");
    let renewed = identity(&certificates, Identity::Server);
    assert!(server.tls.replace(&renewed));
    assert!(server.ask(&certificates, "localhost").await.is_ok());
    server.stopped().await;
}

#[test]
fn a_certificate_says_until_when_it_counts_and_whether_it_is_another() {
    let certificates = Certificates::generate().unwrap();
    let until = |who| {
        let validity = identity(&certificates, who).validity().unwrap();
        assert!(validity.from < validity.until);
        (validity.from.to_string(), validity.until.to_string())
    };
    let (midnight, end) = ("2000-01-01T00:00:00Z".to_owned(), "2100-01-01T00:00:00Z");
    assert_eq!(until(Identity::Server), (midnight.clone(), end.to_owned()));
    let end = "2001-01-01T00:00:00Z".to_owned();
    assert_eq!(until(Identity::Expired), (midnight, end));
    assert_eq!(until(Identity::NotYet).0, "2090-01-01T00:00:00Z");

    let shown = identity(&certificates, Identity::Server);
    assert!(!shown.replace(&identity(&certificates, Identity::Server)));
    assert!(shown.replace(&identity(&certificates, Identity::WrongName)));
}

#[tokio::test]
async fn a_client_without_tls_is_cut_and_harms_nobody() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::start(identity(&certificates, Identity::Server)).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    // The server may close while it has bytes unread.
    let _ = patiently(plain.read_to_end(&mut bytes)).await;
    assert!(!bytes.starts_with(b"HTTP"));
    assert!(server.ask(&certificates, "localhost").await.is_ok());
    // It does not wait for who has not even begun.
    server.stopped().await;
    drop(silent);
}

#[test]
fn files_that_are_none_or_do_not_fit_are_named() {
    let certificates = Certificates::generate().unwrap();
    let certificate = certificates.certificate(Identity::Server);
    let key = certificates.key(Identity::Server);
    let said = |certificate: &std::path::Path, key: &std::path::Path| {
        let read = Tls::read(certificate, key, |path| std::fs::read(path));
        read.unwrap_err().to_string()
    };
    let nowhere = certificate.with_file_name("nowhere.pem");
    assert!(said(&nowhere, &key).contains("nowhere.pem"));
    assert!(said(&certificate, &nowhere).contains("nowhere.pem"));
    assert!(said(&key, &key).contains("holds no certificate in PEM"));
    let other = certificates.key(Identity::Client);
    assert!(said(&certificate, &other).contains("do not fit"));
}
