//! Whether what triggers write is what entries depend on: a change is made and undone. The log must
//! have got all of its deps and no others, and an entry that shows it must depend on one of them.

mod copies;

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::error::SourceError;
use tingkat::key::Key as _;
use tingkat::ports::{Found, Source, Wanted};
use tingkat_shop::postcode::Postcode;
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

use crate::changes::Watched;
use crate::database::Database;
use crate::error::{CheckError, sqlstate};
use crate::postgres::Postgres;
use crate::preset::{Preset, Table};
use crate::rows::Rows;

const WRITTEN: &str = include_str!("../setup/postgres/rehearse_written.sql");

/// Triggers cut names after so many characters.
const LONGEST_DEP: usize = 600;

/// A change that was made and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// What was changed: a table, a column of it, or how a copy of it was.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The log got what it must, and the entry that shows it would be refused.
    Passed,
    /// The log got other deps than it must.
    Differs {
        /// What the triggers wrote.
        written: Vec<String>,
        /// What they had to write.
        expected: Vec<String>,
    },
    /// The entry would not be refused: these are the deps of the log, and those of the entry.
    Failed {
        /// What the triggers wrote.
        written: Vec<String>,
        /// What the entry depends on.
        depends_on: Vec<String>,
    },
    /// The log got something; what it must, only the operator knows.
    Reported,
    /// The log got nothing.
    Silent,
    /// The entry that shows it can not be loaded.
    Unreadable(String),
    /// It could not be made.
    Skipped(String),
}

type Deps = for<'a> fn(&'a Database, &'a str) -> BoxFuture<'a, Result<Vec<Dep>, SourceError>>;

struct Play {
    /// The table, or a column of it.
    name: &'static str,
    /// What is added to the name where another one has it, too.
    how: &'static str,
    change: &'static str,
    /// What the entry of a key depends on.
    deps: Deps,
}

impl Play {
    fn table(&self) -> &'static str {
        self.name
            .split_once('.')
            .map_or(self.name, |(table, _)| table)
    }
}

macro_rules! plays {
    ($directory:literal, $($name:literal, $how:literal, $file:literal, $deps:expr;)*) => {
        &[$(Play {
            name: $name,
            how: $how,
            change: include_str!(concat!("../setup/", $directory, "/rehearse_", $file, ".sql")),
            deps: $deps,
        }),*]
    };
}

const OF_TINGKAT: &[Play] = plays! {
    "postgres",
    "category", "", "category", deps_of_product;
    "postcode", "", "postcode", deps_of_postcode;
    "product", "", "product", deps_of_product;
    "product.sku", "", "product_sku", deps_of_sku;
    "product.slug", "", "product_slug", deps_of_slug;
    "product_category", "", "product_category", deps_of_product;
    "product_image", "", "product_image", deps_of_product;
    "product_variant", "", "product_variant", deps_of_product;
    "state", "", "state", deps_of_postcode;
    "state", " (a new one)", "states", deps_of_states;
};

const OF_PRISMA: &[Play] = plays! {
    "prisma",
    "categories", "", "category", deps_of_product;
    "malaysian_postcodes", "", "postcode", deps_of_postcode;
    "products", "", "product", deps_of_product;
    "products.sku", "", "product_sku", deps_of_sku;
    "products.slug", "", "product_slug", deps_of_slug;
    "product_categories", "", "product_category", deps_of_product;
    "product_images", "", "product_image", deps_of_product;
    "product_variants", "", "product_variant", deps_of_product;
    "malaysian_states", "", "state", deps_of_postcode;
    "malaysian_states", " (a new one)", "states", deps_of_states;
};

const fn plays(preset: Preset) -> &'static [Play] {
    match preset {
        Preset::Tingkat => OF_TINGKAT,
        Preset::Prisma => OF_PRISMA,
    }
}

