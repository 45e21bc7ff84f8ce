//! Nothing here may lead out of the repository: a path on the machine of whoever wrote it means
//! nothing to anybody else.

use super::finding::Finding;
use super::tree::Tree;

/// Paths that some of us work in, in two pieces each, so that this file does not mention them.
const ESCAPES: &[&str] = &[concat!("../", "shared"), concat!("/", "work/")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files()
        .flat_map(|(path, text)| {
            text.lines().enumerate().flat_map(move |(index, line)| {
                ESCAPES
                    .iter()
                    .filter(|escape| mentions(line, escape))
                    .map(move |escape| {
                        Finding::violation(
                            format!("{path}:{}", index + 1),
                            format!("`{escape}` is not in the repository"),
                            "bring what is meant into the repository, or say it in words",
                        )
                    })
            })
        })
        .collect()
}

/// Whether the line has the path, and not as the tail of a longer name such as `net/…`.
fn mentions(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(start, _)| {
        !line
            .get(..start)
            .and_then(|before| before.chars().next_back())
            .is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | '-' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_repository_is_found_with_its_line() {
        for escape in ESCAPES {
            let text = format!("first\nsee `{escape}/PLAN.md`\n");
            let found = check(&Tree::of(&[("docs/page.md", &text)]));
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found.len(), 1, "{found:#?}");
            assert!(found.concat().starts_with("docs/page.md:2: "), "{found:#?}");
        }
    }

    #[test]
    fn a_longer_path_of_the_same_ending_is_not_meant() {
        let text = format!("a{} is a path of our own", concat!("/", "work/"));
        assert!(check(&Tree::of(&[("docs/page.md", &text)])).is_empty());
    }
}
