//! Query sets: the statements of a preset, and what an operator has put in their place. They are
//! read once, at the start, and judged before anything runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::document::{OwnLoad, load_of};
use crate::postgres::literal::outline;
use crate::preset::{Preset, Table};
use crate::statement::{self, Statement};

/// No statement is so long; whatever is, was put there by mistake.
const LONGEST: u64 = 1 << 20;

/// Nor are there so many files.
const MOST_FILES: usize = 1_000;

/// What the name of a file begins with that tells what changed rows of a table write.
const CHANGES: &str = "changes_";

/// The longest name of a table, so that its trigger function has one, too.
const LONGEST_TABLE: usize = 55;

/// The statements for the tables of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queries {
    preset: Preset,
    /// In the place of the preset's, and by the name of the operator's own entities, by name.
    own: BTreeMap<&'static str, Own>,
    /// What changed rows of a table write, by table.
    changes: BTreeMap<String, Own>,
    /// Entities that the operator names, and the tables that he says they are read from.
    entities: BTreeMap<&'static str, Vec<String>>,
}

/// A file of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) file: PathBuf,
    pub(crate) sql: String,
}

/// A statement that is run.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a> {
    pub(crate) name: &'static str,
    pub(crate) sql: &'a str,
}

/// A file that can not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongQuery {
    /// Which one, or the directory.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
    /// It is named like no statement.
    pub is_unknown: bool,
}

impl Queries {
    /// Those of a preset alone.
    pub fn of(preset: Preset) -> Self {
        Self {
            preset,
            ..Self::default()
        }
    }

    /// Those of a preset, with the files of a directory in their place, and those of the operator's
    /// own entities. Hidden files are none.
    ///
    /// # Errors
    /// All that is wrong with the directory and its files.
    pub fn read(
        preset: Preset,
        directory: &Path,
        loads: &[OwnLoad],
    ) -> Result<Self, Vec<WrongQuery>> {
        let mut queries = Self::of(preset);
        let mut wrong = Vec::new();
        let files = match files(directory) {
            Ok(files) => files,
            Err(error) => {
                let problem = format!("failed to read the directory: {error}");
                return Err(vec![WrongQuery::new(directory, problem)]);
            }
        };
        if files.is_empty() {
            let problem = "the directory has no statement";
            wrong.push(WrongQuery::new(directory, problem));
        }
        for file in files {
            if let Err(error) = queries.take(file, loads) {
                wrong.push(error);
            }
        }
        let unheard: Vec<WrongQuery> = loads
            .iter()
            .flat_map(|load| queries.lacks(load, directory))
            .filter(|lack| wrong.iter().all(|told| told.file != lack.file))
            .collect();
        wrong.extend(unheard);
        if wrong.is_empty() {
            Ok(queries)
        } else {
            Err(wrong)
        }
    }

    /// Whether the operator has written this statement, for tables of his own.
    pub(crate) fn is_own(&self, statement: &Statement) -> bool {
        self.own.contains_key(statement.name)
    }

    /// The names of files that are statements.
    pub fn names() -> impl Iterator<Item = String> {
        statement::set().map(Statement::file)
    }

    /// What an entity of the operator's needs that is not there.
    fn lacks(&self, load: &OwnLoad, directory: &Path) -> Vec<WrongQuery> {
        let (entity, lack) = (load.entity, |file: &str, problem| {
            WrongQuery::new(&directory.join(file), problem)
        });
        let mut wrong = Vec::new();
        if statement::set().any(|statement| statement.name == entity) {
            let problem = format!("entity.{entity}: a statement has that name");
            wrong.push(WrongQuery::new(directory, problem));
        } else if !self.own.contains_key(entity) {
            let problem = format!("there is no such file, and entity.{entity}.load names it");
            wrong.push(lack(&load.file, problem));
        }
        let preset = self.preset.tables();
        for table in &load.tables {
            let is_told = self.changes.contains_key(table);
            if !is_told && !preset.iter().any(|known| known.name == table) {
                let problem = format!(
                    "there is no such file, and entity.{entity}.tables names the table: nothing \
                     says what its changed rows write"
                );
                wrong.push(lack(&format!("{CHANGES}{table}.sql"), problem));
            }
        }
        wrong
    }

