//! docs/benchmarks.md, made of what the benchmarks wrote down.

use super::Ran;
use super::figures::{Limit, Line};
use super::programs::LEFT_OUT;
use std::fmt::Write as _;

const HEAD: &str = "\
# Measured

What `cargo xtask bench` wrote, on the machine below, in one run. Figures of another machine are
others; ratios of one run can be compared, because what is compared takes turns. How
`tingkat bench` measures, and how to read it, is in [bench.md](bench.md).
";

const QUICK: &str = "
**A quick run, which only shows that everything runs: its figures mean nothing.**
";

/// What has a target and no figure here, and what shows it instead.
const ELSEWHERE: [(&str, &str); 5] = [
    (
        "a storm of 10,000 misses of one key is one load",
        "a test, `cargo xtask test`",
    ),
    (
        "1,000 distinct cold keys are at most 20 statements",
        "a test, `cargo xtask test`",
    ),
    (
        "with Redis a black hole, a request pays no more than the budget, and nothing once the \
         breaker is open",
        "tests, `cargo xtask test`; `tingkat bench redis-outage` shows the course",
    ),
    (
        "memory stays flat under an endless stream of distinct keys",
        "a test, `cargo xtask test`",
    ),
    (
        "`tingkat bench` with the workloads that are not above",
        "`tingkat bench --list` names them",
    ),
];

/// The whole page, of which the sections with these titles are still missing.
pub(super) fn text(
    all: &[Ran],
    later: &[&str],
    machine: &[(&str, String)],
    is_quick: bool,
) -> String {
    let mut text = HEAD.to_owned();
    if is_quick {
        text += QUICK;
    }
    text += "\n## Machine and versions\n\n| | |\n| --- | --- |\n";
    for (name, value) in machine {
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {name} | {} |", cell(value));
    }
    text += "\n## Targets\n\n| what | measured | target | |\n| --- | ---: | ---: | --- |\n";
    for line in all.iter().flat_map(|ran| &ran.lines) {
        text += &target_row(line);
    }
    for ran in all {
        text += &section(ran);
    }
    text += "\n## Not run here\n\n";
    for ran in all {
        for line in &ran.lines {
            if let Line::NotRun { what, why } = line {
                let _ = writeln!(text, "- {what}: {why}.");
            }
        }
        if let Some(failure) = &ran.failure {
            let name = ran.program.name;
            let _ = writeln!(
                text,
                "- {name}: FAILED, what it told before counts: {failure}."
            );
        }
    }
    for title in later {
        let _ = writeln!(text, "- {title}: the run was ended before.");
    }
    for (package, target) in LEFT_OUT {
        let command = format!("`cargo bench -p {package} --bench {target}`");
        let _ = writeln!(text, "- what is measured by itself: {command}.");
    }
    for (what, how) in ELSEWHERE {
        let _ = writeln!(text, "- {what}: {how}.");
    }
    text
}

fn target_row(line: &Line) -> String {
    let Line::Target {
        what,
        value,
        unit,
        limit,
        is_met,
    } = line
    else {
        return String::new();
    };
    let (sign, limit) = match limit {
        Limit::AtMost(limit) => ("≤", limit),
        Limit::AtLeast(limit) => ("≥", limit),
    };
    let verdict = if *is_met { "met" } else { "**missed**" };
    format!(
        "| {} | {value:.2} {unit} | {sign} {limit} | {verdict} |\n",
        cell(what)
    )
}

/// What one benchmark says, table by table.
fn section(ran: &Ran) -> String {
    let mut tables: Vec<(&str, Vec<&Line>)> = Vec::new();
    for line in &ran.lines {
        if let Line::Row { table, .. } = line {
            match tables.iter_mut().find(|(name, _)| name == table) {
                Some((_, rows)) => rows.push(line),
                None => tables.push((table, vec![line])),
            }
        }
    }
    if tables.is_empty() {
        return String::new();
    }
    let mut text = format!("\n## {}\n\n{}\n", ran.program.title, ran.program.about);
    for (name, rows) in tables {
        text += &table(name, &rows);
    }
    text
}

fn table(name: &str, rows: &[&Line]) -> String {
    let mut text = String::new();
    for row in rows {
        let Line::Row {
            name: row, cells, ..
        } = row
        else {
            continue;
        };
        if text.is_empty() {
            let heads: Vec<&str> = cells.iter().map(|(head, _)| head.as_str()).collect();
            let lines = vec!["---:"; heads.len()];
            let _ = write!(
                text,
                "\n| {} | {} |\n| --- | {} |\n",
                cell(name),
                heads.join(" | "),
                lines.join(" | ")
            );
        }
        let values: Vec<String> = cells.iter().map(|(_, value)| cell(value)).collect();
        let _ = writeln!(text, "| {} | {} |", cell(row), values.join(" | "));
    }
    text
}

/// A text that ends no cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::programs::PROGRAMS;
    use super::*;

    fn ran(lines: Vec<Line>, failure: Option<&str>) -> Ran {
        Ran {
            program: &PROGRAMS[0],
            lines,
            failure: failure.map(str::to_owned),
        }
    }

    fn row(table: &str, name: &str, value: &str) -> Line {
        Line::Row {
            table: table.to_owned(),
            name: name.to_owned(),
            cells: vec![("a second".to_owned(), value.to_owned())],
        }
    }

    fn target(value: f64, is_met: bool) -> Line {
        Line::Target {
            what: "a hit".to_owned(),
            value,
            unit: "×".to_owned(),
            limit: Limit::AtMost(1.5),
            is_met,
        }
    }

    #[test]
    fn targets_are_told_also_when_they_are_missed() {
        let all = [ran(vec![target(1.234, true), target(1.6, false)], None)];
        let text = text(&all, &[], &[], false);
        assert!(
            text.contains("| a hit | 1.23 × | ≤ 1.5 | met |\n"),
            "{text}"
        );
        assert!(
            text.contains("| a hit | 1.60 × | ≤ 1.5 | **missed** |\n"),
            "{text}"
        );
        assert!(!text.contains("mean nothing"), "{text}");
    }

    #[test]
    fn rows_of_a_table_stand_together() {
        let lines = vec![
            row("hits", "a|b", "7"),
            row("more", "c", "8"),
            row("hits", "d", "9"),
        ];
        let text = section(&ran(lines, None));
        let expected = "\n| hits | a second |\n| --- | ---: |\n| a\\|b | 7 |\n| d | 9 |\n\
                        \n| more | a second |\n| --- | ---: |\n| c | 8 |\n";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn what_was_left_out_or_failed_is_said() {
        let lines = vec![Line::not_run("traces", "there are none")];
        let text = text(&[ran(lines, Some("it broke"))], &["Start"], &[], true);
        for expected in [
            "- traces: there are none.\n",
            "- peers: FAILED, what it told before counts: it broke.\n",
            "- Start: the run was ended before.\n",
            "mean nothing",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
    }
}
