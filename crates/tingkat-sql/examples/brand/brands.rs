//! Step 2: where brands are loaded from, and what their rows report when they change.

use std::collections::HashMap;

use futures::future::BoxFuture;
use sqlx::{Row as _, SqlitePool};
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Loaded, Source, Wanted};

use crate::brand::Brand;

/// The table, and its triggers: a changed row tells the change log which entry it is in.
pub(crate) const TABLE: &str = "
    CREATE TABLE brand (id integer PRIMARY KEY, name text NOT NULL, country text NOT NULL);
    CREATE TRIGGER brand_insert AFTER INSERT ON brand
    BEGIN INSERT INTO tingkat_change (dep) VALUES ('brand:' || new.id); END;
    CREATE TRIGGER brand_update AFTER UPDATE ON brand
    BEGIN INSERT INTO tingkat_change (dep) VALUES ('brand:' || old.id), ('brand:' || new.id); END;
    CREATE TRIGGER brand_delete AFTER DELETE ON brand
    BEGIN INSERT INTO tingkat_change (dep) VALUES ('brand:' || old.id); END";

const LOAD: &str = "
    SELECT brand.id, brand.name, brand.country
    FROM json_each(?1) AS wanted
    JOIN brand ON brand.id = wanted.value";

/// The table as a source.
pub(crate) struct Brands(pub(crate) SqlitePool);

impl Source<u64, Brand> for Brands {
    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<u64, Brand>],
    ) -> BoxFuture<'a, Result<Batch<Brand>, SourceError>> {
        Box::pin(async move {
            let failed = |error: sqlx::Error| SourceError::transient(error.to_string());
            let ids: Vec<String> = wanted.iter().map(|wanted| wanted.key.to_string()).collect();
            let rows = sqlx::query(LOAD)
                .bind(format!("[{}]", ids.join(",")))
                .fetch_all(&self.0)
                .await
                .map_err(failed)?;
            let mut found = HashMap::new();
            for row in rows {
                let id: i64 = row.try_get("id").map_err(failed)?;
                let name = row.try_get("name").map_err(failed)?;
                let country = row.try_get("country").map_err(failed)?;
                found.insert(id.cast_unsigned(), Brand { name, country });
            }
            let loaded = wanted.iter().map(|wanted| {
                let brand = found.remove(&wanted.key);
                brand.map_or_else(Loaded::absent, Loaded::value)
            });
            Ok(Batch {
                loaded: loaded.collect(),
                // The engine asks the change log before it loads instead.
                certificate: None,
            })
        })
    }
}
