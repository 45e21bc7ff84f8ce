//! The pages of recipes show the files that are run.

use std::fs;
use std::path::Path;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

/// The blocks of code of a page in these languages.
fn quoted(page: &str, languages: &[&str]) -> Vec<String> {
    let mut blocks = page.split("\n```");
    blocks.next();
    let of_code = blocks.step_by(2).filter_map(|block| block.split_once('\n'));
    let wanted = of_code.filter(|(language, _)| languages.contains(language));
    wanted.map(|(_, code)| format!("{code}\n")).collect()
}

/// What is in the files of a folder.
fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(DOCS).join(folder)).unwrap();
    let texts = entries.map(|it| fs::read_to_string(it.unwrap().path()).unwrap());
    texts.collect()
}

#[test]
fn a_recipe_shows_every_file_that_is_run_and_no_other_code() {
    for (page, folder, languages) in [
        ("nextjs.md", "examples/nextjs", &["js", "prisma"][..]),
        ("php.md", "examples/php", &["php"]),
    ] {
        let text = fs::read_to_string(Path::new(DOCS).join(page)).unwrap();
        let (mut shown, mut run) = (quoted(&text, languages), files(folder));
        shown.sort();
        run.sort();
        assert!(shown.len() > 1, "{page} shows nothing");
        assert!(
            shown == run,
            "docs/{page} does not show what is in docs/{folder}"
        );
    }
}
