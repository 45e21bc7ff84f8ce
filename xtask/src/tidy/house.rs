//! Who may see whom. A crate exists because it must not be able to see something, and this table
//! is where that is written down.

use super::finding::Finding;
use super::graph::Graph;

/// What one crate of the workspace may use, beyond tests.
struct Rule {
    name: &'static str,
    /// Crates of the workspace that it may use directly.
    may_use: MayUse,
    /// Packages that it may not reach by any path.
    may_not_reach: &'static [&'static str],
    /// The only packages from elsewhere that it may use, where that is limited.
    only_from_elsewhere: Option<&'static [&'static str]>,
}

enum MayUse {
    Only(&'static [&'static str]),
    AnyBut(&'static [&'static str]),
}

const RULES: &[Rule] = &[
    Rule {
        name: "tingkat",
        may_use: MayUse::Only(&[]),
        may_not_reach: &["redis", "sqlx", "axum", "hyper"],
        only_from_elsewhere: None,
    },
    Rule {
        name: "tingkat-shop",
        may_use: MayUse::Only(&["tingkat"]),
        may_not_reach: &["redis", "sqlx", "axum", "hyper"],
        only_from_elsewhere: None,
    },
    Rule {
        name: "tingkat-redis",
        may_use: MayUse::Only(&["tingkat", "tingkat-health"]),
        may_not_reach: &["sqlx", "axum", "hyper", "tingkat-shop"],
        only_from_elsewhere: None,
    },
    Rule {
        name: "tingkat-sql",
        may_use: MayUse::Only(&["tingkat", "tingkat-shop"]),
        may_not_reach: &["redis", "axum", "hyper"],
        only_from_elsewhere: None,
    },
    Rule {
        name: "tingkat-http",
        may_use: MayUse::Only(&["tingkat", "tingkat-shop", "tingkat-health"]),
        may_not_reach: &["redis", "sqlx"],
        only_from_elsewhere: None,
    },
    Rule {
        name: "tingkat-health",
        may_use: MayUse::Only(&[]),
        may_not_reach: &["redis", "sqlx", "axum", "hyper"],
        only_from_elsewhere: None,
    },
    Rule {
        name: "tingkat-faults",
        may_use: MayUse::Only(&[]),
        may_not_reach: &[],
        only_from_elsewhere: Some(&["tokio"]),
    },
    // It judges from outside: an HTTP client is its only way in.
    Rule {
        name: "tingkat-lab",
        may_use: MayUse::Only(&["tingkat", "tingkat-faults"]),
        may_not_reach: &["redis", "sqlx", "axum", "tingkat-server"],
        only_from_elsewhere: None,
    },
    Rule {
        name: "tingkat-server",
        may_use: MayUse::AnyBut(&[TEST_KIT]),
        may_not_reach: &[],
        only_from_elsewhere: None,
    },
    Rule {
        name: TEST_KIT,
        may_use: MayUse::Only(&["tingkat", "tingkat-faults"]),
        may_not_reach: &["redis", "sqlx", "axum"],
        only_from_elsewhere: None,
    },
    Rule {
        name: "xtask",
        may_use: MayUse::Only(&[]),
        may_not_reach: &["redis", "sqlx", "axum"],
        only_from_elsewhere: None,
    },
];

/// Where the rules are, for whoever breaks one.
const HERE: &str = "xtask/src/tidy/house.rs";

/// The crate that is for tests only.
const TEST_KIT: &str = "tingkat-testkit";

/// A client and the one crate of the workspace that may use it, in tests as well.
const DOORS: &[(&str, &str)] = &[
    ("redis", "tingkat-redis"),
    ("sqlx", "tingkat-sql"),
    ("axum", "tingkat-http"),
];

pub(super) fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings: Vec<_> = graph
        .members()
        .flat_map(|name| match RULES.iter().find(|rule| rule.name == name) {
            Some(rule) => check_rule(graph, rule),
            None => vec![Finding::violation(
                name,
                "this crate has no row in the table of who may see whom",
                format!("add a `Rule` for it to `RULES` in {HERE}"),
            )],
        })
        .collect();
    findings.extend(DOORS.iter().flat_map(|door| check_door(graph, door)));
    findings
}

fn check_rule(graph: &Graph, rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    for used in graph.uses(rule.name) {
        let is_member = graph.is_member(used);
        let is_allowed = match (&rule.may_use, rule.only_from_elsewhere) {
            (MayUse::Only(allowed), _) if is_member => allowed.contains(&used),
            (MayUse::AnyBut(denied), _) if is_member => !denied.contains(&used),
            (_, Some(allowed)) => allowed.contains(&used),
            (_, None) => true,
        };
        if !is_allowed {
            findings.push(Finding::violation(
                format!("{} → {used}", rule.name),
                format!("{} may not use {used}", rule.name),
                remedy(used),
            ));
        }
    }
    for forbidden in rule.may_not_reach {
        if let Some(path) = graph.path(rule.name, forbidden, |_| true) {
            findings.push(Finding::violation(
                path.join(" → "),
                format!("{} may not reach {forbidden} by any path", rule.name),
                remedy(forbidden),
            ));
        }
    }
    findings
}