    fn take(&mut self, file: PathBuf, loads: &[OwnLoad]) -> Result<(), WrongQuery> {
        let name = file.file_name().and_then(|name| name.to_str());
        let named: Vec<&OwnLoad> = loads
            .iter()
            .filter(|load| name == Some(load.file.as_str()))
            .collect();
        if !named.is_empty() {
            return self.take_load(&file, &named);
        }
        let name = name.and_then(|name| name.strip_suffix(".sql"));
        let known = statement::set().find(|statement| name == Some(statement.name));
        if let Some(statement) = known {
            let sql = text(&file, statement.parameters.len())?;
            self.own.insert(statement.name, Own { file, sql });
            return Ok(());
        }
        if let Some(table) = name.and_then(|name| name.strip_prefix(CHANGES)) {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if table.is_empty() || table.len() > LONGEST_TABLE || !table.chars().all(is_plain) {
                let problem = format!(
                    "expected {CHANGES} and the name of a table: at most {LONGEST_TABLE} letters, \
                     digits or `_`"
                );
                return Err(WrongQuery::new(&file, problem));
            }
            let sql = text(&file, 0)?;
            if sql.contains("$tingkat$") {
                return Err(WrongQuery::new(&file, "may not contain $tingkat$"));
            }
            self.changes.insert(table.to_owned(), Own { file, sql });
            return Ok(());
        }
        Err(WrongQuery {
            is_unknown: true,
            ..WrongQuery::new(&file, "there is no such statement")
        })
    }

    fn take_load(&mut self, file: &Path, loads: &[&OwnLoad]) -> Result<(), WrongQuery> {
        let name = file.file_stem().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        if name.starts_with(CHANGES) || statement::set().any(|statement| statement.name == name) {
            let entities: Vec<String> = loads
                .iter()
                .map(|load| format!("entity.{}.load", load.entity))
                .collect();
            let problem = format!(
                "a file of that name is something else: {} needs another",
                entities.join(" and ")
            );
            return Err(WrongQuery::new(file, problem));
        }
        let sql = text(file, 1)?;
        for load in loads {
            let own = Own {
                file: file.to_owned(),
                sql: sql.clone(),
            };
            self.own.insert(load.entity, own);
            self.entities.insert(load.entity, load.tables.clone());
        }
        Ok(())
    }

    /// The statements of the operator's own entities.
    pub(crate) fn loads(&self) -> impl Iterator<Item = Statement> {
        self.entities.keys().map(|entity| load_of(entity))
    }

    /// The tables that an entity of the operator's is read from, as he says; nothing for any other.
    pub fn tables_of(&self, entity: &str) -> Option<&[String]> {
        self.entities.get(entity).map(Vec::as_slice)
    }

    /// Whether every statement is the preset's.
    pub(crate) fn are_of_preset(&self) -> bool {
        self.own.is_empty()
    }

    /// Whose statements are run where no other is in their place.
    pub const fn preset(&self) -> Preset {
        self.preset
    }

    /// The text of a statement.
    pub(crate) fn sql<'a>(&'a self, statement: &Statement) -> &'a str {
        match self.own.get(statement.name) {
            Some(own) => &own.sql,
            None => self.preset.sql(statement),
        }
    }

    pub(crate) fn query<'a>(&'a self, statement: &Statement) -> Query<'a> {
        Query {
            name: statement.name,
            sql: self.sql(statement),
        }
    }

    /// Where a statement stands, for whoever has to change it.
    pub(crate) fn file(&self, statement: &Statement) -> String {
        match self.own.get(statement.name) {
            Some(own) => own.file.display().to_string(),
            None => statement.file(),
        }
    }

    /// What changed rows of a table write, if the operator says so.
    pub(crate) fn changes_of(&self, table: &str) -> Option<&Own> {
        self.changes.get(table)
    }

    /// The tables of which the operator says what their changed rows write.
    pub(crate) fn own_tables(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }

    /// The preset's tables whose changes are reported as the preset does.
    pub(crate) fn preset_tables(&self) -> impl Iterator<Item = &'static Table> {
        let tables = self.preset.tables().iter();
        tables.filter(|table| !self.changes.contains_key(table.name))
    }

    /// The tables that have to be there, as far as that is known without asking the database which
    /// of them the operator's statements read.
    pub(crate) fn tables(&self) -> Vec<String> {
        let mut tables: Vec<String> = self.own_tables().map(str::to_owned).collect();
        if self.are_of_preset() {
            tables.extend(self.preset_tables().map(|table| table.name.to_owned()));
        }
        tables.sort();
        tables
    }
}

