//! Entities that the operator names.

use std::fs;

use super::Case;
use crate::config::Loaded;

const RATES: &str = "[entity.shipping_rate]\nload = \"rate.sql\"\ntables = [\"shipping_rate\"]\n";

/// A right configuration of the rest, with this in its file, and these files of queries.
fn case(text: &str, files: &[(&str, &str)]) -> (Case, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let case = Case::file(text)
        .and("DATABASE_URL", "postgres://shop@127.0.0.1/shop")
        .and("TINGKAT__SOURCE__QUERIES", folder.path().to_str().unwrap());
    (case, folder)
}

fn right(text: &str) -> (Case, tempfile::TempDir) {
    let load = "SELECT key, value, deps FROM rate WHERE key = ANY ($1::text[])";
    case(
        text,
        &[
            ("rate.sql", load),
            ("changes_shipping_rate.sql", "SELECT 1 FROM rows"),
        ],
    )
}

fn messages(loaded: &Loaded) -> Vec<String> {
    let problems = loaded.problems.iter();
    problems.map(|problem| problem.message.clone()).collect()
}

#[test]
fn a_section_with_load_is_an_entity_with_policies_of_its_own() {
    let text = format!("{RATES}fresh_for = \"2h\"\n");
    let (case, _folder) = right(&text);
    let loaded = case
        .and("TINGKAT__ENTITY__SHIPPING_RATE__MAX_LOADS", "3")
        .load();
    assert_eq!(messages(&loaded), [""; 0]);
    let settings = &loaded.settings;
    assert_eq!(settings.text("entity.shipping_rate.load"), Some("rate.sql"));
    assert_eq!(
        settings.list("entity.shipping_rate.tables"),
        ["shipping_rate"]
    );
    let policies = crate::config::Policies::of(settings);
    let policy = policies.policy("shipping_rate").unwrap();
    assert_eq!((policy.max_loads, policy.memory_bytes), (3, 8 << 20));
    assert_eq!(policy.fresh_for.as_secs(), 7_200);
    assert!(
        settings
            .keys()
            .any(|key| key.path == "entity.shipping_rate.mode")
    );
    // Another configuration has no such entity, and says so.
    let other = Case::default().load();
    assert!(other.settings.own().is_empty());
    let differs = other.settings.differences(settings);
    assert!(
        differs
            .iter()
            .any(|key| key.path == "entity.shipping_rate.load" && !key.reloads)
    );
    let told = Case::variable("TINGKAT__ENTITY__SHIPPING_RATE__MAX_LOADS", "3").load();
    assert_eq!(
        messages(&told),
        ["TINGKAT__ENTITY__SHIPPING_RATE__MAX_LOADS: there is no such key"]
    );
}

#[test]
fn without_load_a_section_of_another_name_is_a_mistake() {
    let loaded = Case::file("[entity.products]\nfresh_for = \"1h\"").load();
    assert_eq!(
        messages(&loaded),
        ["entity.products.fresh_for: there is no such key"]
    );
    let loaded = Case::file("[entity.product]\nload = \"x.sql\"").load();
    assert_eq!(
        messages(&loaded),
        ["entity.product.load: there is no such key"]
    );
    assert!(loaded.settings.own().is_empty());
}

#[test]
fn what_is_wrong_with_an_entity_of_the_operator_is_told() {
    for (text, expected) in [
        (
            "[entity.Rate]\nload = \"rate.sql\"\nfresh_for = \"1h\"",
            "entity: expected a name of at most 32 small letters, digits or single `_`, such as \
             shipping_rate; found \"Rate\"",
        ),
        (
            "[entity.rate]\nload = \"../rate.sql\"",
            "entity.rate.load: expected the name of a file such as shipping_rate_load.sql; found \
             \"../rate.sql\"",
        ),
        (
            "[entity.rate]\nload = \"rate.sql\"\ntables = [\"a-b\"]",
            "entity.rate.tables: expected a list of tables such as shipping_rate; found \"a-b\"",
        ),
        (
            "[entity.rate]\nload = \"rate.sql\"\nmax_lods = 2",
            "entity.rate.max_lods: there is no such key",
        ),
        (
            "[entity.rate]\nload = \"rate.sql\"\nprivacy = \"hide\"",
            "entity.rate.privacy: expected refuse or strip; found \"hide\"",
        ),
        (
            "[entity.rate]\nload = \"rate.sql\"\nmax_loads = 20",
            "source.max_connections: expected at least 64, the max_loads of all entities together; \
             found 48",
        ),
        (
            "[entity.rate]\nload = \"rate.sql\"\nmemory_bytes = \"64KiB\"",
            "entity.rate.max_value_bytes: expected at most entity.rate.memory_bytes (64KiB), found 1MiB",
        ),
    ] {
        let (case, _folder) = right(text);
        // A file that no section names any more is told as well.
        let told = messages(&case.load());
        assert!(told[0].contains(expected), "{text}: {told:?}");
        let is_of_file = |it: &&String| it.ends_with("there is no such statement");
        assert_eq!(
            told.iter().filter(|it| !is_of_file(it)).count(),
            1,
            "{told:?}"
        );
    }
}

#[test]
fn the_file_of_an_entity_is_in_the_directory_of_queries() {
    let case = Case::file(RATES).and("DATABASE_URL", "postgres://shop@127.0.0.1/shop");
    let told = messages(&case.load());
    assert_eq!(
        told,
        ["entity.shipping_rate.load: the file is looked for in source.queries, which is not set"]
    );
    let (case, _folder) = super::own::case(RATES, &[("rate.sql", "SELECT $1")]);
    let told = messages(&case.load());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].ends_with(
            "/changes_shipping_rate.sql: there is no such file, and entity.shipping_rate.tables \
             names the table: nothing says what its changed rows write"
        ),
        "{told:?}"
    );
}
