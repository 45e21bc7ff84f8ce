//! Which package uses which, as cargo resolves it with every feature for every platform.

use anyhow::{Context as _, Result};
use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::Path;

/// Packages by name; versions of one package are one node.
#[derive(Default)]
pub(super) struct Graph {
    members: BTreeSet<String>,
    /// Who needs what to be built.
    uses: BTreeMap<String, BTreeSet<String>>,
    /// Who needs what only for tests, examples and benches.
    tests_with: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    pub(super) fn of_workspace(root: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .features(CargoOpt::AllFeatures)
            .exec()
            .context("failed to read the dependency graph")?;
        let names: HashMap<&PackageId, &str> = metadata
            .packages
            .iter()
            .map(|package| (&package.id, package.name.as_str()))
            .collect();
        let name_of = |id: &PackageId| names.get(id).copied().unwrap_or(&id.repr).to_owned();
        let mut graph = Self {
            members: metadata.workspace_members.iter().map(name_of).collect(),
            ..Self::default()
        };
        let resolve = metadata
            .resolve
            .as_ref()
            .context("cargo metadata has no dependency graph")?;
        for node in &resolve.nodes {
            for dependency in &node.deps {
                let (from, to) = (name_of(&node.id), name_of(&dependency.pkg));
                for kind in &dependency.dep_kinds {
                    graph.add(&from, &to, kind.kind == DependencyKind::Development);
                }
            }
        }
        Ok(graph)
    }

    fn add(&mut self, from: &str, to: &str, only_tests: bool) {
        let edges = if only_tests {
            &mut self.tests_with
        } else {
            &mut self.uses
        };
        edges
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
    }

    /// The crates of the workspace.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    pub(super) fn is_member(&self, name: &str) -> bool {
        self.members.contains(name)
    }

    /// What a package needs to be built.
    pub(super) fn uses(&self, name: &str) -> impl Iterator<Item = &str> {
        targets(&self.uses, name)
    }

    /// What a package needs only for its tests.
    pub(super) fn tests_with(&self, name: &str) -> impl Iterator<Item = &str> {
        targets(&self.tests_with, name)
    }

    /// The shortest path of normal dependencies, both ends included. It goes only through packages
    /// that satisfy `through`.
    pub(super) fn path(
        &self,
        from: &str,
        to: &str,
        through: impl Fn(&str) -> bool,
    ) -> Option<Vec<String>> {
        let mut queue = VecDeque::from([vec![from.to_owned()]]);
        let mut seen = BTreeSet::from([from.to_owned()]);
        while let Some(path) = queue.pop_front() {
            for next in path.last().into_iter().flat_map(|last| self.uses(last)) {
                let longer = || path.iter().cloned().chain([next.to_owned()]).collect();
                if next == to {
                    return Some(longer());
                }
                if through(next) && seen.insert(next.to_owned()) {
                    queue.push_back(longer());
                }
            }
        }
        None
    }
}

fn targets<'a>(
    edges: &'a BTreeMap<String, BTreeSet<String>>,
    name: &str,
) -> impl Iterator<Item = &'a str> {
    edges.get(name).into_iter().flatten().map(String::as_str)
}

#[cfg(test)]
impl Graph {
    /// A made-up workspace of members and normal edges.
    pub(super) fn of(members: &[&str], edges: &[(&str, &str)]) -> Self {
        let mut graph = Self {
            members: members.iter().map(|&name| name.to_owned()).collect(),
            ..Self::default()
        };
        for (from, to) in edges {
            graph.add(from, to, false);
        }
        graph
    }

    /// The same with an edge that only tests need.
    pub(super) fn with_test_edge(mut self, from: &str, to: &str) -> Self {
        self.add(from, to, true);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::root;

    #[test]
    fn this_workspace_is_a_graph_with_edges_of_both_kinds() {
        let graph = Graph::of_workspace(root()).unwrap();
        assert!(graph.is_member("xtask"));
        assert!(graph.uses("xtask").any(|name| name == "cargo_metadata"));
        assert!(graph.tests_with("xtask").any(|name| name == "tempfile"));
        assert!(!graph.uses("xtask").any(|name| name == "tempfile"));
        assert!(graph.path("xtask", "serde", |_| true).is_some());
    }

    #[test]
    fn the_shortest_path_is_found_and_closed_doors_are_respected() {
        let graph = Graph::of(&["a"], &[("a", "b"), ("b", "c"), ("c", "d"), ("a", "c")]);
        let path = |through: fn(&str) -> bool| graph.path("a", "d", through);
        assert_eq!(path(|_| true).unwrap(), ["a", "c", "d"]);
        assert_eq!(path(|name| name != "c"), None);
    }
}
