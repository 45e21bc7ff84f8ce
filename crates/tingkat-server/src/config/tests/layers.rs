//! Which layer wins, and that each value knows where it came from.

use std::time::Duration;

use tingkat_shop::popularity::{PostcodeWeights, ProductWeights, Weights};

use super::Case;

fn origin(case: &Case, key: &str) -> String {
    let loaded = case.load();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let setting = loaded.settings.get(key).unwrap();
    format!("{} {}", setting.value.shown(), setting.origin)
}

#[test]
fn a_later_layer_wins_and_is_named() {
    let key = "redis.budget";
    let mut case = Case::default();
    assert_eq!(origin(&case, key), "50ms base");
    case = case.and("TINGKAT_SCENARIO", "low-latency");
    assert_eq!(origin(&case, key), "20ms scenario:low-latency");
    case = case.and_file(
        "tingkat.toml",
        "# a comment\n[redis]\n\nbudget = \"30ms\"\n",
    );
    assert_eq!(origin(&case, key), "30ms file:tingkat.toml:4");
    case = case.and("TINGKAT__REDIS__BUDGET", "35ms");
    assert_eq!(origin(&case, key), "35ms env:TINGKAT__REDIS__BUDGET");
    case = case.flag("--budget", key, "40ms");
    assert_eq!(origin(&case, key), "40ms flag:--budget");
}

#[test]
fn the_environment_brings_its_preset_and_the_file_may_choose_the_scenario() {
    let case = Case::file("scenario = \"resilient\"\n")
        .and("TINGKAT_ENV", "staging")
        .and(
            "TINGKAT__ALLOW",
            "embedded-database, redis-unset,key-prefix-unset,tokens-unset",
        );
    assert_eq!(origin(&case, "log.format"), "json preset:staging");
    assert_eq!(
        origin(&case, "redis.breaker.minimum"),
        "3 scenario:resilient"
    );
    assert_eq!(origin(&case, "scenario"), "resilient file:tingkat.toml:1");
}

#[test]
fn a_file_of_the_system_is_read_where_there_is_no_other() {
    let case =
        Case::default().and_file("/etc/tingkat/tingkat.toml", "feed.poll_interval = \"50ms\"");
    let path = "feed.poll_interval";
    assert_eq!(origin(&case, path), "50ms file:/etc/tingkat/tingkat.toml:1");
    let case = case.and_file("tingkat.toml", "feed.poll_interval = \"60ms\"");
    assert_eq!(origin(&case, path), "60ms file:tingkat.toml:1");
    let mut case = case.and_file("other.toml", "feed.poll_interval = \"70ms\"");
    case.flags.config = Some("other.toml".into());
    assert_eq!(origin(&case, path), "70ms file:other.toml:1");
}

#[test]
fn the_name_of_ours_wins_over_the_one_that_everybody_knows() {
    let case = Case::variable("DATABASE_URL", "sqlite:one.db")
        .and("TINGKAT__SOURCE__URL", "sqlite:two.db");
    let loaded = case.load();
    assert_eq!(
        super::super::source(&loaded.settings).to_string(),
        "sqlite:two.db"
    );
}

#[test]
fn a_secret_comes_from_the_file_that_a_variable_names() {
    let case = Case::variable("REDIS_PASSWORD_FILE", "/run/secrets/redis")
        .and_file("/run/secrets/redis", "hunter2\r\n");
    let shown = origin(&case, "redis.password");
    assert!(shown.ends_with(" env:REDIS_PASSWORD_FILE"), "{shown}");
    assert!(shown.starts_with("*** (fingerprint "), "{shown}");
    let same = Case::variable("REDIS_PASSWORD", "hunter2");
    assert_eq!(origin(&same, "redis.password"), shown.replace("_FILE", ""));
}

fn listen(case: &Case) -> String {
    let loaded = case.load();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    super::super::listeners::main(&loaded.settings).to_string()
}

#[test]
fn a_port_changes_the_address_that_nobody_chose_after_it() {
    let port = Case::variable("PORT", "9000");
    assert_eq!(listen(&Case::default()), "127.0.0.1:8080");
    assert_eq!(listen(&port), "127.0.0.1:9000");
    let file = port
        .clone()
        .and_file("tingkat.toml", "server.listen = \"[::1]:7\"");
    assert_eq!(listen(&file), "[::1]:9000");
    let own = port.clone().and("TINGKAT__SERVER__LISTEN", "0.0.0.0:7");
    assert_eq!(listen(&own), "0.0.0.0:7");
    let flag = port.clone().flag("--listen", "server.listen", "0.0.0.0:8");
    assert_eq!(listen(&flag), "0.0.0.0:8");
    let waivers = "embedded-database,redis-unset,key-prefix-unset,tokens-unset";
    let production = port
        .and("TINGKAT_ENV", "production")
        .and("TINGKAT__ALLOW", waivers);
    assert_eq!(listen(&production), "0.0.0.0:9000");
}

/// What stands at the address, by a node of production.
fn mode(redis: &str, more: &[(&str, &str)]) -> tingkat_redis::Mode {
    let case = Case::variable("TINGKAT_ENV", "production")
        .and("TINGKAT__ALLOW", "embedded-database,tokens-unset")
        .and("REDIS_URL", redis)
        .and("REDIS_KEY_PREFIX", "shop:");
    let case = more
        .iter()
        .fold(case, |case, (name, value)| case.and(name, value));
    let config = crate::config::Config::build(case.load().into_settings().unwrap());
    config.unwrap().redis.unwrap().mode
}

