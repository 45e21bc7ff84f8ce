//! Pages that take a store to its own prices, run as they are written: their commands in a shell, their
//! files, what they say that comes out. Only the port and the URL of the database are others.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tingkat_testkit::Postgres;
use tingkat_testkit::eventually;
use tingkat_testkit::postgres::{Database, PRISMA_STORE};

use crate::program::{Folder, Node, PATIENCE, PROGRAM, Program};
use crate::queries::ROWS;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

const README: &str = "README.md";
const OWN_TABLES: &str = "docs/your-own-tables.md";

/// What the pages have in the place of a URL that they can not know, and where they say that a node is.
const URLS: [&str; 2] = [
    "postgres://shop:…@localhost/shop",
    "postgres://user:password@localhost/empty_database",
];
const NODE: &str = "127.0.0.1:8080";

/// The command that goes on until it is stopped.
const SERVE: &str = "tingkat serve";

/// A page; what it builds first is the program that is there already.
fn page(name: &str) -> String {
    let text = fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
    text.replace("cargo run --release -- ", "tingkat ")
}

/// The blocks of code under a heading, each with its language.
fn blocks(name: &str, heading: &str) -> Vec<(String, String)> {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let (mut blocks, mut is_here, mut is_code) = (Vec::<(String, String)>::new(), false, false);
    for line in page(name).lines() {
        if let Some(language) = line.strip_prefix("```") {
            is_code = !is_code;
            if is_code && is_here {
                blocks.push((language.to_owned(), String::new()));
            }
        } else if !is_code && level(line) > 0 {
            is_here = line == heading || (is_here && level(line) > level(heading));
        } else if is_code && is_here {
            let (_, code) = blocks.last_mut().unwrap();
            code.extend([line, "\n"]);
        }
    }
    assert!(!blocks.is_empty(), "{heading}");
    blocks
}

/// What is typed under a heading into a shell: the blocks before the node runs, and those after.
fn typed(name: &str, heading: &str) -> (String, String) {
    let shell = blocks(name, heading)
        .into_iter()
        .filter(|(language, _)| language == "sh");
    let shell: String = shell.map(|(_, code)| code).collect();
    let (before, after) = shell.split_once(&format!("{SERVE}\n")).unwrap();
    (before.to_owned(), after.to_owned())
}

/// A terminal: a folder with the page's docs in it, and the program on its path.
struct Terminal {
    folder: Folder,
    url: String,
}

impl Terminal {
    fn new(database: &Database<'_>) -> Self {
        let folder = Folder::new();
        symlink(Path::new(ROOT).join("docs"), folder.path().join("docs")).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        symlink(PROGRAM, folder.path().join("bin/tingkat")).unwrap();
        Self {
            folder,
            url: database.url(),
        }
    }

    fn with_url(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for url in URLS {
            text = text.replace(url, &self.url);
        }
        text
    }

    /// Types commands, each of which must end well, and gives what they print.
    fn types(&self, node: Option<&Node>, commands: &str) -> Result<String, String> {
        let mut commands = self.with_url(commands);
        let mut shell = Command::new("bash");
        if let Some(node) = node {
            let address = node.target.address().to_string();
            commands = commands.replace(NODE, &address);
            shell.env("TINGKAT_URL", format!("http://{address}"));
        }
        let script = format!("PATH=\"$PWD/bin:$PATH\"\n{commands}");
        let ended = shell
            .args(["-eu", "-o", "pipefail", "-c", &script])
            .current_dir(self.folder.path())
            .env("REDIS_URL", "off")
            .env_remove("DATABASE_URL")
            .output()
            .unwrap();
        let out = String::from_utf8(ended.stdout).unwrap();
        if ended.status.success() {
            return Ok(out);
        }
        let err = String::from_utf8_lossy(&ended.stderr);
        Err(format!("{commands}\n{}\n{out}{err}", ended.status))
    }

    /// The node of the page, with what was exported before it.
    async fn serves(&self, before: &str) -> Node {
        let exports = before
            .lines()
            .filter_map(|line| line.strip_prefix("export "));
        let node = exports
            .map(|export| export.split_once('=').unwrap())
            .fold(Program::serve(&self.folder), |program, (name, value)| {
                program.with(name, self.with_url(value))
            });
        let node = node.listening().await;
        node.sees("source", "up").await;
        node
    }

    /// Types what stands after the node runs, a command after the other; what the page says of an
    /// answer comes out soon, since it says as well that it takes a moment. How much was said.
    async fn asks(&self, node: &Node, after: &str) -> usize {
        let (mut exports, mut last, mut said) = (String::new(), String::new(), 0);
        for command in commands(after) {
            if command.text.starts_with("export ") {
                exports.extend([command.text.as_str(), "\n"]);
                continue;
            }
            let whole = format!("{exports}{}", command.text);
            if !command.text.starts_with("curl ") {
                self.types(Some(node), &whole).unwrap();
                continue;
            }
            match command.says.as_deref() {
                Some("the same") => {}
                Some(says) => says.clone_into(&mut last),
                None => last.clear(),
            }
            said += usize::from(!last.is_empty());
            let answer = RefCell::new(String::new());
            let is_so = eventually(PATIENCE, async || {
                let found = self.types(Some(node), &whole).unwrap();
                let body = found.split("\r\n\r\n").last().unwrap_or_default();
                let is_so = is_answer(body) && found.contains(&last);
                answer.replace(found);
                is_so
            });
            let is_so = is_so.await.is_ok();
            assert!(is_so, "{whole}\n{}\nis not: {last}", answer.borrow());
        }
        said
    }
}

