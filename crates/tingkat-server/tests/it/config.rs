//! `tingkat config`, and starts with a configuration that is wrong.

use std::fs;

use serde_json::Value;
use tingkat_testkit::{Certificates, Identity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::{Ended, Folder, Program};

async fn config(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let arguments = [&["config"], arguments].concat();
    let program = Program::new(folder, &arguments);
    let program = variables
        .iter()
        .fold(program, |program, (name, value)| program.with(name, value));
    program.run().await
}

fn json(ended: &Ended) -> Value {
    let value: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(value["schema_version"], 1);
    value
}

#[tokio::test]
async fn production_with_nothing_else_says_precisely_what_is_missing() {
    let folder = Folder::new();
    let program = Program::serve(&folder)
        .with("TINGKAT_ENV", "production")
        .with("REDIS_URL", "");
    let ended = program.run().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(78), ""));
    assert_eq!(folder.names(), [""; 0]);
    insta::assert_snapshot!(ended.stderr);
}

#[tokio::test]
async fn a_file_that_is_wrong_is_shown_with_its_lines_and_nothing_is_created() {
    let folder = Folder::new();
    let text = "[redis]\nurl = \"redis://:hunter2@cache\" # hunter2\nbudgt = \"hunter2\"\n\n[feed]\npoll_interval = \"1s\"\n";
    fs::write(folder.path().join("tingkat.toml"), text).unwrap();
    let program = Program::serve(&folder).with("REDIS_URL", "");
    let ended = program.run().await;
    assert_eq!(ended.code, Some(78));
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    assert_eq!(folder.names(), ["tingkat.toml"]);
    insta::assert_snapshot!(ended.stderr);

    let checked = config(&folder, &["check", "--json"], &[]).await;
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(78), ""));
    let checked = json(&checked);
    assert_eq!(checked["ok"], false);
    assert_eq!(checked["problems"][0]["line"], 3);
    assert_eq!(checked["problems"][0]["key"], "redis.budgt");
    assert!(!checked.to_string().contains("hunter2"));
}

#[tokio::test]
async fn what_counts_is_shown_with_its_origin_and_without_secrets() {
    let folder = Folder::new();
    let text = "[source]\nurl = \"postgres://shop:hunter2@db/shop\"\n[redis.sentinel]\nhosts = \"one\"\npassword = \"hunter3\"\n";
    fs::write(folder.path().join("tingkat.toml"), text).unwrap();
    let secrets = [
        ("REDIS_URL", "rediss://:hunter4@cache:6379/0?hunter5=1"),
        ("TINGKAT__FEED__STALENESS_BOUND", "3s"),
    ];
    let shown = config(&folder, &["show", "--origin"], &secrets).await;
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    for line in [
        "# file:tingkat.toml:2",
        "# env:REDIS_URL",
        "staleness_bound = \"3s\"",
        "# env:TINGKAT__FEED__STALENESS_BOUND",
        "# base",
    ] {
        assert!(shown.stdout.contains(line), "{line}:\n{}", shown.stdout);
    }
    assert_eq!(shown.stdout.matches("fingerprint").count(), 3);
    let object = config(&folder, &["show", "--json"], &secrets).await;
    let settings = json(&object)["settings"].clone();
    let bound = settings.as_array().unwrap().iter();
    let bound: Vec<_> = bound
        .filter(|it| it["key"] == "feed.staleness_bound")
        .collect();
    assert_eq!(bound[0]["value"], "3s");
    let explained = config(&folder, &["explain", "redis.url"], &secrets).await;
    assert!(explained.stdout.contains("env:REDIS_URL"), "{explained:?}");
    let all = [shown.stdout, object.stdout, explained.stdout].concat();
    assert!(!all.contains("hunter"), "{all}");
}

#[tokio::test]
async fn a_key_is_explained_by_its_path_or_its_variable_and_one_like_it_is_suggested() {
    let folder = Folder::new();
    let path = config(&folder, &["explain", "redis.budget"], &[]).await;
    let variable = config(&folder, &["explain", "TINGKAT__REDIS__BUDGET"], &[]).await;
    assert_eq!(path.stdout, variable.stdout);
    insta::assert_snapshot!(path.stdout);
    let object = config(&folder, &["explain", "redis.budget", "--json"], &[]).await;
    assert_eq!(json(&object)["default"], "50ms");
    let odd = config(&folder, &["explain", "redis.budgt"], &[]).await;
    assert_eq!(odd.code, Some(2));
    assert_eq!(
        odd.stderr,
        "tingkat: redis.budgt: there is no such key; did you mean redis.budget?\n"
    );
}

#[tokio::test]
async fn what_init_prints_is_a_file_that_changes_nothing() {
    let folder = Folder::new();
    let printed = config(&folder, &["init"], &[]).await;
    let before = config(&folder, &["show"], &[]).await;
    fs::write(folder.path().join("tingkat.toml"), &printed.stdout).unwrap();
    let checked = config(&folder, &["check"], &[]).await;
    assert_eq!(
        (checked.code, checked.stdout.as_str()),
        (
            Some(0),
            "The configuration is right, for development, with tingkat.toml.\n"
        ),
        "{checked:?}"
    );
    assert_eq!(config(&folder, &["show"], &[]).await.stdout, before.stdout);
    let schema = config(&folder, &["schema"], &[]).await;
    let schema: Value = serde_json::from_str(&schema.stdout).unwrap();
    assert_eq!(schema["properties"]["redis"]["type"], "object");
    assert_eq!(schema["schema_version"], Value::Null);
    let versioned = json(&config(&folder, &["schema", "--json"], &[]).await);
    assert_eq!(versioned["properties"], schema["properties"]);
}

