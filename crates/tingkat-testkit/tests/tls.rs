//! Certificates, seen by clients that are not ours.
#![expect(
    clippy::unwrap_used,
    reason = "clippy allows it in tests, but not in what tests share"
)]

use std::process::{Command, Output};

use tingkat_testkit::{Certificates, Identity, Postgres, Redis};

/// PING by `redis-cli` over TLS.
fn redis_cli(redis: &Redis, certificates: &Certificates, client: Option<Identity>) -> Output {
    let mut command = Command::new("redis-cli");
    command
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &redis.port().to_string(),
            "--tls",
            "--cacert",
        ])
        .arg(certificates.authority());
    if let Some(client) = client {
        command.arg("--cert").arg(certificates.certificate(client));
        command.arg("--key").arg(certificates.key(client));
    }
    command.arg("PING").output().unwrap()
}

#[tokio::test]
async fn a_tls_server_answers_over_tls_and_not_without() {
    let certificates = Certificates::generate().unwrap();
    let redis = Redis::config().tls(&certificates).start().await.unwrap();
    let answer = redis_cli(&redis, &certificates, None);
    assert_eq!(answer.stdout, b"PONG\n", "{answer:?}");
    assert_eq!(redis.url(), format!("rediss://127.0.0.1:{}/", redis.port()));
    assert_eq!(redis.cmd(&["PING"]).await.unwrap(), "PONG");

    let plain = Command::new("redis-cli")
        .args(["-p", &redis.port().to_string(), "PING"])
        .output()
        .unwrap();
    assert_ne!(plain.stdout, b"PONG\n");
}

#[tokio::test]
async fn a_server_can_ask_clients_for_certificates() {
    let certificates = Certificates::generate().unwrap();
    let config = Redis::config().tls(&certificates).client_certificates();
    let redis = config.start().await.unwrap();
    let known = redis_cli(&redis, &certificates, Some(Identity::Client));
    assert_eq!(known.stdout, b"PONG\n", "{known:?}");
    for stranger in [None, Some(Identity::UnknownAuthority)] {
        let answer = redis_cli(&redis, &certificates, stranger);
        assert_ne!(answer.stdout, b"PONG\n", "{stranger:?} got in");
    }
}

#[tokio::test]
async fn a_client_sees_what_is_wrong_with_a_certificate() {
    let certificates = Certificates::generate().unwrap();
    for identity in [Identity::Expired, Identity::UnknownAuthority] {
        let config = Redis::config().tls(&certificates).identity(identity);
        let redis = config.start().await.unwrap();
        let answer = redis_cli(&redis, &certificates, None);
        assert!(!answer.status.success(), "{identity:?} was believed");
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(said.contains("certificate"), "{identity:?}: {said}");
    }
}

#[tokio::test]
async fn postgres_over_tls_is_believed_only_with_the_right_certificate() {
    let certificates = Certificates::generate().unwrap();
    let config = Postgres::config()
        .tls(&certificates)
        .password("it's secret");
    let server = config.clone().start().await.unwrap();
    let url = server.url("postgres");
    let answer = server.psql_url(
        &url,
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    assert_eq!(answer.await.unwrap(), "t");

    let plain = url.replace("verify-full", "disable");
    let refused = server
        .psql_url(&plain, "SELECT 1")
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("no pg_hba.conf entry"), "{refused}");
    let wrong = url.replace("secret", "guess");
    let refused = server
        .psql_url(&wrong, "SELECT 1")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("password authentication failed"),
        "{refused}"
    );

    // redis-cli looks at no names, psql does.
    for (identity, complaint) in [
        (Identity::WrongName, "does not match host name"),
        (Identity::UnknownAuthority, "certificate verify failed"),
    ] {
        let bad = config.clone().identity(identity).start().await.unwrap();
        let url = bad.url("postgres");
        let refused = bad
            .psql_url(&url, "SELECT 1")
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains(complaint), "{identity:?}: {refused}");
    }
}