impl WrongQuery {
    fn new(file: &Path, problem: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            problem: problem.into(),
            is_unknown: false,
        }
    }
}

/// What is in the directory and not hidden, by name.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if files.len() == MOST_FILES {
            let message = format!("it has more than {MOST_FILES} files");
            return Err(io::Error::other(message));
        }
        files.push(entry.path());
    }
    files.sort();
    Ok(files)
}

/// The one statement of a file.
fn text(file: &Path, parameters: usize) -> Result<String, WrongQuery> {
    let mut sql = String::new();
    let read =
        fs::File::open(file).and_then(|opened| opened.take(LONGEST + 1).read_to_string(&mut sql));
    read.map_err(|error| WrongQuery::new(file, format!("failed to read it: {error}")))?;
    if sql.len() > usize::try_from(LONGEST).unwrap_or(usize::MAX) {
        return Err(WrongQuery::new(file, "it is longer than a megabyte"));
    }
    if sql.contains('\0') {
        return Err(WrongQuery::new(file, "it has a zero byte"));
    }
    let found = outline(&sql);
    let problem = if found.statements == 0 {
        "it is empty".to_owned()
    } else if found.statements > 1 {
        format!("expected one statement, found {}", found.statements)
    } else if found.highest_parameter == parameters {
        return Ok(sql);
    } else {
        let (expected, found) = (count(parameters), count(found.highest_parameter));
        format!("expected {expected}, found {found}")
    };
    Err(WrongQuery::new(file, problem))
}

