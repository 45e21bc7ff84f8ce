//! Every scenario is shown, or declared inapplicable.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The numbers of the scenario list, as ranges; the list has gaps.
const SCENARIOS: &[(u32, u32)] = &[
    (1, 13),
    (15, 26),
    (28, 30),
    (32, 36),
    (38, 41),
    (43, 43),
    (45, 49),
    (51, 53),
    (55, 59),
    (61, 66),
    (68, 69),
    (71, 78),
    (80, 82),
    (84, 88),
    (90, 96),
    (98, 98),
    (100, 103),
    (105, 108),
    (110, 112),
    (114, 118),
    (120, 121),
    (123, 127),
    (129, 134),
    (136, 145),
    (147, 148),
    (151, 151),
    (153, 154),
    (156, 157),
    (159, 162),
    (164, 164),
];

const MOST_INAPPLICABLE: usize = 20;

fn sources() -> Vec<(String, String)> {
    let folders = ["tests/scenarios", "tests/simulation"]
        .map(|folder| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder));
    let mut sources: Vec<(String, String)> = folders
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    sources.sort();
    sources
}

/// The numbers after `word` in doc comments that begin with it: `/// Scenarios 22, 23.`
fn numbers_after(text: &str, comment: &str, words: &[&str]) -> Vec<u32> {
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix(comment))
        .filter_map(|line| words.iter().find_map(|word| line.strip_prefix(word)))
        .flat_map(|rest| {
            let list = rest
                .find(|next: char| !(next.is_ascii_digit() || next == ',' || next == ' '))
                .map_or(rest, |end| &rest[..end]);
            list.split(',')
                .filter_map(|number| number.trim().parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

#[test]
fn every_scenario_is_shown_or_declared_inapplicable() {
    let valid: BTreeSet<u32> = SCENARIOS
        .iter()
        .flat_map(|&(first, last)| first..=last)
        .collect();
    let (mut shown, mut inapplicable) = (BTreeSet::new(), BTreeSet::new());
    for (name, text) in sources() {
        for number in numbers_after(&text, "/// ", &["Scenario ", "Scenarios "]) {
            assert!(valid.contains(&number), "{name}: no scenario {number}");
            shown.insert(number);
        }
        for number in numbers_after(&text, "//! ", &["Not applicable: "]) {
            assert!(valid.contains(&number), "{name}: no scenario {number}");
            assert!(inapplicable.insert(number), "{number} is declared twice");
        }
    }
    let both: Vec<_> = shown.intersection(&inapplicable).collect();
    assert!(both.is_empty(), "shown and declared inapplicable: {both:?}");
    assert!(inapplicable.len() <= MOST_INAPPLICABLE, "{inapplicable:?}");
    let missing: Vec<_> = valid
        .iter()
        .filter(|number| !shown.contains(number) && !inapplicable.contains(number))
        .collect();
    assert!(
        missing.is_empty(),
        "neither shown nor declared: {missing:?}"
    );
}

/// The lines of numbered comments that stand before no test that runs.
fn strays(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let is_numbered = |line: &str| line.starts_with("/// Scenario");
    let numbered = lines.iter().enumerate().filter(|it| is_numbered(it.1));
    numbered
        .filter(|&(index, _)| {
            // All that stands before the function: more of the comment, and attributes.
            let before: Vec<&&str> = lines[index..]
                .iter()
                .take_while(|line| line.starts_with("//") || line.starts_with("#["))
                .collect();
            let has = |start: &str| before.iter().any(|line| line.starts_with(start));
            !(has("#[tokio::test") || has("#[test]")) || has("#[ignore") || has("#[cfg")
        })
        .map(|(index, _)| index + 1)
        .collect()
}

/// Every numbered comment stands before a test, so that deleting a test uncovers its numbers.
#[test]
fn every_number_belongs_to_a_test_that_runs() {
    for (name, text) in sources() {
        let strays = strays(&text);
        assert!(strays.is_empty(), "{name}: lines {strays:?}");
    }
}

#[test]
fn a_number_of_nothing_or_of_a_test_that_is_left_out_is_found() {
    let found = |text: &str| strays(&format!("fn before() {{}}\n{text}fn shows() {{}}\n"));
    let none: [usize; 0] = [];
    assert_eq!(found("/// Scenario 1.\n#[test]\n"), none);
    assert_eq!(
        found("    /// Scenarios 1, 2. And\n    /// more.\n    #[tokio::test(x)]\n"),
        none
    );
    assert_eq!(found("/// Scenario 1.\n"), [2]);
    assert_eq!(found("    /// Scenario 1.\n\n    #[test]\n"), [2]);
    assert_eq!(
        found("/// Scenario 1.\n#[test]\n#[ignore = \"slow\"]\n"),
        [2]
    );
    assert_eq!(found("/// Scenario 1.\n#[ignore]\n#[tokio::test]\n"), [2]);
    assert_eq!(found("/// Scenario 1.\n#[cfg(any())]\n#[test]\n"), [2]);
}

#[test]
fn numbers_are_read_up_to_the_first_other_character() {
    let text = "/// Scenarios 22, 23. In 5 s.\n//! Scenario 9.\n    /// Scenario 24: x\n";
    assert_eq!(
        numbers_after(text, "/// ", &["Scenario ", "Scenarios "]),
        [22, 23, 24]
    );
}
