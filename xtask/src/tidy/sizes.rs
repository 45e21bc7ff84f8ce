//! A file is one noun. One that grows long usually hides a second.

use super::finding::Finding;
use super::tree::Tree;

/// Lines after which a file is worth a look.
const LONG: usize = 400;

/// Lines after which a file needs a reason in [`REASONS`].
const TOO_LONG: usize = 600;

/// Files that are long for a reason: the path, and the reason.
const REASONS: &[(&str, &str)] = &[];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    check_against(tree, REASONS)
}

fn check_against(tree: &Tree, reasons: &[(&str, &str)]) -> Vec<Finding> {
    let reason_for = |path: &str| reasons.iter().find(|(long, _)| *long == path);
    let mut findings: Vec<_> = tree
        .sources()
        .map(|(path, text)| (path, text.lines().count()))
        .filter_map(|(path, lines)| match reason_for(path) {
            Some(_) if lines > TOO_LONG => None,
            Some(_) => Some(Finding::violation(
                path,
                format!("{lines} lines, which needs no reason"),
                "remove its row from `REASONS` in xtask/src/tidy/sizes.rs",
            )),
            None if lines > TOO_LONG => Some(Finding::violation(
                path,
                format!("{lines} lines, and {TOO_LONG} are allowed"),
                "give the second noun a file of its own, or add a row with the reason to \
                 `REASONS` in xtask/src/tidy/sizes.rs",
            )),
            None if lines > LONG => Some(Finding::note(
                path,
                format!("{lines} lines"),
                "look for the noun or the step that wants its own place",
            )),
            None => None,
        })
        .collect();
    findings.extend(
        reasons
            .iter()
            .filter(|(path, _)| !tree.has(path))
            .map(|(path, _)| {
                Finding::violation(
                    *path,
                    "there is no such file",
                    "remove its row from `REASONS` in xtask/src/tidy/sizes.rs",
                )
            }),
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/one/src/one.rs";

    fn found(lines: usize, reasons: &[(&str, &str)]) -> Vec<(bool, String)> {
        let text = "//\n".repeat(lines);
        check_against(&Tree::of(&[(PATH, &text)]), reasons)
            .iter()
            .map(|finding| (finding.is_violation(), finding.to_string()))
            .collect()
    }

    #[test]
    fn a_file_is_noted_when_long_and_refused_when_too_long() {
        assert!(found(400, &[]).is_empty());
        let noted = found(401, &[]);
        assert!(matches!(noted.as_slice(), [(false, text)] if text.contains("401 lines")));
        let refused = found(601, &[]);
        assert!(matches!(refused.as_slice(), [(true, text)] if text.contains("601 lines")));
    }

    #[test]
    fn a_reason_is_accepted_only_while_it_is_needed() {
        let reasons = [(PATH, "one table")];
        assert!(found(601, &reasons).is_empty());
        let short = found(600, &reasons);
        assert!(matches!(short.as_slice(), [(true, text)] if text.contains("needs no reason")));
        let gone = found(10, &[("crates/one/src/gone.rs", "one table")]);
        assert!(matches!(gone.as_slice(), [(true, text)] if text.contains("no such file")));
    }
}
