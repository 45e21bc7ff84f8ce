//! The tables that are to report their changes, and what their triggers call.

use std::collections::BTreeMap;

use tingkat::certificate::Dep;

use crate::database::Database;
use crate::error::{CheckError, CheckErrorKind};
use crate::postgres::literal;
use crate::preset::{Changes, Table};
use crate::queries::Queries;

const OF_DEPS: &str = include_str!("../../setup/postgres/changes/of_deps.sql");

/// A table that is to report its changes.
pub(crate) struct Watched {
    /// Where the search path does not find it.
    pub(crate) schema: String,
    pub(crate) name: String,
    /// As SQL has it.
    pub(crate) quoted: String,
    pub(super) function: String,
}

impl Watched {
    fn of_preset(table: &Table) -> Self {
        let function = match table.changes {
            Changes::Function(sql) => sql.to_owned(),
            Changes::Deps(deps) => of_deps(&function_of(table.name), deps, &bulk(table)),
        };
        Self {
            schema: String::new(),
            name: table.name.to_owned(),
            quoted: table.name.to_owned(),
            function,
        }
    }

    /// A table of which the operator says what its rows write. What many of them write together, he
    /// does not say: then everything is forgotten.
    fn own(name: &str, deps: &str) -> Self {
        Self {
            schema: String::new(),
            name: name.to_owned(),
            // A file that was judged has no quotes in its name.
            quoted: format!("\"{name}\""),
            function: of_deps(&function_of(name), deps, "'*'"),
        }
    }

    /// Its name as SQL has it, in a literal.
    pub(crate) fn literal(&self) -> String {
        format!("'{}'", self.quoted.replace('\'', "''"))
    }

    /// The trial of its triggers.
    pub(super) fn trial(&self, sql: &str) -> String {
        sql.replace("'{table}'", &self.literal())
    }

    /// The script of one table.
    pub(super) fn script(&self, sql: &str) -> String {
        of_table(sql, &self.name, &self.quoted)
    }
}

impl Queries {
    /// The tables of a preset, and those of which the operator says what they write.
    pub(super) fn watched(&self) -> Vec<Watched> {
        let own = self.own_tables().filter_map(|name| {
            let changes = self.changes_of(name)?;
            Some(Watched::own(name, &changes.sql))
        });
        let preset = self.preset_tables().map(Watched::of_preset);
        let mut watched: Vec<Watched> = preset.chain(own).collect();
        watched.sort_by(|one, other| one.name.cmp(&other.name));
        watched
    }
}

impl Database {
    /// The tables that have to report their changes: those that the preset's statements read, or, if
    /// some are the operator's, those that the database says that all of them read.
    pub(crate) async fn to_watch(&self) -> Result<Vec<Watched>, CheckError> {
        let queries = self.queries();
        if queries.are_of_preset() {
            return Ok(queries.watched());
        }
        // Tables of one name may be in several schemas; their triggers call one function.
        let mut watched: BTreeMap<(String, String), Watched> = BTreeMap::new();
        let mut silent = Vec::new();
        let report = self.check_triggers().await?;
        if !report.unplanned.is_empty() {
            let statements = report.unplanned.join("; ");
            let message = format!("the database can not plan {statements}");
            return Err(CheckError::new(CheckErrorKind::Refused, message));
        }
        for read in report.watched.iter().chain(&report.missing) {
            let (schema, name) = parts(read);
            let preset = queries.preset_tables().find(|table| table.name == name);
            let found = match (queries.changes_of(&name), preset) {
                (Some(own), _) => Watched::own(&name, &own.sql),
                (None, Some(table)) => Watched::of_preset(table),
                (None, None) => {
                    silent.push(name);
                    continue;
                }
            };
            let quoted = read.clone();
            watched.insert(
                (name, schema.clone()),
                Watched {
                    schema,
                    quoted,
                    ..found
                },
            );
        }
        if !silent.is_empty() {
            let files: Vec<String> = silent
                .iter()
                .map(|table| format!("changes_{table}.sql"))
                .collect();
            let message = format!(
                "the statements read {}, and nothing says what their changed rows write: add {} to \
                 source.queries",
                silent.join(", "),
                files.join(", ")
            );
            return Err(CheckError::new(CheckErrorKind::Untold, message));
        }
        // What no statement reads yet is watched as well, where it is there.
        for table in queries.watched() {
            let is_read = watched.keys().any(|(name, _)| *name == table.name);
            if !is_read && queries.changes_of(&table.name).is_some() {
                watched.insert((table.name.clone(), String::new()), table);
            }
        }
        Ok(watched.into_values().collect())
    }
}

pub(super) fn of_table(sql: &str, name: &str, quoted: &str) -> String {
    sql.replace("{table}_changed", &function_of(name))
        .replace("{table}", quoted)
}

/// The function that the triggers of a table call, as SQL has it.
pub(super) fn function_of(table: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if table.chars().all(is_plain) && !table.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{table}_changed")
    } else {
        format!("\"{}_changed\"", table.replace('"', "\"\""))
    }
}

fn of_deps(function: &str, deps: &str, bulk: &str) -> String {
    // Without comments, what is left of a semicolon is at the end.
    let deps = literal::bound(deps, &[]);
    let deps = deps.trim().trim_end_matches(';').trim_end();
    OF_DEPS
        .replace("{function}", function)
        .replace("{bulk}", bulk)
        .replace("{deps}", deps)
}

/// What the rows of a table write when there are too many to be told one by one.
fn bulk(table: &Table) -> String {
    let entities = table.entities.iter().map(|entity| Dep::of_entity(entity));
    let sets = table.all_sets.iter().map(|set| Dep::new(*set));
    let names: Vec<String> = entities
        .chain(sets)
        .map(|dep| format!("'{}'", dep.name()))
        .collect();
    names.join(", ")
}

/// The schema, if it is named, and the name of a table as the server writes both.
pub(super) fn parts(table: &str) -> (String, String) {
    let unquoted = |part: &str| match part.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None => part.to_owned(),
    };
    let mut is_quoted = false;
    let dot = table.char_indices().find(|(_, character)| {
        is_quoted ^= *character == '"';
        *character == '.' && !is_quoted
    });
    let (schema, name) = match dot {
        Some((at, _)) => (table.get(..at), table.get(at + 1..)),
        None => (None, Some(table)),
    };
    (
        schema.map(unquoted).unwrap_or_default(),
        name.map(unquoted).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_its_name_however_it_is_written() {
        let both = |table| {
            let (schema, name) = parts(table);
            format!("{schema}|{name}")
        };
        assert_eq!(both("item"), "|item");
        assert_eq!(both("shop.item"), "shop|item");
        assert_eq!(both("\"Item\""), "|Item");
        assert_eq!(both("\"my.shop\".\"It\"\"em\""), "my.shop|It\"em");
        assert_eq!(function_of("item"), "item_changed");
        assert_eq!(function_of("Item"), "\"Item_changed\"");
    }
}
