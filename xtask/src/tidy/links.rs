//! Links between pages of the repository lead somewhere. Addresses on the web are not asked.

use super::finding::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files_with("md")
        .flat_map(|(path, text)| {
            targets(text).filter_map(move |(line, target)| {
                let problem = match resolve(path, target) {
                    Some(file) if tree.has(&file) => return None,
                    Some(file) => format!("`{target}` leads to {file}, which is not there"),
                    None => format!("`{target}` leads out of the repository"),
                };
                Some(Finding::violation(
                    format!("{path}:{line}"),
                    problem,
                    "correct the link, or write what it was meant to show",
                ))
            })
        })
        .collect()
}

/// The targets of links to files, with their lines, outside of code.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines()
        .enumerate()
        .filter(move |(_, line)| {
            let is_fence = line.trim_start().starts_with("```");
            in_code ^= is_fence;
            !in_code && !is_fence
        })
        .flat_map(|(index, line)| {
            inline_targets(line)
                .chain(definition_target(line))
                .filter(|target| is_file(target))
                .map(move |target| (index + 1, target))
        })
}

/// `[text](target "title")`, as often as the line has it.
fn inline_targets(line: &str) -> impl Iterator<Item = &str> {
    // Every second piece between backticks is code.
    let mut is_code = true;
    line.split('`')
        .filter(move |_| {
            is_code = !is_code;
            !is_code
        })
        // A link whose text is code begins in one piece and ends in the next.
        .flat_map(|prose| prose.split("](").skip(1))
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(|target| target.trim_matches(['<', '>']))
}

/// `[label]: target`.
fn definition_target(line: &str) -> Option<&str> {
    let (label, target) = line.trim_start().strip_prefix('[')?.split_once("]: ")?;
    (!label.contains(']')).then(|| target.split_whitespace().next())?
}

fn is_file(target: &str) -> bool {
    !target.is_empty()
        && !target.starts_with('#')
        && !target.starts_with("mailto:")
        && !target.contains("://")
}

/// The path from the root that a link on this page leads to, unless it leaves the repository.
fn resolve(page: &str, target: &str) -> Option<String> {
    let target = target.split(['#', '?']).next().unwrap_or_default();
    let mut parts: Vec<&str> = if target.starts_with('/') {
        Vec::new()
    } else {
        page.rsplit_once('/')
            .map_or_else(Vec::new, |(directory, _)| directory.split('/').collect())
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(page, text), ("README.md", ""), ("docs/adr/0001-a.md", "")]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        for text in [
            "[a](../README.md) and [b](adr/0001-a.md#why \"title\")",
            "[`code`](adr/), [c](<adr/0001-a.md>), [d](/docs/adr), [e](.)",
            "[web](https://example.org/x.md) [here](#part) [us](mailto:a@example.org)",
            "[label]: ../README.md",
            "```\n[x](nowhere.md)\n```\nand `[x](nowhere.md)`",
        ] {
            assert_eq!(found("docs/page.md", text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_link_to_nowhere_is_found_with_its_line() {
        for text in [
            "\n[a](README.md)",
            "\n[ok](../README.md), [`a`](README.md)",
            "\n[label]: README.md",
        ] {
            let found = found("docs/page.md", text);
            assert_eq!(found.len(), 1, "{text}: {found:#?}");
            assert!(
                found.concat().starts_with(
                    "docs/page.md:2: `README.md` leads to docs/README.md, which is not there"
                ),
                "{found:#?}"
            );
        }
    }

    #[test]
    fn a_link_out_of_the_repository_is_found() {
        let found = found("docs/page.md", "[a](../../elsewhere/PLAN.md)");
        assert!(
            found.concat().contains("leads out of the repository"),
            "{found:#?}"
        );
    }
}
