//! All that can be done to a table, done to a copy of it that has the same triggers: nobody waits for
//! a lock, and no other constraint of the store is in the way.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tingkat::certificate::Dep;

use super::{Rehearsal, Verdict, WRITTEN, allowed, as_written, nothing_to_change, written};
use crate::changes::Watched;
use crate::error::CheckError;
use crate::postgres::Postgres;
use crate::preset::Table;

const ROW: &str = include_str!("../../setup/postgres/rehearse_copy_row.sql");
const TABLE: &str = include_str!("../../setup/postgres/rehearse_copy_table.sql");
const TRIGGERS: &str = include_str!("../../setup/postgres/rehearse_copy_triggers.sql");
const IMAGES: &str = include_str!("../../setup/postgres/rehearse_images.sql");
const INSERT: &str = include_str!("../../setup/postgres/rehearse_insert.sql");
const UPDATE: &str = include_str!("../../setup/postgres/rehearse_update.sql");
const DELETE: &str = include_str!("../../setup/postgres/rehearse_delete.sql");
const TRUNCATE: &str = include_str!("../../setup/postgres/rehearse_truncate.sql");

/// What is done to a copy.
struct Act {
    name: &'static str,
    change: &'static str,
    /// The copy has the row before.
    is_filled: bool,
    /// It is about the table, not about the row.
    is_of_all: bool,
}

const ACTS: &[Act] = &[
    Act {
        name: "INSERT",
        change: INSERT,
        is_filled: false,
        is_of_all: false,
    },
    Act {
        name: "UPDATE",
        change: UPDATE,
        is_filled: true,
        is_of_all: false,
    },
    Act {
        name: "DELETE",
        change: DELETE,
        is_filled: true,
        is_of_all: false,
    },
    Act {
        name: "TRUNCATE",
        change: TRUNCATE,
        is_filled: true,
        is_of_all: true,
    },
];

/// Does to a copy of each table what can be judged there: for a table of the preset everything and to
/// the letter, for another one only whether something is written.
pub(super) async fn rehearse(
    postgres: &Postgres,
    tables: &[(Watched, Option<&'static Table>)],
) -> Result<Vec<Rehearsal>, CheckError> {
    let mut rehearsals = Vec::with_capacity(tables.len() * ACTS.len());
    for (watched, table) in tables {
        for act in ACTS {
            if table.is_none() && act.change == UPDATE {
                continue;
            }
            rehearsals.push(Rehearsal {
                name: format!("{} ({})", watched.name, act.name),
                verdict: allowed(play(postgres, watched, *table, act).await)?,
            });
        }
    }
    Ok(rehearsals)
}

async fn play(
    postgres: &Postgres,
    watched: &Watched,
    table: Option<&Table>,
    act: &Act,
) -> Result<Verdict, sqlx::Error> {
    let key = table.map_or("", |table| table.key);
    let here = |sql: &str| {
        sql.replace("'{table}'", &watched.literal())
            .replace("{table}", &watched.quoted)
            .replace("{key}", &format!("\"{key}\""))
    };
    let mut script = vec![here(ROW), here(TABLE)];
    if act.is_filled {
        script.push(here(INSERT));
    }
    script.extend([TRIGGERS, act.change, IMAGES, WRITTEN].map(here));
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    let rows = postgres.rehearse(&script).await?;
    let [.., images, looked] = rows.as_slice() else {
        return Err(sqlx::Error::RowNotFound);
    };
    if images.is_empty() {
        return Ok(nothing_to_change());
    }
    let written = written(looked)?;
    let Some(table) = table else {
        return Ok(if written.is_empty() {
            Verdict::Silent
        } else {
            Verdict::Reported
        });
    };
    let expected = expected(table, act, images)?;
    Ok(if written == expected {
        Verdict::Passed
    } else {
        Verdict::differs(written, expected)
    })
}

fn expected(table: &Table, act: &Act, images: &[PgRow]) -> Result<BTreeSet<String>, sqlx::Error> {
    let mut deps = Vec::new();
    if act.is_of_all {
        deps.extend(table.entities.iter().map(|entity| Dep::of_entity(entity)));
        deps.extend(table.all_sets.iter().map(|set| Dep::new(*set)));
    } else {
        for image in images {
            let image: String = image.try_get("image")?;
            let image: serde_json::Value = serde_json::from_str(&image)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let keys = table
                .rows
                .iter()
                .filter_map(|(entity, column)| Some((entity, text(image.get(column)?)?)));
            deps.extend(keys.map(|(entity, key)| Dep::of_key(entity, &key)));
        }
        deps.extend(table.sets.iter().map(|set| Dep::new(*set)));
    }
    Ok(deps.iter().map(as_written).collect())
}

/// A column as SQL casts it to text; nothing for NULL.
fn text(value: &serde_json::Value) -> Option<String> {
    match value.as_str() {
        Some(text) => Some(text.to_owned()),
        None => (!value.is_null()).then(|| value.to_string()),
    }
}
