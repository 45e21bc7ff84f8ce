//! What is said to change without a restart, and whether anybody takes it in.

use super::Case;
use crate::config::keys::{self, Key};
use crate::config::kind::Kind;
use crate::config::policies::Policies;
use crate::config::{Contents, Health, concerns_the_edge};

/// A right value of this kind that differs from the default.
fn another(kind: Kind, default: &str) -> String {
    let all: &[&str] = match kind {
        Kind::Flag => &["true", "false"],
        Kind::Integer { .. } => &["7", "9"],
        Kind::Share { .. } => &["0.25", "0.75"],
        Kind::Time { .. } => &["20ms", "30ms"],
        Kind::Size { .. } => &["4KiB", "8KiB"],
        Kind::Choice(known) => known,
        Kind::Choices(_)
        | Kind::Names
        | Kind::Origins
        | Kind::Networks
        | Kind::Access
        | Kind::Tables
        | Kind::File
        | Kind::Text
        | Kind::Path
        | Kind::Listen
        | Kind::ListenOrOff
        | Kind::LogLevel
        | Kind::Hosts
        | Kind::Schedule
        | Kind::TimeZone
        | Kind::Prefix
        | Kind::Redis
        | Kind::Database
        | Kind::Tokens
        | Kind::Secret => panic!("no policy is of this kind: {kind:?}"),
    };
    let other = all.iter().rfind(|it| **it != default);
    (*other.unwrap()).to_owned()
}

#[test]
fn every_policy_that_changes_under_way_is_one_that_a_cache_is_given() {
    let usual = Policies::of(&Case::default().load().settings);
    let entity = keys::all()
        .iter()
        .filter(|key| key.reloads && key.path.starts_with("entity."))
        .filter(|key| !key.path.contains(".objective."));
    let mut count = 0;
    for key in entity {
        let value = another(key.kind, key.default.as_deref().unwrap());
        let case = Case::variable(&key.own_variable(), &value);
        let changed = Policies::of(&case.load().settings);
        assert_ne!(changed, usual, "nobody reads {} = {value}", key.path);
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_limit_that_changes_under_way_is_one_that_health_is_judged_by() {
    let usual = Health::of(&Case::default().load().settings);
    let keys = keys::all()
        .iter()
        .filter(|key| key.reloads && Health::is_about(&key.path));
    let mut count = 0;
    for key in keys {
        let value = another(key.kind, key.default.as_deref().unwrap());
        let changed = Health::of(&Case::variable(&key.own_variable(), &value).load().settings);
        assert_ne!(changed, usual, "nobody reads {} = {value}", key.path);
        count += 1;
    }
    assert!(count > 80, "{count}");
}

#[test]
fn a_limit_that_is_critical_before_it_warns_is_told() {
    for (path, value, expected) in [
        (
            "CPU__WARNING",
            "95",
            "TINGKAT__HEALTH__THRESHOLDS__CPU__WARNING: expected at most health.thresholds.cpu.critical (90), found 95",
        ),
        (
            "CPU__CRITICAL",
            "60",
            "TINGKAT__HEALTH__THRESHOLDS__CPU__CRITICAL: expected at least health.thresholds.cpu.warning (65), found 60",
        ),
        (
            "MEMORY_SWAP__WARNING",
            "0.5",
            "TINGKAT__HEALTH__THRESHOLDS__MEMORY_SWAP__WARNING: expected at least health.thresholds.memory_swap.critical (0.9), found 0.5",
        ),
    ] {
        let case = Case::variable(&format!("TINGKAT__HEALTH__THRESHOLDS__{path}"), value);
        let told: Vec<String> = case
            .load()
            .problems
            .into_iter()
            .map(|it| it.message)
            .collect();
        assert_eq!(told, [expected]);
    }
}

/// `serve/reload.rs` has one way for each of these.
#[test]
fn besides_policies_tokens_certificates_rate_limits_and_what_is_logged_change_under_way() {
    let is_of_health = |key: &Key| Health::is_about(&key.path);
    let others = keys::all()
        .iter()
        .filter(|key| key.reloads && !key.path.starts_with("entity.") && !is_of_health(key))
        .map(|key| key.path.as_str());
    let concerned = [
        "server.tokens",
        "server.tls.certificate",
        "server.tls.key",
        "log.level",
    ];
    let (edge, others): (Vec<&str>, Vec<&str>) = others.partition(|path| concerns_the_edge(path));
    assert_eq!(others, concerned);
    assert_eq!(edge.len(), 7, "{edge:?}");
}

/// A file under the same name, in which something else stands.
#[test]
fn what_is_in_a_file_that_is_named_differs_as_a_value_does() {
    let authority = |name: &str| {
        let certificates = tingkat_testkit::Certificates::generate().unwrap();
        let text = std::fs::read_to_string(certificates.authority()).unwrap();
        Case::variable("REDIS_URL", "rediss://cache")
            .and("TINGKAT__REDIS__TLS__CA", "/tls/ca.pem")
            .and(
                "DATABASE_URL",
                "postgres://shop@db/shop?sslmode=verify-full&sslrootcert=/tls/db.pem",
            )
            .and_file("/tls/ca.pem", &text)
            .and_file("/tls/db.pem", &text)
            .and_file(name, &text)
    };
    let differences = |one: &Case, two: &Case| -> Vec<String> {
        let (one, two) = (one.load(), two.load());
        assert!(one.problems.is_empty(), "{:?}", one.problems);
        let (one, two) = (Contents::of(&one.settings), Contents::of(&two.settings));
        one.differences(&two).map(str::to_owned).collect()
    };
    let (one, two) = (authority("/other"), authority("/other"));
    assert_eq!(differences(&one, &one.clone()), [""; 0]);
    assert_eq!(differences(&one, &two), ["redis.tls.ca", "source.url"]);
}
