//! The examples run and print what they shall show. Whoever runs all tests has built them before;
//! `--test examples` alone runs what an earlier build left.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a test that is wrong shall say so"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Each example with what it prints.
const EXAMPLES: [(&str, &str); 6] = [
    (
        "many",
        "2: Some(4)\n\
         13: the source failed\n\
         4: Some(16)\n\
         2: Some(4)\n\
         keys loaded: 3\n",
    ),
    ("minimal", ""),
    (
        "own_source",
        "one question to the warehouse, for 3 shelves\n\
         shelf 0: Ok(None)\n\
         shelf 3: Ok(Some(1))\n\
         shelf 12: Ok(Some(500))\n\
         shelf 12: Ok(Some(500))\n",
    ),
    (
        "stale",
        "open:   Some(255)\n\
         closed: Some(255), stale: true\n\
         checkout: no answer, because no value is known to be current\n",
    ),
    (
        "tags",
        "40000 is in memory: false\n\
         41000 is in memory: false\n\
         50450 is in memory: true\n",
    ),
    (
        "two_nodes",
        "left: Some(Versioned { key: \"7\", version: 1 }) from Source\n\
         right: Some(Versioned { key: \"7\", version: 1 }) from Remote\n\
         left: Some(Versioned { key: \"7\", version: 2 }) from Source\n\
         right: Some(Versioned { key: \"7\", version: 2 }) from Remote\n\
         loads in all: 2\n",
    ),
];

fn run(name: &str) -> String {
    let this = std::env::current_exe().unwrap();
    // target/debug/deps/examples-… beside target/debug/examples/…
    let program = this.ancestors().nth(2).unwrap().join("examples").join(name);
    let output = Command::new(&program).output().unwrap_or_else(|error| {
        panic!(
            "{}: {error}; `cargo build -p tingkat --examples` makes it",
            program.display()
        )
    });
    let problems = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success(),
        "{name}: {}\n{problems}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_example_shows_what_it_says() {
    for (name, shown) in EXAMPLES {
        assert_eq!(run(name), shown, "{name}");
    }
}

#[test]
fn every_example_is_run_here_and_listed_in_the_readme() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let found: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let run: BTreeSet<String> = EXAMPLES.iter().map(|it| it.0.to_owned()).collect();
    assert_eq!(found, run);
    let readme = include_str!("../README.md");
    for name in found {
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// The readme, the crate's documentation and the example show one program.
#[test]
fn the_program_of_the_readme_is_the_minimal_example() {
    let example = include_str!("../examples/minimal.rs");
    let (_, program) = example.split_once("\n\n").unwrap();
    let block = format!("```rust\n{program}```\n");
    assert!(include_str!("../README.md").contains(&block), "{block}");
}
