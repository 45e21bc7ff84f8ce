//! What is said to change without a restart, and whether anybody takes it in.

use super::Case;
use crate::config::kind::Kind;
use crate::config::policies::Policies;
use crate::config::{concerns_the_edge, keys};

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
        .filter(|key| key.reloads && key.path.starts_with("entity."));
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

/// `serve/reload.rs` has one way for each of these.
#[test]
fn besides_policies_tokens_rate_limits_and_what_is_logged_change_under_way() {
    let others = keys::all()
        .iter()
        .filter(|key| key.reloads && !key.path.starts_with("entity."))
        .map(|key| key.path.as_str());
    let concerned = ["server.tokens", "log.level"];
    let (edge, others): (Vec<&str>, Vec<&str>) = others.partition(|path| concerns_the_edge(path));
    assert_eq!(others, concerned);
    assert_eq!(edge.len(), 7, "{edge:?}");
}