/// Whether it is JSON, and no problem document.
fn is_answer(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|it| it["type"].is_null())
}

/// A command of the page, and what the comment after it says that comes out.
struct Typed {
    text: String,
    says: Option<String>,
}

fn commands(text: &str) -> Vec<Typed> {
    let text = text.replace("\\\n", "");
    let mut commands: Vec<Typed> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(says) = line.strip_prefix("# ") {
            commands.last_mut().unwrap().says = Some(says.to_owned());
            continue;
        }
        let (text, says) = match line.split_once("  # ") {
            Some((text, says)) => (text.trim_end(), Some(says.to_owned())),
            None => (line, None),
        };
        let text = text.to_owned();
        commands.push(Typed { text, says });
    }
    for command in &mut commands {
        // JSON is what comes out; after it, people are told when.
        let says = command.says.take();
        command.says = says.and_then(|says| match says.rfind(['}', ']']) {
            Some(end) if says.starts_with(['{', '"']) => Some(says[..=end].to_owned()),
            _ => Some(says).filter(|says| says == "the same"),
        });
    }
    commands
}

#[tokio::test]
async fn the_readme_is_true_of_the_demo_store() {
    let database = Postgres::shared().await.unwrap();
    let terminal = Terminal::new(&database);
    let node = Program::serve(&Folder::new()).listening().await;
    let asked = blocks(README, "## Ask it something").remove(0).1;
    assert_eq!(terminal.asks(&node, &asked).await, 0);

    let mut shell = blocks(README, "## Point it at something").into_iter();
    let (_, production) = shell.next().unwrap();
    let check = format!("TOKEN=foo\nunset REDIS_URL\nset -a\n{production}tingkat config check");
    terminal.types(None, &check).unwrap();
    let own: String = shell.map(|(_, code)| code).collect();
    let (before, after) = own.split_once(&format!("{SERVE}\n")).unwrap();
    terminal.types(None, before).unwrap();
    let node = terminal.serves(before).await;
    assert_eq!(terminal.asks(&node, after).await, 1);
}

#[tokio::test]
async fn a_prisma_storefront_is_served_by_what_the_page_says() {
    let database = Postgres::shared().await.unwrap();
    database.psql(PRISMA_STORE).await.unwrap();
    database.psql(ROWS).await.unwrap();
    let terminal = Terminal::new(&database);
    let (before, after) = typed(OWN_TABLES, "## A Prisma storefront");
    terminal.types(None, &before).unwrap();
    let node = terminal.serves(&before).await;
    assert_eq!(terminal.asks(&node, &after).await, 1);
}

#[tokio::test]
async fn tables_of_ones_own_are_served_by_what_the_page_says() {
    let database = Postgres::shared().await.unwrap();
    let terminal = Terminal::new(&database);
    let first = blocks(OWN_TABLES, "## Statements of your own").remove(0).1;
    let (checks, after) = typed(OWN_TABLES, "### Install, check, serve");
    let before = format!("{first}{checks}");
    terminal.types(None, &before).unwrap();
    let node = terminal.serves(&before).await;
    assert_eq!(terminal.asks(&node, &after).await, 1);

    // What the page shows of a wrong statement is what is told.
    let queries = terminal.folder.path().join("queries");
    for (file, right, wrong) in [
        (
            "product_load.sql",
            "(item.price * 100)::bigint AS regular_price",
            "item.price AS regular_price",
        ),
        ("product_sku_load.sql", "FROM item\n", "FROM itm\n"),
    ] {
        let text = fs::read_to_string(queries.join(file)).unwrap();
        assert!(text.contains(right), "{file}");
        fs::write(queries.join(file), text.replacen(right, wrong, 1)).unwrap();
    }
    let exports = before.lines().filter(|line| line.starts_with("export "));
    let exports: Vec<&str> = exports.collect();
    let check = format!(
        "{}\ntingkat schema check || test $? = 3",
        exports.join("\n")
    );
    let told = terminal.types(None, &check).unwrap();
    let mut shown = blocks(OWN_TABLES, "### Install, check, serve").into_iter();
    let (_, shown) = shown.find(|(language, _)| language == "text").unwrap();
    let failed: Vec<&str> = told.lines().filter(|it| it.starts_with("failed")).collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), failed, "{told}");
}

#[tokio::test]
async fn an_entity_of_ones_own_is_served_by_what_the_page_says() {
    let database = Postgres::shared().await.unwrap();
    let terminal = Terminal::new(&database);
    let (before, after) = typed(OWN_TABLES, "## Entities of your own");
    terminal.types(None, &before).unwrap();
    let node = terminal.serves(&before).await;
    assert_eq!(terminal.asks(&node, &after).await, 4);
}

#[test]
fn the_page_shows_the_trigger_of_the_example_and_names_every_statement() {
    let shown = blocks(OWN_TABLES, "### What changed rows write")
        .remove(0)
        .1;
    let (name, statement) = shown.strip_prefix("-- ").unwrap().split_once('\n').unwrap();
    let example = Path::new(ROOT)
        .join("docs/examples/own-tables/queries")
        .join(name);
    assert!(
        fs::read_to_string(example).unwrap().ends_with(statement),
        "{statement}"
    );

    let page = page(OWN_TABLES);
    let shipped = Path::new(ROOT).join("crates/tingkat-sql/queries/postgres");
    let names = fs::read_dir(shipped).unwrap();
    let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
    // Those of the demo store, and of the program itself, are nobody's to write.
    let is_own = |name: &String| {
        !name.starts_with("demo_") && !["table_list.sql", "today.sql"].contains(&name.as_str())
    };
    let names: Vec<String> = names.filter(is_own).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name} is not named");
    }
}
