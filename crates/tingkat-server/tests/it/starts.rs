//! Starts that can not succeed: one line that says what to do, and a code for scripts.

use std::fs;
use std::net::TcpListener;

use crate::program::{Ended, Folder, Program};

/// What stands in every malformed URL here, and may not be shown.
const SECRET: &str = "hunter2";

/// One line, and what helps, the code of wrong configuration, and nothing of the secret.
fn complaint(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    let (line, help) = ended.stderr.split_once('\n').unwrap();
    let is_help = |line: &str| line.starts_with("  help: ");
    assert!(
        help.lines().count() < 2 && help.lines().all(is_help),
        "{ended:?}"
    );
    line.strip_prefix("tingkat: ").unwrap()
}

async fn serve_with(name: &str, value: &str) -> Ended {
    let folder = Folder::new();
    let ended = Program::serve(&folder).with(name, value).run().await;
    assert_eq!(folder.names(), [""; 0], "{name}={value}");
    ended
}

#[tokio::test]
async fn a_malformed_variable_is_named_with_what_would_be_right() {
    let cases = [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("REDIS_KEY_PREFIX", "shop"),
        ("REDIS_KEY_PREFIX", "shop:{a}:"),
        ("REDIS_KEY_PREFIX", "shop*:"),
        ("TINGKAT__REDIS__KEY_PREFIX", "kedai baru:"),
        ("REDIS_URL", "hunter2"),
        ("REDIS_URL", "http://:hunter2@cache"),
        ("REDIS_URL", "redis://:hunter2@cache:port"),
        ("TINGKAT__REDIS__URL", "redis://:hunter2@cache/shop"),
        ("DATABASE_URL", "hunter2"),
        ("DATABASE_URL", "mysql://ali:hunter2@db/shop"),
        ("DATABASE_URL", "postgres://ali:hunter2@db:port/shop"),
        ("DATABASE_URL", "postgres://ali:12/hunter2@db/shop"),
        ("TINGKAT__SOURCE__URL", "sqlite:"),
        ("DATABASE_URL", "sqlite::memory:"),
    ];
    let mut said = Vec::new();
    for (name, value) in cases {
        let ended = serve_with(name, value).await;
        said.push(format!("{name}={value}\n  {}", complaint(&ended)));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_before_anything_is_created() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let ended = serve_with("PORT", &port).await;
    let line = complaint(&ended);
    assert!(
        line.starts_with(&format!("failed to listen on 127.0.0.1:{port}: ")),
        "{line}"
    );
    assert!(
        line.ends_with("choose a port with --listen or PORT"),
        "{line}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_as_it_is() {
    let folder = Folder::new();
    let garbage = "garbage ".repeat(1_000);
    fs::write(folder.path().join("garbage"), &garbage).unwrap();
    fs::create_dir(folder.path().join("directory")).unwrap();
    let here = folder.path().canonicalize().unwrap();
    let mut said = Vec::new();
    for name in ["garbage", "directory", "no/such/place"] {
        let program = Program::serve(&folder).with("DATABASE_URL", format!("sqlite:{name}"));
        let ended = program.run().await;
        said.push(complaint(&ended).replace(&*here.to_string_lossy(), "…"));
    }
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(
        fs::read_to_string(folder.path().join("garbage")).unwrap(),
        garbage
    );
    assert_eq!(folder.names(), ["directory", "garbage"]);
}

#[tokio::test]
async fn a_wrong_command_line_is_told_apart_from_wrong_configuration() {
    for arguments in [
        &["serve", "--prot", "8080"][..],
        &["serve", "--listen", "localhost"],
        &["serf"],
        &["schema"],
    ] {
        let folder = Folder::new();
        let ended = Program::new(&folder, arguments).run().await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(ended.stderr.contains("--help"), "{ended:?}");
        assert_eq!(folder.names(), [""; 0]);
    }
}