#[tokio::test]
async fn a_file_configures_what_is_served() {
    let folder = Folder::new();
    let file = folder.path().join("shop.toml");
    fs::write(
        &file,
        "scenario = \"memory-constrained\"\n[feed]\nstaleness_bound = \"7s\"\n[source]\nurl = \"sqlite:shop.db\"\n",
    )
    .unwrap();
    let program = Program::new(&folder, &["serve", "--config", "shop.toml"]);
    let node = program.listening().await;
    let (_, ready) = node.readiness().await;
    assert_eq!(ready["feed"]["bound_ms"], 7_000);
    assert!(node.process.folder.names().contains(&"shop.db".to_owned()));
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_told_by_check_and_not_served_in_production() {
    let certificates = Certificates::generate().unwrap();
    let folder = Folder::new();
    let showing = |who: Identity, environment: &'static str| {
        let (certificate, key) = (certificates.certificate(who), certificates.key(who));
        let certificate = certificate.to_str().unwrap().to_owned();
        let variables = [
            ("TINGKAT__SERVER__TLS__CERTIFICATE", certificate),
            (
                "TINGKAT__SERVER__TLS__KEY",
                key.to_str().unwrap().to_owned(),
            ),
            ("TINGKAT_ENV", environment.to_owned()),
            (
                "TINGKAT__ALLOW",
                "embedded-database,tokens-unset".to_owned(),
            ),
        ];
        let folder = &folder;
        async move |arguments: &[&str]| {
            let program = Program::new(folder, arguments);
            let set = variables.iter();
            let program = set.fold(program, |program, (name, value)| program.with(name, value));
            program.run().await
        }
    };
    let check = ["config", "check"];
    let right = showing(Identity::Server, "production")(&check).await;
    let line = "server.tls.certificate: the certificate is valid until 2100-01-01T00:00:00Z, ";
    assert!(right.stdout.contains(line), "{right:?}");
    let warned = showing(Identity::Expired, "development")(&check).await;
    let line =
        "Warning: server.tls.certificate: the certificate has expired at 2001-01-01T00:00:00Z.";
    assert!(
        warned.code == Some(0) && warned.stdout.contains(line),
        "{warned:?}"
    );
    let report = showing(Identity::Expired, "development")(&["config", "check", "--json"]).await;
    let certificate = &json(&report)["certificate"];
    assert_eq!(certificate["valid_until"], "2001-01-01T00:00:00Z");
    assert_eq!(certificate["is_due"], true);
    // A node that runs is not to be restarted for it: a probe looks for it all the same.
    let probed = showing(Identity::Expired, "production")(&["healthcheck"]).await;
    assert_ne!(probed.code, Some(78), "{probed:?}");
    for command in [&check[..], &["serve"]] {
        let refused = showing(Identity::Expired, "production")(command).await;
        assert_eq!(refused.code, Some(78), "{refused:?}");
        assert_eq!(
            refused.stderr,
            "tingkat: TINGKAT__SERVER__TLS__CERTIFICATE: the certificate has expired at \
             2001-01-01T00:00:00Z\n  help: put one there that is valid now, and its key; or set the \
             clock of this machine right; or allow it: allow = [\"certificate-out-of-date\"]\n"
        );
    }
}

#[tokio::test]
async fn a_waived_rule_is_in_the_log_and_in_readiness() {
    let program = Program::serve(&Folder::new())
        .with("TINGKAT_ENV", "staging")
        .with("TINGKAT__ALLOW", "embedded-database,tokens-unset");
    let node = program.listening().await;
    let (_, ready) = node.readiness().await;
    assert_eq!(
        ready["waived"],
        serde_json::json!(["embedded-database", "tokens-unset"])
    );
    node.says("a rule of this environment is waived: tokens-unset")
        .await;
}

#[tokio::test]
async fn a_service_with_a_certificate_speaks_tls_and_one_without_its_key_does_not_start() {
    let certificates = Certificates::generate().unwrap();
    let certificate = certificates.certificate(Identity::Server);
    let folder = Folder::new();
    let alone = Program::serve(&folder).with("TINGKAT__SERVER__TLS__CERTIFICATE", &certificate);
    let ended = alone.run().await;
    assert_eq!(ended.code, Some(78));
    assert_eq!(
        ended.stderr,
        "tingkat: TINGKAT__SERVER__TLS__CERTIFICATE: lacks its key, server.tls.key\n  \
         help: set it to the file with the private key, in PEM\n"
    );
    let (_process, address) = Program::serve(&folder)
        .with("TINGKAT__SERVER__TLS__CERTIFICATE", &certificate)
        .with(
            "TINGKAT__SERVER__TLS__KEY",
            certificates.key(Identity::Server),
        )
        .encrypted()
        .await;
    // The first byte of a TLS record that carries an alert.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 21);
}