impl Database {
    /// Makes a change in each table of the store, looks at what the log got, and undoes it. Takes the
    /// lock of one row for a moment, and needs a role that may write. What would lock more, or meet
    /// other constraints of the store, is done to a temporary copy with the same triggers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rehearse(&self) -> Result<Vec<Rehearsal>, CheckError> {
        let Some(postgres) = self.postgres() else {
            return Ok(Vec::new());
        };
        let queries = self.queries();
        let tables = self.to_watch().await?;
        let tables: Vec<(Watched, Option<&Table>)> = tables
            .into_iter()
            .map(|watched| {
                let mut of_preset = queries.preset_tables();
                let table = of_preset.find(|table| table.name == watched.name);
                (watched, table)
            })
            .collect();
        let mut rehearsals = Vec::new();
        for play in plays(queries.preset()) {
            // The operator's own tables have other columns.
            if !tables
                .iter()
                .any(|(_, table)| table.is_some_and(|it| it.name == play.table()))
            {
                continue;
            }
            rehearsals.push(Rehearsal {
                name: format!("{}{}", play.name, play.how),
                verdict: allowed(self.play(postgres, play).await)?,
            });
        }
        rehearsals.extend(copies::rehearse(postgres, &tables).await?);
        Ok(rehearsals)
    }

    async fn play(&self, postgres: &Postgres, play: &Play) -> Result<Verdict, sqlx::Error> {
        let rows = postgres.rehearse(&[play.change, WRITTEN]).await?;
        let [changed, looked] = rows.as_slice() else {
            return Err(sqlx::Error::RowNotFound);
        };
        let Some(row) = changed.first() else {
            return Ok(nothing_to_change());
        };
        let key: String = row.try_get("key")?;
        let written = written(looked)?;
        let expected = expected(row)?;
        if written != expected {
            return Ok(Verdict::differs(written, expected));
        }
        let deps = match (play.deps)(self, &key).await {
            Ok(deps) => deps,
            Err(error) => return Ok(Verdict::Unreadable(error.to_string())),
        };
        let depends_on: Vec<String> = deps.iter().map(|dep| dep.name().to_owned()).collect();
        Ok(if written.iter().any(|dep| depends_on.contains(dep)) {
            Verdict::Passed
        } else {
            Verdict::Failed {
                written: written.into_iter().collect(),
                depends_on,
            }
        })
    }
}

impl Verdict {
    fn differs(written: BTreeSet<String>, expected: BTreeSet<String>) -> Self {
        Self::Differs {
            written: written.into_iter().collect(),
            expected: expected.into_iter().collect(),
        }
    }
}

pub(crate) fn nothing_to_change() -> Verdict {
    Verdict::Skipped("there is no row to change".into())
}

/// What came of a rehearsal that the server may not have let us make.
fn allowed(verdict: Result<Verdict, sqlx::Error>) -> Result<Verdict, CheckError> {
    match verdict {
        Ok(verdict) => Ok(verdict),
        // It answered.
        Err(error) if sqlstate(&error).is_some() => Ok(Verdict::Skipped(error.to_string())),
        Err(error) => Err(CheckError::of(error)),
    }
}

/// What the log got.
fn written(looked: &[PgRow]) -> Result<BTreeSet<String>, sqlx::Error> {
    looked.iter().map(|row| row.try_get("dep")).collect()
}

/// What a change is to write.
fn expected(row: &PgRow) -> Result<BTreeSet<String>, sqlx::Error> {
    let deps: String = row.try_get("deps")?;
    let deps: Vec<(String, Option<String>)> =
        serde_json::from_str(&deps).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let named = deps.into_iter().map(|(entity, key)| match key {
        Some(key) => Dep::of_key(&entity, &key),
        None => Dep::new(entity),
    });
    Ok(named.map(|dep| as_written(&dep)).collect())
}

/// The name of a dep as triggers write it: an index takes no longer ones.
fn as_written(dep: &Dep) -> String {
    dep.name().chars().take(LONGEST_DEP).collect()
}

/// All deps by which an entry is judged.
async fn deps<E: Entity>(
    source: &dyn Source<E::Key, E>,
    key: &str,
) -> Result<Vec<Dep>, SourceError> {
    let parsed = E::Key::parse(key);
    let parsed = parsed.map_err(|error| SourceError::fatal(error.to_string()))?;
    let mut deps = vec![
        Dep::of_key(E::NAME, &parsed.text()),
        Dep::of_entity(E::NAME),
        Dep::everything(),
    ];
    let wanted = [Wanted {
        key: parsed,
        known: None,
    }];
    for loaded in source.load(&wanted).await?.loaded {
        deps.extend(loaded.deps);
        match loaded.found {
            Found::Value(value) => deps.extend(value.deps()),
            Found::Failed(error) => return Err(error),
            Found::Absent | Found::NotModified | Found::Uncached(_) => {}
        }
    }
    Ok(deps)
}

macro_rules! deps_of {
    ($($function:ident, $entity:ty, $open:ident;)*) => {$(
        fn $function<'a>(
            database: &'a Database,
            key: &'a str,
        ) -> BoxFuture<'a, Result<Vec<Dep>, SourceError>> {
            Box::pin(async move {
                let source = Rows::$open(database.clone());
                deps::<$entity>(&source, key).await
            })
        }
    )*};
}

deps_of! {
    deps_of_product, Product, new;
    deps_of_sku, SkuOwner, new;
    deps_of_slug, SlugOwner, new;
    deps_of_postcode, Postcode, new;
    deps_of_states, StateList, whole;
}
