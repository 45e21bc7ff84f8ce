//! Rules of the house that no compiler checks. Each is a function from what it looks at to
//! findings, and a test of xtask besides, so that `cargo nextest run` finds them too.

mod escapes;
mod finding;
mod graph;
mod house;
mod links;
mod manifests;
mod modules;
mod sizes;
mod tree;

use crate::root::root;
use anyhow::{Result, bail};
use finding::Finding;
use graph::Graph;
use tree::Tree;

/// The checks that look at files.
const FILE_CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    manifests::check,
    sizes::check,
    modules::check,
    escapes::check,
    links::check,
];

/// Runs every check, shows what was found, and fails if anything must change.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::read(root())?;
    let mut findings = house::check(&Graph::of_workspace(root())?);
    findings.extend(FILE_CHECKS.iter().flat_map(|check| check(&tree)));
    for finding in &findings {
        println!("{finding}");
    }
    let violations = findings.iter().filter(|found| found.is_violation()).count();
    println!(
        "tidy: {} files, violations: {violations}, notes: {}",
        tree.files().len(),
        findings.len() - violations
    );
    if violations > 0 {
        bail!("house rules are broken");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_tidy(findings: &[Finding]) {
        let violations: Vec<_> = findings
            .iter()
            .filter(|found| found.is_violation())
            .map(ToString::to_string)
            .collect();
        assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    }

    #[test]
    fn the_crates_of_this_workspace_see_only_what_they_may() {
        assert_tidy(&house::check(&Graph::of_workspace(root()).unwrap()));
    }

    #[test]
    fn the_files_of_this_repository_keep_every_rule() {
        let tree = Tree::read(root()).unwrap();
        for check in FILE_CHECKS {
            assert_tidy(&check(&tree));
        }
    }
}
