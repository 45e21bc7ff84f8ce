//! Secrets are planted everywhere, and looked for in everything that comes out.

use std::fs;

use tingkat_testkit::{Certificates, Redis, eventually};

use crate::program::{Folder, PATIENCE, Program};
use crate::wire::{get, patch};

/// What every planted secret has in it.
const SEED: &str = "hunter2";

/// Everything that a program says, and whatever it was asked for.
fn assert_clean(what: &str, text: &str) {
    if let Some(at) = text.find(SEED) {
        let from = text.floor_char_boundary(at.saturating_sub(200));
        let to = text.ceil_char_boundary(at + 50);
        panic!("{what}: {}", &text[from..to]);
    }
}

#[tokio::test]
async fn a_service_with_wrong_passwords_everywhere_says_none_of_them() {
    let certificates = Certificates::generate().unwrap();
    let redis = Redis::config().tls(&certificates).start().await.unwrap();
    let guarded = Redis::config()
        .user("shop", "on >right ~* &* +@all")
        .start()
        .await
        .unwrap();
    // A wrong password, and an authority that nobody trusts.
    let urls = [
        format!("redis://shop:hunter2-redis@{}/", guarded.addr()),
        format!("rediss://shop:hunter2-tls@{}/", redis.addr()),
    ];
    for url in urls {
        let folder = Folder::new();
        let file = "[redis.sentinel]\npassword = \"hunter2-sentinel\"\nhosts = \"127.0.0.1:1\"\n[redis]\nmode = \"auto\"\n";
        fs::write(folder.path().join("tingkat.toml"), file).unwrap();
        let digest = "write:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
        let program = Program::serve(&folder)
            .with("REDIS_URL", &url)
            .with(
                "DATABASE_URL",
                "postgres://shop:hunter2-db@127.0.0.1:1/shop",
            )
            .with("TINGKAT__SERVER__TOKENS", digest)
            .with("TINGKAT__LOG__LEVEL", "trace");
        let node = program.listening().await;
        node.sees("redis", "down").await;
        node.sees("source", "down").await;
        let bearer = "authorization: Bearer hunter2-token\r\n";
        let mut said = Vec::new();
        for path in [
            "/v1/products/1",
            "/v1/products",
            "/readyz",
            "/",
            "/v1/nowhere",
        ] {
            let reply = get(&node, path, bearer).await;
            said.push(format!("{reply:?}"));
        }
        // What a client sends is repeated in no problem document either.
        for (path, header) in [
            ("/v1/products/1?access_token=hunter2-query", ""),
            ("/v1/products/1", "authorization: Basic hunter2-basic\r\n"),
            ("/v1/products/1", "cookie: session=hunter2-cookie\r\n"),
            ("/v1/changes?token=hunter2-query", bearer),
        ] {
            let reply = get(&node, path, header).await;
            said.push(format!("{reply:?}"));
        }
        for body in [
            r#"{"stock":1}"#,
            r#"{"stock":1,"password":"hunter2-body"}"#,
            "hunter2-body",
        ] {
            let reply = patch(&node, "1", body).await;
            assert!(reply.status >= 400, "{reply:?}");
            said.push(format!("{reply:?}"));
        }
        eventually(PATIENCE, async || node.process.log().lines().count() > 20)
            .await
            .unwrap();
        assert_clean("answers", &said.join("\n"));
        assert_clean("log", &node.process.log());
        assert_clean("output", &node.process.output("stdout"));
    }
}

#[tokio::test]
async fn no_command_repeats_a_secret_whether_it_is_right_or_wrong() {
    let variables: &[&[(&str, &str)]] = &[
        &[("REDIS_URL", "redis://:hunter2@cache:6379/0")],
        &[("REDIS_URL", "redis://:hunter2@cache:port")],
        &[("REDIS_URL", "hunter2")],
        &[("DATABASE_URL", "postgres://shop:hunter2@db/shop")],
        &[("DATABASE_URL", "postgres://shop:1/hunter2@db/shop")],
        &[
            ("REDIS_URL", "redis://cache"),
            ("REDIS_PASSWORD", "hunter2"),
        ],
        &[("REDIS_PASSWORD_FILE", "secret")],
        &[("REDIS_PASSWORD_FILE", "postgres://shop:hunter2@nowhere")],
        &[("TINGKAT__SERVER__TOKENS", "write:hunter2")],
        &[("TINGKAT__REDIS__PASWORD", "hunter2")],
        &[("REDIS_KEY_PREFIX", "redis://:hunter2@cache")],
        &[("TINGKAT__SERVER__LISTEN", "shop:hunter2@db")],
    ];
    let commands: &[&[&str]] = &[
        &["config", "check"],
        &["config", "check", "--json"],
        &["config", "show", "--origin"],
        &["config", "show", "--json"],
        &["config", "explain", "redis.url"],
        &["config", "explain", "source.url", "--json"],
        &["config", "explain", "redis.password"],
        &["config", "init"],
        &["schema", "compact"],
        &["schema", "check", "--json"],
    ];
    let folder = Folder::new();
    fs::write(folder.path().join("secret"), "hunter2").unwrap();
    for set in variables {
        for command in commands {
            let program = Program::new(&folder, command);
            let program = set
                .iter()
                .fold(program, |program, (name, value)| program.with(name, value));
            let ended = program.run().await;
            let what = format!("{command:?} with {set:?}");
            assert_clean(&what, &ended.stdout);
            assert_clean(&what, &ended.stderr);
        }
    }
}

#[tokio::test]
async fn a_secret_on_the_command_line_is_refused_without_repeating_it() {
    for arguments in [
        &["serve", "--redis-url=redis://:hunter2@cache"][..],
        &["serve", "redis://:hunter2@cache"],
        &["serve", "--listen", "postgres://shop:hunter2@db/shop"],
        &["serve", "--scenario", "redis://:hunter2@cache"],
        &["serve", "--config", "redis://:hunter2@cache"],
        &["serve", "--log-level", "redis://:hunter2@cache"],
        &["config", "explain", "redis://:hunter2@cache"],
    ] {
        let ended = Program::new(&Folder::new(), arguments).run().await;
        assert!(matches!(ended.code, Some(2 | 78)), "{ended:?}");
        let what = format!("{arguments:?}");
        assert_clean(&what, &ended.stdout);
        assert_clean(&what, &ended.stderr);
    }
}
