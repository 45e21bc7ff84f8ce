//! Wrong configurations, each with what is told about it, word for word.

use super::Case;

/// Files that are wrong in one way.
const FILES: &[&str] = &[
    // Not TOML, or not what a section is.
    "[redis\nbudget = \"50ms\"",
    "[feed]\npoll_interval = 100ms",
    "[redis]\nurl = \"redis://:hunter2@cache",
    "redis = \"redis://:hunter2@cache\"",
    "[source]\nurl \"postgres://shop:hunter2@db/shop?sslmode=verify-full\"",
    "[source]\nurl: \"postgres://shop:hunter2@db/shop?sslmode=verify-full\"",
    "[redis]\npassword \"hunter2==\"",
    "[redis]\npassword =\nhunter2abc==",
    "[redis]\nbudgt = 50ms",
    "{\"redis\": {\"url\": \"redis://:hunter2@cache?x=1\"}}",
    "[redis]\nbudget = \"1ms\"\nbudget = \"2ms\"",
    "[redis.budget]\nms = 5",
    "entity = 5",
    // More than one thing in a line.
    "[redis]\nbudget = \"50ms\", password = \"hunter2\"",
    "[redis]\nusername = \"shop\" \"hunter2\"",
    "[redis]\nbudget = 5 # password = \"hunter2\"",
    "[server]\ncors_origins = [ # hunter2\n  5, # hunter2\n]",
    "\"redis://:hunter2@cache\" = 1",
    "file = \"x\"",
    // Unknown keys.
    "[redis]\npasword = \"hunter2\"",
    "[redis]\nkey_prefx = \"shop:\"",
    "[feeds]\npoll_interval = \"50ms\"",
    "[server]\nurl = \"sqlite:x\"",
    "[server]\nstaleness_bound = \"2s\"",
    "[entity.products]\nfresh_for = \"1h\"",
    "[entity.product]\nfresh = \"1h\"",
    "budget = \"50ms\"",
    "environment = \"production\"",
    "zzz = 1",
    "[zzz]\nx.y = \"hunter2\"",
    // Values of another kind, or outside the range.
    "[redis]\nbudget = 50",
    "[redis]\nbudget = \"50\"",
    "[redis]\nbudget = \"1m\"",
    "[redis]\nbudget = \"-5ms\"",
    "[redis]\npassword = 123456",
    "[redis]\npassword = \" \"",
    "[server.tls]\nkey = \"-----BEGIN PRIVATE KEY-----\\nhunter2\"",
    "[redis]\nurl = 6379",
    "[redis]\nurl = \"http://:hunter2@cache\"",
    "[redis]\nport = 0",
    "[redis]\nport = \"6379\"",
    "[redis]\nmode = \"clustr\"",
    "[redis]\nmode = true",
    "[redis]\nkey_prefix = \"shop\"",
    "[redis]\nkey_prefix = \"\"",
    "[redis.sentinel]\nhosts = \"one:x\"",
    "[redis.sentinel]\ntls = \"yes\"",
    "[redis.breaker]\nfailure_share = 1.5",
    "[redis.breaker]\nprobes = 2.5",
    "[source]\nurl = \"mysql://shop:hunter2@db/shop\"",
    "[source]\nurl = \"postgres://shop:12/hunter2@db/shop\"",
    "[source]\nurl = \"postgres://shop:hunter2@db/shop?sslrootcert=/nowhere.pem\"",
    "[source]\nmax_connections = 0",
    "[source]\npreset = \"prsma\"",
    "[source]\npreset = \"prisma\"",
    "[source]\nqueries = \"/nowhere\"",
    "[source]\nurl = \"mysql://shop:hunter2@db/shop\"\npreset = \"prisma\"",
    "[source]\nurl = \"postgres://shop@db/shop\"\nqueries = \"/nowhere\"",
    "[source]\nacquire_timeout = 2026-11-27",
    "[server]\nlisten = \"localhost:8080\"",
    "[server]\nlisten = \"127.0.0.1\"",
    "[server]\nlisten = \"127.0.0.1:8080\"\nport = 9000",
    "[server]\nadmin_listen = \"9091\"",
    "[server]\nadmin_listen = \"127.0.0.1:8080\"",
    "[server]\nadmin_listen = \"127.0.0.1:9091\"\nmetrics_listen = \"0.0.0.0:9091\"",
    "[server]\nport = 9091\nmetrics_listen = \"[::]:9091\"",
    "[server]\nsocket_mode = \"0777\"",
    "[server]\nuri_bytes = \"32KiB\"",
    "[readiness]\nrequire = [\"postgres\"]",
    "[redis]\nurl = \"off\"\n[readiness]\nrequire = [\"redis\"]",
    "[server]\ntokens = [\"write:hunter2\"]",
    "[server]\ntokens = [5]",
    "[server]\ncors_origins = [\"*\"]",
    "[server]\ncors_origins = [\"https://shop.example/\"]",
    "[server]\ncors_origins = \"https://shop.example\"",
    "[server]\ncors_origins = [\"https://user:hunter2@shop.example\"]",
    "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]",
    "[server]\nproxy_header = \"forwarded-for\"",
    "[server]\nmax_in_flight = 0",
    "[server]\nconnections = 1000",
    "[server]\nbody_timeout = \"10s\"",
    "[server.rate_limit]\nlook_ups = -1",
    "[server.rate_limit]\nlook_up = 10",
    "[server]\nbody_bytes = \"1 megabyte\"",
    "[server]\nbody_bytes = \"1GiB\"",
    "[server]\nconnections = 99999999999999999999",
    "[log]\nlevel = \"wran\"",
    "[log]\nformat = \"jsn\"",
    "[log]\naccess = \"all\"",
    "[log]\naccess = 2",
    "[entity.product]\njitter = -0.1",
    "[entity.product]\nstrict = \"true\"",
    "[entity.product]\nplacement = \"l1\"",
    // Fields that may not reach Redis.
    "[privacy]\nfields = [\"promotion\"]",
    "[privacy]\nmore_fields = [\"variant name\", \"Description\"]\n[entity.product]\nprivacy = \"strip\"",
    "[privacy]\nfields = [\"--\"]",
    "[privacy]\nfields = \"email\"",
    "[entity.product]\nprivacy = \"hide\"",
    "[entity.product]\nmode = \"shaddow\"",
    "[entity.product]\nmemory_bytes = \"64mb\"",
    "scenario = \"low_latency\"",
    "scenario = [\"resilient\"]",
    "allow = \"redis-without-tls\"",
    "allow = [\"redis-without-tsl\"]",
    // Values that do not fit each other.
    "[feed]\npoll_interval = \"500ms\"",
    "[feed]\npoll_interval = \"1s\"\nstaleness_bound = \"2s\"",
    "[source]\nchanges_kept_for = \"1s\"",
    "[entity.product]\nsoft_deadline = \"5s\"",
    "[entity.postcode]\nhard_deadline = \"6s\"\nsoft_deadline = \"10s\"",
    "[entity.product]\nhard_deadline = \"10s\"\n[source]\nstatement_timeout = \"30s\"",
    "[entity.product]\nhard_deadline = \"7s\"",
    "[redis]\nbudget = \"10s\"\n[server]\nrequest_timeout = \"10s\"\n[entity.product]\nhard_deadline = \"4s\"",
    "[entity.product]\nmemory_bytes = \"64GiB\"",
    "[entity.states]\nmemory_bytes = \"512KiB\"",
    "[redis.breaker]\nopen_for = \"5s\"",
    "[redis]\nurl = \"off\"\n[entity.product]\nplacement = \"redis\"",
    "[redis]\nurl = \"redis://cache/3\"\nmode = \"cluster\"",
    "[redis]\nurl = \"redis://cache\"\nhost = \"other\"",
    "[redis]\nurl = \"off\"\nport = 6379",
    "[redis]\nurl = \"redis://shop:hunter2@cache\"\nusername = \"store\"\npassword = \"hunter3\"",
    "[redis]\nhost = \"no host\"",
    "[redis.tls]\nserver_name = \"cache\"",
    "[redis]\nurl = \"rediss://cache\"\n[redis.tls]\nca = \"/nowhere/ca.pem\"",
    "[redis]\nmode = \"standalone\"\n[redis.sentinel]\nmaster = \"main\"",
    "[redis.sentinel]\nusername = \"watcher\"",
];