fn check_door(graph: &Graph, (client, door): &(&str, &str)) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in graph.members().filter(|member| member != door) {
        // Other members answer for themselves.
        let path = graph
            .path(member, client, |name| !graph.is_member(name))
            .or_else(|| {
                graph
                    .tests_with(member)
                    .any(|used| used == *client)
                    .then(|| vec![member.to_owned(), (*client).to_owned()])
            });
        if let Some(path) = path {
            findings.push(Finding::violation(
                path.join(" → "),
                format!("only {door} may use {client}"),
                remedy(client),
            ));
        }
    }
    findings
}

/// What to do instead of using this package.
fn remedy(used: &str) -> String {
    if used == TEST_KIT {
        return format!("move {TEST_KIT} to [dev-dependencies]: it is for tests only");
    }
    match DOORS.iter().find(|(client, _)| *client == used) {
        Some((_, door)) => format!(
            "remove the dependency: write a port where it is needed, implement it in {door}, and \
             let tingkat-server put the two together"
        ),
        None => format!(
            "remove the dependency, or, if the design has changed, change `RULES` in {HERE} and \
             say why in an ADR"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(graph: &Graph) -> Vec<String> {
        check(graph).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_workspace_that_keeps_the_rules_is_silent() {
        let graph = Graph::of(
            &["tingkat", "tingkat-shop", "tingkat-sql", "tingkat-server"],
            &[
                ("tingkat", "tokio"),
                ("tingkat-shop", "tingkat"),
                ("tingkat-sql", "tingkat-shop"),
                ("tingkat-sql", "sqlx"),
                ("tingkat-server", "tingkat-sql"),
            ],
        );
        assert_eq!(found(&graph), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_edge_is_named_with_its_remedy() {
        let graph = Graph::of(
            &["tingkat-redis", "tingkat-shop"],
            &[("tingkat-redis", "tingkat-shop")],
        );
        let found = found(&graph);
        assert!(
            found.contains(
                &"tingkat-redis → tingkat-shop: tingkat-redis may not use tingkat-shop\n    \
                  remove the dependency, or, if the design has changed, change `RULES` in \
                  xtask/src/tidy/house.rs and say why in an ADR"
                    .to_owned()
            ),
            "{found:#?}"
        );
    }

    #[test]
    fn a_client_behind_another_package_is_found_by_its_path() {
        let graph = Graph::of(
            &["tingkat-shop", "tingkat"],
            &[
                ("tingkat-shop", "tingkat"),
                ("tingkat", "handy"),
                ("handy", "sqlx"),
            ],
        );
        let found = found(&graph);
        let has = |start: &str| found.iter().any(|finding| finding.starts_with(start));
        assert!(
            has("tingkat-shop → tingkat → handy → sqlx: tingkat-shop may not reach sqlx"),
            "{found:#?}"
        );
        assert!(has("tingkat → handy → sqlx: only tingkat-sql may use sqlx"));
        assert!(
            found
                .iter()
                .all(|finding| finding.contains("implement it in tingkat-sql"))
        );
    }

    #[test]
    fn a_client_in_the_wrong_tests_is_found() {
        let graph = Graph::of(&["tingkat-server"], &[]).with_test_edge("tingkat-server", "redis");
        let found = found(&graph);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found
                .concat()
                .starts_with("tingkat-server → redis: only tingkat-redis may use")
        );
    }

    #[test]
    fn the_test_kit_is_for_tests_only() {
        let members = ["tingkat-server", "tingkat-testkit"];
        let edge = ("tingkat-server", "tingkat-testkit");
        let in_tests = Graph::of(&members, &[]).with_test_edge(edge.0, edge.1);
        assert_eq!(found(&in_tests), Vec::<String>::new());
        let found = found(&Graph::of(&members, &[edge]));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found
                .concat()
                .contains("move tingkat-testkit to [dev-dependencies]")
        );
    }

    #[test]
    fn the_fault_proxy_uses_tokio_and_nothing_else() {
        let members = ["tingkat-faults"];
        let tokio = ("tingkat-faults", "tokio");
        assert_eq!(found(&Graph::of(&members, &[tokio])), Vec::<String>::new());
        let bytes = ("tingkat-faults", "bytes");
        let found = found(&Graph::of(&members, &[tokio, bytes]));
        assert!(
            found.concat().starts_with("tingkat-faults → bytes: "),
            "{found:#?}"
        );
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_told_where_to_add_itself() {
        let found = found(&Graph::of(&["tingkat-new"], &[]));
        assert_eq!(
            found,
            [
                "tingkat-new: this crate has no row in the table of who may see whom\n    \
              add a `Rule` for it to `RULES` in xtask/src/tidy/house.rs"
            ]
        );
    }
}