#[test]
fn in_production_a_plain_server_of_this_machine_names_no_others() {
    use tingkat_redis::Mode;
    assert_eq!(mode("redis://127.0.0.1", &[]), Mode::Standalone);
    assert_eq!(mode("rediss://shop:x@cache", &[]), Mode::Auto);
    let rules = "embedded-database,tokens-unset,redis-without-tls,redis-without-password";
    let waived = [("TINGKAT__ALLOW", rules)];
    assert_eq!(mode("redis://127.0.0.1", &waived), Mode::Auto);
    let cluster = [waived[0], ("TINGKAT__REDIS__MODE", "cluster")];
    assert_eq!(mode("redis://127.0.0.1", &cluster), Mode::Cluster);
    let development = Case::variable("REDIS_URL", "redis://127.0.0.1");
    let config = crate::config::Config::build(development.load().into_settings().unwrap());
    assert_eq!(config.unwrap().redis.unwrap().mode, Mode::Auto);
}

fn address(case: &Case) -> String {
    let loaded = case.load();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let (address, _) = super::super::redis::address(&loaded.settings).unwrap();
    format!(
        "{address}/{} {}",
        address.database(),
        address.has_credentials()
    )
}

#[test]
fn redis_is_put_together_from_parts_where_there_is_no_url() {
    assert_eq!(address(&Case::default()), "127.0.0.1:6379/0 false");
    let parts = Case::variable("REDIS_HOST", "cache").and("REDIS_DB", "3");
    assert_eq!(address(&parts), "cache:6379/3 false");
    let six = Case::variable("REDIS_HOST", "::1").and("REDIS_PORT", "7");
    assert_eq!(address(&six), "[::1]:7/0 false");
    let login = Case::variable("REDIS_URL", "redis://cache:1/2").and("REDIS_PASSWORD", "hunter2");
    assert_eq!(address(&login), "cache:1/2 true");
    let same = Case::variable("REDIS_URL", "redis://u:hun%21@cache").and("REDIS_PASSWORD", "hun!");
    assert_eq!(address(&same), "cache:6379/0 true");
    // A later layer wins as a whole.
    let later = parts.and_file("tingkat.toml", "redis.url = \"redis://other:1/1\"");
    assert_eq!(address(&later), "cache:6379/3 false");
    // A port or a number says nothing of where Redis is.
    let file = "redis.url = \"redis://other:1/1\"";
    for name in ["REDIS_PORT", "REDIS_DB"] {
        let case = Case::variable(name, "3").and_file("tingkat.toml", file);
        let problems = case.load().problems;
        let told: Vec<&str> = problems.iter().map(|it| it.message.as_str()).collect();
        let expected = format!("{name}: redis.url is set as well, and says all that it says");
        assert_eq!(told, [expected]);
    }
    // Kubernetes sets them for services named redis and tingkat-redis.
    let mut link = Case::variable("REDIS_URL", "redis://cache:1");
    for name in ["REDIS_PORT", "TINGKAT_REDIS_PORT"] {
        link = link.and(name, "tcp://10.0.0.1:6379");
    }
    assert_eq!(address(&link), "cache:1/0 false");
}

#[test]
fn a_reload_sees_what_differs_in_secrets_as_well() {
    let paths = |one: &Case, two: &Case| -> Vec<String> {
        let (one, two) = (one.load().settings, two.load().settings);
        one.differences(&two)
            .iter()
            .map(|key| key.path.clone())
            .collect()
    };
    let one = Case::variable("REDIS_PASSWORD", "hunter2").and("PORT", "1");
    let two = Case::variable("REDIS_PASSWORD", "hunter3").and("PORT", "1");
    assert_eq!(paths(&one, &two), ["redis.password"]);
    assert_eq!(paths(&one, &one.clone().and("PORT", "2")), ["server.port"]);
    assert_eq!(
        paths(&Case::default(), &one),
        ["server.port", "redis.password"]
    );
}

#[test]
fn what_popularity_weighs_is_as_configured() {
    let names = [
        ("PRODUCT__ORDERS", "5"),
        ("PRODUCT__CARTS", "6"),
        ("PRODUCT__WISHES", "7"),
        ("PRODUCT__WINDOW", "8h"),
        ("POSTCODE__DELIVERIES", "9"),
        ("POSTCODE__CUSTOMERS", "10"),
        ("POSTCODE__WINDOW", "11h"),
    ];
    let case = names.iter().fold(Case::default(), |case, (name, value)| {
        case.and(&format!("TINGKAT__POPULARITY__{name}"), value)
    });
    let loaded = case.load();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let hours = Duration::from_hours;
    let expected = Weights {
        product: ProductWeights {
            orders: 5,
            carts: 6,
            wishes: 7,
            window: hours(8),
        },
        postcode: PostcodeWeights {
            deliveries: 9,
            customers: 10,
            window: hours(11),
        },
    };
    assert_eq!(super::super::weights(&loaded.settings), expected);
}
