//! TLS: it works, and each way in which it does not is named in one line with what helps.

use tingkat::ports::Remote;
use tingkat_redis::{Config, Mode, Redis as Tier, Tls, TlsFiles};
use tingkat_testkit::redis::Cluster;
use tingkat_testkit::{Certificates, Identity, Redis};

use crate::stage::{hasty, is_up, patient, set, start, why_down_as};

/// The certificates of one test, in a process that has TLS.
fn certificates() -> Certificates {
    // As a program does that uses TLS; another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Certificates::generate().unwrap()
}

fn trusting(certificates: &Certificates) -> TlsFiles {
    TlsFiles {
        authority: Some(certificates.authority()),
        ..TlsFiles::default()
    }
}

fn known_as(certificates: &Certificates, identity: Identity) -> TlsFiles {
    TlsFiles {
        certificate: Some(certificates.certificate(identity)),
        key: Some(certificates.key(identity)),
        ..trusting(certificates)
    }
}

fn tier(server: &Redis, files: &TlsFiles) -> Tier {
    start(Config {
        tls: Tls::read(files, |path| std::fs::read(path)).unwrap(),
        ..patient(&server.url())
    })
}

async fn server(certificates: &Certificates, identity: Identity) -> Redis {
    let config = Redis::config().tls(certificates).identity(identity);
    config.start().await.unwrap()
}

/// One line, with these words.
async fn is_told(tier: &Tier, words: &str) {
    let why = why_down_as(tier, words).await;
    assert_eq!(why.lines().count(), 1, "{why}");
}

#[tokio::test]
async fn a_server_of_a_trusted_authority_is_used() {
    let certificates = certificates();
    let server = server(&certificates, Identity::Server).await;
    let tier = tier(&server, &trusting(&certificates));
    is_up(&tier).await;
    set(&tier, "k", "cell").await;
    assert_eq!(tier.get("k").await.unwrap().unwrap(), "cell");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_named() {
    let certificates = certificates();
    let trusted = server(&certificates, Identity::Server).await;
    // The authority is nobody's, unless it is named.
    let remedy = "name that authority in redis.tls.ca";
    is_told(&start(patient(&trusted.url())), remedy).await;
    let stranger = server(&certificates, Identity::UnknownAuthority).await;
    is_told(&tier(&stranger, &trusting(&certificates)), remedy).await;
}

#[tokio::test]
async fn an_expired_certificate_is_named() {
    let certificates = certificates();
    let server = server(&certificates, Identity::Expired).await;
    let tier = tier(&server, &trusting(&certificates));
    is_told(&tier, "the server's certificate has expired").await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_named_and_may_be_the_one_that_is_wanted() {
    let certificates = certificates();
    let server = server(&certificates, Identity::WrongName).await;
    let mut files = trusting(&certificates);
    let wrong = tier(&server, &files);
    is_told(&wrong, "is not for 127.0.0.1 but for").await;
    is_told(&wrong, "elsewhere.invalid").await;
    is_told(&wrong, "set redis.tls.server_name").await;

    files.server_name = Some("elsewhere.invalid".to_owned());
    let right = tier(&server, &files);
    is_up(&right).await;
    right.ping().await.unwrap();
}

#[tokio::test]
async fn a_missing_client_certificate_is_named() {
    let certificates = certificates();
    let config = Redis::config().tls(&certificates).client_certificates();
    let server = config.start().await.unwrap();
    let nobody = tier(&server, &trusting(&certificates));
    is_told(&nobody, "set redis.tls.certificate and redis.tls.key").await;

    let stranger = known_as(&certificates, Identity::UnknownAuthority);
    let stranger = tier(&server, &stranger);
    is_told(
        &stranger,
        "does not trust the authority of our client certificate",
    )
    .await;

    let client = tier(&server, &known_as(&certificates, Identity::Client));
    is_up(&client).await;
    client.ping().await.unwrap();
}

#[tokio::test]
async fn a_port_without_tls_is_named() {
    let _ = certificates();
    let server = Redis::start().await.unwrap();
    // It waits for the end of what it takes for a command.
    let tier = start(hasty(&server.url().replace("redis:", "rediss:")));
    is_told(&tier, "does the port speak TLS?").await;
}

#[tokio::test]
async fn a_port_with_tls_is_named_where_none_is_wanted() {
    let certificates = certificates();
    let server = server(&certificates, Identity::Server).await;
    let tier = start(patient(&server.url().replace("rediss:", "redis:")));
    is_told(&tier, "rediss://").await;
}

#[tokio::test]
async fn each_node_of_a_cluster_proves_its_name() {
    let certificates = certificates();
    let node = Redis::config().tls(&certificates).password("for nodes");
    let cluster = Cluster::config().node(node).start().await.unwrap();
    let tier = start(Config {
        mode: Mode::Auto,
        tls: Tls::read(&trusting(&certificates), |path| std::fs::read(path)).unwrap(),
        ..patient(&cluster.nodes[0].url())
    });
    is_up(&tier).await;
    for number in 0..9 {
        let key = format!("shop:{number}");
        let set = async || {
            tier.set_if_absent(&key, "cell".into(), crate::stage::LONG)
                .await
        };
        tingkat_testkit::eventually(crate::stage::SOON, async || set().await.is_ok())
            .await
            .unwrap();
        assert_eq!(tier.get(&key).await.unwrap().unwrap(), "cell");
    }
}

#[test]
fn files_that_can_not_be_used_are_named() {
    let certificates = certificates();
    let read = |files: &TlsFiles| Tls::read(files, |path| std::fs::read(path));
    let told = |files: TlsFiles| read(&files).unwrap_err().to_string();
    let missing = TlsFiles {
        authority: Some("/nowhere/ca.pem".into()),
        ..TlsFiles::default()
    };
    assert!(told(missing).starts_with("failed to read /nowhere/ca.pem"));
    let swapped = TlsFiles {
        authority: Some(certificates.key(Identity::Client)),
        ..TlsFiles::default()
    };
    assert!(told(swapped).ends_with("holds no certificate in PEM"));
    let half = TlsFiles {
        key: None,
        ..known_as(&certificates, Identity::Client)
    };
    assert_eq!(told(half), "the client certificate lacks its key");
    let mut swapped = known_as(&certificates, Identity::Client);
    swapped.key.clone_from(&swapped.certificate);
    assert!(told(swapped).ends_with("holds no private key in PEM"));
    let nameless = TlsFiles {
        server_name: Some("not a name".to_owned()),
        ..TlsFiles::default()
    };
    assert_eq!(told(nameless), "\"not a name\" is no name of a server");
    let shown = format!(
        "{:?}",
        read(&known_as(&certificates, Identity::Client)).unwrap()
    );
    assert_eq!(shown, "Tls { server_name: None, .. }");
}