/// Environments that are wrong.
const VARIABLES: &[&[(&str, &str)]] = &[
    &[("TINGKAT_ENV", "prod")],
    &[("TINGKAT_ENV", "producton")],
    &[("TINGKAT_ENV", "Production")],
    &[("TINGKAT__REDIS__PASWORD", "hunter2")],
    &[("TINGKAT_REDIS__URL", "redis://:hunter2@cache")],
    &[("TINGKAT_REDIS_URL_FILE", "/run/secrets/redis")],
    &[("TINGKAT_DATABASE_URL", "postgres://shop:hunter2@db/shop")],
    &[("TINGKAT_ENVIRONMENT", "production")],
    &[("TINGKAT_EVN", "production")],
    &[("TINGKAT_SCENARO", "resilient")],
    &[("TINGKAT_ENV", "")],
    &[("TINGKAT__redis__budget", "20s")],
    &[("TINGKAT__REDIS.BUDGET_FILE", "20s")],
    &[("TINGKAT__ZZZ", "hunter2")],
    &[("TINGKAT_SCENARIO", "fast")],
    &[
        ("REDIS_URL", "redis://cache"),
        ("REDIS_HOST", "other"),
        ("REDIS_PORT", "7"),
    ],
    &[
        ("REDIS_PASSWORD", "hunter2"),
        ("REDIS_URL", "redis://:hunter3@cache"),
    ],
    &[("REDIS_URL_FILE", "/nowhere")],
    &[(
        "DATABASE_URL_FILE",
        "postgres://shop:hunter2 hunter3@db/shop",
    )],
    &[(
        "TINGKAT__SERVER__TLS__KEY",
        "-----BEGIN PRIVATE KEY-----hunter2",
    )],
    &[("TINGKAT__SERVER__TLS__KEY_FILE", "/run/key")],
    &[("REDIS_URL_FILE", "/run/empty")],
    &[
        ("REDIS_URL", "redis://cache"),
        ("REDIS_URL_FILE", "/run/empty"),
    ],
    &[("REDIS_DB", "-1")],
    &[("TINGKAT__LOG__LEVEL", "loud")],
    &[("TINGKAT__ENTITY__PRODUCT__STRICT", "yes")],
    &[("TINGKAT__ENTITY__PRODUCT__SOFT_DEADLINE", "10s")],
    &[("REDIS_KEY_PREFIX", "redis://:hunter2@cache")],
    // Each environment asks for more.
    &[("TINGKAT_ENV", "production")],
    &[("TINGKAT_ENV", "staging")],
    &[
        ("TINGKAT_ENV", "production"),
        ("DATABASE_URL", "sqlite:shop.db"),
        ("REDIS_URL", "redis://cache:6379"),
        ("REDIS_KEY_PREFIX", "shop:"),
        ("TINGKAT__SERVER__TOKENS", FOO),
    ],
    &[
        ("TINGKAT_ENV", "production"),
        (
            "DATABASE_URL",
            "postgres://shop:hunter2@db/shop?sslmode=require",
        ),
        ("REDIS_URL", "rediss://one:6379,two:6379"),
        ("REDIS_KEY_PREFIX", "shop:"),
        ("TINGKAT__SERVER__TOKENS", FOO),
    ],
    // Where Sentinels name the servers, the host of the URL says nothing about where those are.
    &[
        ("TINGKAT_ENV", "production"),
        ("TINGKAT__ALLOW", "embedded-database,tokens-unset"),
        ("REDIS_URL", "redis://127.0.0.1"),
        ("REDIS_KEY_PREFIX", "shop:"),
        ("TINGKAT__REDIS__SENTINEL__HOSTS", "one,two,three"),
    ],
    &[
        ("TINGKAT_ENV", "production"),
        ("TINGKAT__ALLOW", "embedded-database,tokens-unset"),
        ("REDIS_URL", "rediss://shop:hunter2@127.0.0.1"),
        ("REDIS_KEY_PREFIX", "shop:"),
        ("TINGKAT__REDIS__SENTINEL__HOSTS", "one,two,three"),
        ("TINGKAT__REDIS__SENTINEL__PASSWORD", "hunter3"),
        ("TINGKAT__REDIS__SENTINEL__TLS", "false"),
    ],
    // A server of this machine may be plain, unless it names others.
    &[
        ("TINGKAT_ENV", "production"),
        ("TINGKAT__ALLOW", "embedded-database,tokens-unset"),
        ("REDIS_URL", "redis://127.0.0.1"),
        ("REDIS_KEY_PREFIX", "shop:"),
        ("TINGKAT__REDIS__MODE", "cluster"),
    ],
    // Who looks up or writes can not operate.
    &[
        ("TINGKAT_ENV", "production"),
        (
            "TINGKAT__ALLOW",
            "embedded-database,redis-unset,key-prefix-unset",
        ),
        (
            "TINGKAT__SERVER__TOKENS",
            "read:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae,\
             write:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        ),
    ],
    // What could not be read is not missing.
    &[
        ("TINGKAT_ENV", "production"),
        ("TINGKAT__ALLOW", "embedded-database,tokens-unset"),
        ("REDIS_URL", "rediss://cache"),
        ("REDIS_PASSWORD_FILE", "/nowhere"),
        ("REDIS_KEY_PREFIX", "shop:"),
    ],
    // What is malformed is told once, and not as missing.
    &[
        ("TINGKAT_ENV", "production"),
        ("DATABASE_URL", "hunter2"),
        ("REDIS_URL", "hunter2"),
        ("REDIS_KEY_PREFIX", "shop:"),
        ("TINGKAT__SERVER__TOKENS", "hunter2"),
    ],
];

/// The SHA-256 of `foo`, for operating.
const FOO: &str = "operate:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

fn cases() -> Vec<(String, Case)> {
    let files = FILES
        .iter()
        .map(|text| ((*text).to_owned(), Case::file(text)));
    let variables = VARIABLES.iter().map(|set| {
        let title = set.iter().map(|(name, value)| format!("{name}={value}"));
        let case = set
            .iter()
            .fold(Case::default(), |case, (name, value)| case.and(name, value));
        (
            title.collect::<Vec<_>>().join("\n"),
            case.and_file("/run/empty", "\n")
                .and_file("/run/key", "-----BEGIN PRIVATE KEY-----\nhunter2\n"),
        )
    });
    files.chain(variables).collect()
}

#[test]
fn each_wrong_configuration_is_told_with_its_line_and_a_remedy() {
    let told = cases().into_iter().map(|(title, case)| {
        let told = case.told();
        assert!(!told.is_empty(), "nothing is wrong with:\n{title}");
        assert!(!told.contains("hunter2"), "{title}\n{told}");
        assert!(!told.contains("hunter3"), "{title}\n{told}");
        format!("{title}\n\n{told}")
    });
    let rule = "-".repeat(100);
    let told: Vec<String> = told.collect();
    assert!(told.len() >= 60);
    insta::assert_snapshot!(told.join(&format!("\n{rule}\n")));
}

#[test]
fn each_problem_of_each_wrong_configuration_says_what_helps() {
    for (title, case) in cases() {
        for problem in case.load().problems {
            let help = problem.help.as_deref().unwrap_or_default();
            assert!(help.len() > 10, "{title}\n{}", problem.message);
        }
    }
}

#[test]
fn of_a_file_that_can_not_be_read_nothing_is_told_to_be_missing_or_not_to_fit() {
    let broken = Case::file("[redis\nkey_prefix = \"shop:\"");
    for case in [
        broken,
        Case::default().and_file("tingkat.toml", &"#".repeat(2 << 20)),
        Case::default().flag_config("nowhere.toml"),
    ] {
        let case = case
            .and("TINGKAT_ENV", "production")
            .and("REDIS_URL", "redis://cache")
            .and("PORT", "http")
            .and("TINGKAT__ENTITY__PRODUCT__SOFT_DEADLINE", "10s");
        let problems = case.load().problems;
        let about: Vec<&str> = problems.iter().map(|it| it.about.as_str()).collect();
        // What is wrong by itself is told all the same.
        assert_eq!(about, ["file", "server.port"], "{problems:?}");
        assert!(problems.iter().all(|it| it.help.is_some()), "{problems:?}");
    }
}

#[test]
fn an_environment_that_there_is_not_asks_for_nothing_and_sets_nothing() {
    let loaded = Case::variable("TINGKAT_ENV", "produciton").load();
    let told: Vec<_> = loaded.problems.iter().map(|it| &it.help).collect();
    assert_eq!(told, [&Some("did you mean production?".into())]);
    assert_eq!(loaded.settings.environment.name(), "unknown");
    let presets = ["development", "staging", "production"].map(|it| format!("preset:{it}"));
    for key in loaded.settings.keys() {
        for setting in loaded.settings.layers(&key.path) {
            assert!(
                !presets.contains(&setting.origin.to_string()),
                "{}",
                key.path
            );
        }
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text =
        "[redis]\nbudgt = \"50ms\"\nkey_prefix = \"shop\"\n\n[feed]\npoll_interval = \"1s\"\n";
    let case = Case::file(text)
        .and("TINGKAT_ENV", "production")
        .and("PORT", "http");
    let problems = case.load().problems;
    let about: Vec<String> = problems.iter().map(|it| it.about.clone()).collect();
    assert_eq!(
        about,
        [
            "redis.budgt",
            "redis.key_prefix",
            "server.port",
            "feed.poll_interval",
            "source.url",
            "redis.url",
            "server.tokens",
        ]
    );
}

#[test]
fn a_key_called_file_hides_nothing() {
    let case = Case::file("file = \"x\"\n").and("TINGKAT_ENV", "production");
    let problems = case.load().problems;
    let about: Vec<String> = problems.iter().map(|it| it.about.clone()).collect();
    assert_eq!(
        about,
        [
            "file",
            "source.url",
            "redis.url",
            "redis.key_prefix",
            "server.tokens"
        ]
    );
}

#[test]
fn the_environment_is_read_from_a_file_as_any_other_variable() {
    let case = Case::variable("TINGKAT_ENV_FILE", "/run/env").and_file("/run/env", "production\n");
    assert_eq!(case.load().settings.environment.name(), "production");
    let case = Case::variable("TINGKAT_ENV_FILE", "/run/env").and_file("/run/env", "prod\n");
    assert_eq!(case.load().settings.environment.name(), "unknown");
    let case = Case::variable("TINGKAT_ENV_FILE", "/run/nowhere");
    assert_eq!(case.load().settings.environment.name(), "unknown");
}

#[test]
fn a_waived_rule_is_not_told_and_is_known_to_be_waived() {
    let case = Case::variable("TINGKAT_ENV", "production")
        .and("DATABASE_URL", "postgres://shop@127.0.0.1/shop")
        .and("REDIS_URL", "redis://cache:6379")
        .and("REDIS_KEY_PREFIX", "shop:")
        .and("TINGKAT__SERVER__TOKENS", FOO);
    let told = case.load().problems;
    let rules: Vec<_> = told.iter().filter_map(|it| it.rule).collect();
    assert_eq!(rules, ["redis-without-tls", "redis-without-password"]);
    let case = case.and_file(
        "tingkat.toml",
        "allow = [\"redis-without-tls\", \"redis-without-password\", \"tokens-unset\"]",
    );
    let loaded = case.load();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let waived = super::super::rules::waived(&loaded.settings, None);
    assert_eq!(waived, ["redis-without-tls", "redis-without-password"]);
}

#[test]
fn five_variables_are_a_right_production() {
    let case = Case::variable("TINGKAT_ENV", "production")
        .and(
            "DATABASE_URL",
            "postgres://shop:x@db/shop?sslmode=verify-full",
        )
        .and("REDIS_URL", "rediss://shop:x@cache:6379")
        .and("REDIS_KEY_PREFIX", "shop:prod:")
        .and("TINGKAT__SERVER__TOKENS", FOO);
    let loaded = case.load();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
}