fn count(parameters: usize) -> String {
    match parameters {
        0 => "no parameter".to_owned(),
        1 => "one parameter, $1".to_owned(),
        count => format!("{count} parameters, $1 to ${count}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{PRODUCT_LOAD, STATE_LIST};

    const SKUS: &str = "SELECT code AS sku, id FROM item WHERE code = ANY ($1::text[])";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn read(files: &[(&str, &str)]) -> Result<Queries, Vec<String>> {
        read_with(files, &[])
    }

    fn read_with(files: &[(&str, &str)], loads: &[OwnLoad]) -> Result<Queries, Vec<String>> {
        let folder = folder(files);
        let wrong = |wrong: Vec<WrongQuery>| {
            let told = wrong.into_iter().map(|wrong| {
                let file = wrong.file.strip_prefix(folder.path()).unwrap().display();
                let known = if wrong.is_unknown { "?" } else { "" };
                format!("{file}: {}{known}", wrong.problem)
            });
            told.collect()
        };
        Queries::read(Preset::Tingkat, folder.path(), loads).map_err(wrong)
    }

    fn rates(file: &str) -> OwnLoad {
        OwnLoad {
            entity: "shipping_rate",
            file: file.to_owned(),
            tables: vec!["shipping_rate".to_owned()],
        }
    }

    #[test]
    fn an_entity_of_the_operator_has_its_statement_and_tables_that_report() {
        let files = [
            (
                "rate.sql",
                "SELECT key, value, '[]' AS deps FROM rate WHERE key = ANY ($1)",
            ),
            ("changes_shipping_rate.sql", "SELECT 1"),
        ];
        let queries = read_with(&files, &[rates("rate.sql")]).unwrap();
        let loads: Vec<Statement> = queries.loads().collect();
        assert_eq!(loads.len(), 1);
        assert_eq!(loads[0].name, "shipping_rate");
        assert_eq!(queries.sql(&loads[0]), files[0].1);
        assert!(queries.file(&loads[0]).ends_with("/rate.sql"));
        assert!(!queries.are_of_preset());
        let of_preset = OwnLoad {
            tables: vec!["product".to_owned()],
            ..rates("rate.sql")
        };
        assert!(read_with(&files[..1], &[of_preset]).is_ok());
    }

    #[test]
    fn what_an_entity_of_the_operator_lacks_is_told() {
        let wrong = |files: &[(&str, &str)], load| read_with(files, &[load]).unwrap_err();
        assert_eq!(
            wrong(&[("state_list.sql", "SELECT 1")], rates("rate.sql")),
            [
                "rate.sql: there is no such file, and entity.shipping_rate.load names it",
                "changes_shipping_rate.sql: there is no such file, and entity.shipping_rate.tables \
                 names the table: nothing says what its changed rows write",
            ]
        );
        let changes = ("changes_shipping_rate.sql", "SELECT 1");
        assert_eq!(
            wrong(&[changes, ("rate.sql", "SELECT 1")], rates("rate.sql")),
            ["rate.sql: expected one parameter, $1, found no parameter"]
        );
        assert_eq!(
            wrong(
                &[changes, ("state_list.sql", "SELECT 1")],
                rates("state_list.sql")
            ),
            [
                "state_list.sql: a file of that name is something else: entity.shipping_rate.load \
                 needs another"
            ]
        );
        let taken = OwnLoad {
            entity: "state_list",
            ..rates("rate.sql")
        };
        assert_eq!(
            wrong(&[changes, ("rate.sql", "SELECT $1")], taken),
            [": entity.state_list: a statement has that name"]
        );
    }

    #[test]
    fn a_file_takes_the_place_of_the_statement_of_its_name() {
        let files = [
            ("product_sku_load.sql", SKUS),
            ("changes_item.sql", "SELECT 1"),
            (".gitkeep", ""),
        ];
        let queries = read(&files).unwrap();
        assert_eq!(queries.sql(&crate::statement::PRODUCT_SKU_LOAD), SKUS);
        assert_eq!(queries.sql(&PRODUCT_LOAD), PRODUCT_LOAD.postgres);
        assert!(!queries.are_of_preset());
        assert_eq!(queries.tables(), ["item"]);
        let prisma = Queries::of(Preset::Prisma);
        assert_eq!(prisma.sql(&STATE_LIST), STATE_LIST.prisma);
        assert!(prisma.are_of_preset());
    }

    #[test]
    fn whatever_is_wrong_with_the_files_is_told_at_once() {
        let wrong = read(&[
            ("product_lod.sql", SKUS),
            ("readme.txt", "x"),
            ("product_load.sql", "-- $1 is missing\nSELECT 1"),
            ("product_sku_load.sql", "SELECT $2"),
            ("product_slug_load.sql", " -- nothing\n;"),
            ("state_list.sql", "SELECT 1; SELECT 2"),
            ("postcode_list.sql", "SELECT '\0'"),
            ("changes_a-b.sql", "SELECT 1"),
            ("changes_a.sql", "SELECT $1"),
        ]);
        let expected = [
            "changes_a-b.sql: expected changes_ and the name of a table: at most 55 letters, digits or `_`",
            "changes_a.sql: expected no parameter, found one parameter, $1",
            "postcode_list.sql: it has a zero byte",
            "product_load.sql: expected one parameter, $1, found no parameter",
            "product_lod.sql: there is no such statement?",
            "product_sku_load.sql: expected one parameter, $1, found 2 parameters, $1 to $2",
            "product_slug_load.sql: it is empty",
            "readme.txt: there is no such statement?",
            "state_list.sql: expected one statement, found 2",
        ];
        assert_eq!(wrong.unwrap_err(), expected);
    }

    #[test]
    fn a_directory_that_is_not_there_or_empty_is_told() {
        assert_eq!(read(&[]).unwrap_err(), [": the directory has no statement"]);
        let folder = folder(&[]);
        let missing = folder.path().join("missing");
        let wrong = Queries::read(Preset::Tingkat, &missing, &[]).unwrap_err();
        assert_eq!(wrong.len(), 1);
        assert!(
            wrong[0]
                .problem
                .starts_with("failed to read the directory: ")
        );
        assert_eq!(wrong[0].file, missing);
        fs::create_dir(folder.path().join("product_load.sql")).unwrap();
        let wrong = Queries::read(Preset::Tingkat, folder.path(), &[]).unwrap_err();
        assert!(
            wrong[0].problem.starts_with("failed to read it: "),
            "{wrong:?}"
        );
    }
}
