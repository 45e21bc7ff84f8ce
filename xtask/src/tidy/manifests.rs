//! Every crate takes the lints of the workspace. One that forgets to is not linted at all, and
//! nothing else would say so.

use super::finding::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files()
        .filter(|(path, _)| {
            let parts: Vec<_> = path.split('/').collect();
            matches!(
                parts.as_slice(),
                ["crates", _, "Cargo.toml"] | ["xtask", "Cargo.toml"]
            )
        })
        .filter(|(_, text)| !takes_workspace_lints(text))
        .map(|(path, _)| {
            Finding::violation(
                path,
                "the lints of the workspace do not apply to this crate",
                "add `[lints]` with `workspace = true`",
            )
        })
        .collect()
}

fn takes_workspace_lints(manifest: &str) -> bool {
    manifest
        .parse::<toml::Table>()
        .ok()
        .and_then(|manifest| manifest.get("lints")?.get("workspace")?.as_bool())
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_the_lints_is_found() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]"),
            ("crates/good/Cargo.toml", "[lints]\nworkspace = true"),
            ("crates/off/Cargo.toml", "[lints]\nworkspace = false"),
            ("xtask/Cargo.toml", "# [lints]\n# workspace = true"),
        ]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(
            found
                .iter()
                .any(|finding| finding.starts_with("crates/off/Cargo.toml: "))
        );
        assert!(
            found
                .iter()
                .any(|finding| finding.starts_with("xtask/Cargo.toml: "))
        );
    }
}
