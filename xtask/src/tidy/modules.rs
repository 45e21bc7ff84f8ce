//! A module is named after what is in it, and opens by saying what it is for.

use super::finding::Finding;
use super::tree::Tree;

/// Names under which anything could be kept.
const NAMELESS: &[&str] = &[
    "common", "helper", "helpers", "manager", "managers", "service", "services", "types", "util",
    "utils",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let ours = |path: &str| path.starts_with("crates/") || path.starts_with("xtask/");
    let names = tree
        .files_with("rs")
        .filter(|(path, _)| ours(path))
        .flat_map(|(path, text)| check_path(path).into_iter().chain(check_inline(path, text)));
    let openings = tree
        .sources()
        .filter(|(_, text)| !opens_with_doc(text))
        .map(|(path, _)| {
            Finding::violation(
                format!("{path}:1"),
                "the file does not open with a `//!` comment",
                "say in one to five lines what it is for and what it refuses to do",
            )
        });
    names.chain(openings).collect()
}

fn check_path(path: &str) -> Option<Finding> {
    if path == "mod.rs" || path.ends_with("/mod.rs") {
        return Some(Finding::violation(
            path,
            "a module is called after its noun, not `mod.rs`",
            "move `noun/mod.rs` to `noun.rs` beside the directory; helpers of tests go into one \
             test binary, `tests/<name>/main.rs`",
        ));
    }
    path.trim_end_matches(".rs")
        .split('/')
        .find_map(|part| nameless(path, part))
}

/// Modules inside of a file, by their opening line.
fn check_inline(path: &str, text: &str) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let line = line.trim_start();
            let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
            let line = line.strip_prefix("pub(super) ").unwrap_or(line);
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let name = line.strip_prefix("mod ")?.strip_suffix('{')?.trim_end();
            nameless(&format!("{path}:{}", index + 1), name)
        })
        .collect()
}

fn nameless(place: &str, name: &str) -> Option<Finding> {
    NAMELESS.contains(&name).then(|| {
        Finding::violation(
            place,
            format!("`{name}` says nothing about what is in it"),
            "name the module after its noun; a collection is its plural",
        )
    })
}

fn opens_with_doc(text: &str) -> bool {
    let Some(first) = text.lines().find(|line| !line.trim().is_empty()) else {
        return false;
    };
    first.starts_with("#![doc = include_str!")
        || first
            .strip_prefix("//!")
            .is_some_and(|rest| !rest.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_module_named_after_its_noun_passes() {
        assert!(found("crates/one/src/price.rs", "//! Prices.\nmod tests {\n").is_empty());
        assert!(found("crates/one/src/service_level.rs", "\n//! A level.\n").is_empty());
        assert!(found("crates/one/tests/it/main.rs", "mod outage;\n").is_empty());
    }

    #[test]
    fn a_name_that_says_nothing_is_found_as_file_directory_and_inline_module() {
        for (path, text) in [
            ("crates/one/src/utils.rs", "//! Things.\n"),
            ("crates/one/src/common/price.rs", "//! Things.\n"),
            ("crates/one/tests/helpers.rs", ""),
            (
                "xtask/src/main.rs",
                "//! Chores.\n  pub(crate) mod types {\n",
            ),
        ] {
            let found = found(path, text);
            assert_eq!(found.len(), 1, "{path}: {found:#?}");
            assert!(found.concat().contains("says nothing"), "{found:#?}");
        }
    }

    #[test]
    fn mod_rs_is_found_in_sources_and_in_tests() {
        assert_eq!(
            found("crates/one/src/price/mod.rs", "//! Prices.\n").len(),
            1
        );
        assert_eq!(found("crates/one/tests/outage/mod.rs", "").len(), 1);
    }

    #[test]
    fn a_source_file_without_an_opening_comment_is_found() {
        for text in [
            "",
            "use std::fmt;\n",
            "//!\nuse std::fmt;\n",
            "// Prices.\n",
        ] {
            let found = found("crates/one/src/price.rs", text);
            assert_eq!(found.len(), 1, "{text:?}");
            assert!(found.concat().starts_with("crates/one/src/price.rs:1: "));
        }
        assert!(found("crates/one/tests/outage.rs", "use std::fmt;\n").is_empty());
    }
}
