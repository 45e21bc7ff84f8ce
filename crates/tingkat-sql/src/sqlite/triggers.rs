//! Whether the triggers are there that write the change log: a table that is dropped and made anew
//! has none.

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::file::CHANGES;
use crate::coherence::TriggerReport;

const TRIGGERS: &str = include_str!("../../setup/sqlite/log_triggers.sql");

/// Each with its table, as the migration creates them.
fn wanted() -> Vec<[&'static str; 2]> {
    CHANGES
        .split("CREATE TRIGGER ")
        .skip(1)
        .filter_map(|text| {
            let mut words = text.split_whitespace();
            let name = words.next()?;
            words.find(|word| *word == "ON")?;
            Some([words.next()?, name])
        })
        .collect()
}

pub(super) async fn report(
    connection: &mut SqliteConnection,
) -> Result<TriggerReport, sqlx::Error> {
    let wanted =
        serde_json::to_string(&wanted()).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let rows = sqlx::query(TRIGGERS)
        .bind(wanted)
        .fetch_all(connection)
        .await?;
    let mut report = TriggerReport::default();
    for row in rows {
        let name = row.try_get("name")?;
        if row.try_get("is_whole")? {
            report.watched.push(name);
        } else {
            report.missing.push(name);
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::preset::Preset;

    #[test]
    fn every_table_that_is_read_has_triggers_for_every_kind_of_change() {
        let tables: BTreeSet<&str> = wanted().iter().map(|[table, _]| *table).collect();
        let watched = Preset::Tingkat.tables().iter().map(|table| table.name);
        assert_eq!(tables, watched.clone().collect());
        for table in watched {
            for change in ["insert", "update", "delete"] {
                let name = format!("tingkat_{table}_{change}");
                assert!(wanted().contains(&[table, name.as_str()]), "{name}");
            }
        }
    }
}
