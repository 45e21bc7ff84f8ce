//! Whether what triggers write is what entries depend on: a change is made and undone, and an entry
//! that shows it must be refused by what the log got.

use futures::future::BoxFuture;
use sqlx::Row as _;
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::error::SourceError;
use tingkat::key::Key as _;
use tingkat::ports::{Found, Source, Wanted};
use tingkat_shop::postcode::Postcode;
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

use crate::database::Database;
use crate::error::{CheckError, sqlstate};
use crate::postgres::Postgres;
use crate::rows::Rows;
use crate::state::StateRows;

const WRITTEN: &str = include_str!("../setup/postgres/rehearse_written.sql");

/// A change that was made and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// What was changed: a table, or a column of it.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The entry that shows it would be refused.
    Passed,
    /// It would not: these are the deps of the log, and those of the entry.
    Failed {
        /// What the triggers wrote.
        written: Vec<String>,
        /// What the entry depends on.
        depends_on: Vec<String>,
    },
    /// It could not be made.
    Skipped(String),
}

type Deps = for<'a> fn(&'a Database, &'a str) -> BoxFuture<'a, Result<Vec<Dep>, SourceError>>;

struct Play {
    name: &'static str,
    change: &'static str,
    /// What the entry of a key depends on.
    deps: Deps,
}

macro_rules! plays {
    ($($name:literal, $file:literal, $deps:expr;)*) => {
        &[$(Play {
            name: $name,
            change: include_str!(concat!("../setup/postgres/rehearse_", $file, ".sql")),
            deps: $deps,
        }),*]
    };
}

const PLAYS: &[Play] = plays! {
    "category", "category", deps_of_product;
    "postcode", "postcode", deps_of_postcode;
    "product", "product", deps_of_product;
    "product.sku", "product_sku", deps_of_sku;
    "product.slug", "product_slug", deps_of_slug;
    "product_category", "product_category", deps_of_product;
    "product_image", "product_image", deps_of_product;
    "product_variant", "product_variant", deps_of_product;
    "state", "state", deps_of_postcode;
    "state (a new one)", "states", deps_of_states;
};

impl Database {
    /// Makes a change in each table of the store, looks at what the log got, and undoes it. Takes the
    /// lock of one row for a moment, and needs a role that may write.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rehearse(&self) -> Result<Vec<Rehearsal>, CheckError> {
        let Some(postgres) = self.postgres() else {
            return Ok(Vec::new());
        };
        let mut rehearsals = Vec::with_capacity(PLAYS.len());
        for play in PLAYS {
            let verdict = match self.play(postgres, play).await {
                Ok(verdict) => verdict,
                // The server answered: it does not let us.
                Err(error) if sqlstate(&error).is_some() => Verdict::Skipped(error.to_string()),
                Err(error) => return Err(CheckError::of(error)),
            };
            rehearsals.push(Rehearsal {
                name: play.name,
                verdict,
            });
        }
        Ok(rehearsals)
    }

    async fn play(&self, postgres: &Postgres, play: &Play) -> Result<Verdict, sqlx::Error> {
        let (changed, looked) = postgres.rehearse(play.change, WRITTEN).await?;
        let Some(row) = changed.first() else {
            return Ok(Verdict::Skipped("there is no row to change".into()));
        };
        let key: String = row.try_get("key")?;
        let written: Vec<String> = looked
            .iter()
            .map(|row| row.try_get("dep"))
            .collect::<Result<_, _>>()?;
        let deps = match (play.deps)(self, &key).await {
            Ok(deps) => deps,
            Err(error) => return Ok(Verdict::Skipped(error.to_string())),
        };
        let depends_on: Vec<String> = deps.iter().map(|dep| dep.name().to_owned()).collect();
        Ok(if written.iter().any(|dep| depends_on.contains(dep)) {
            Verdict::Passed
        } else {
            Verdict::Failed {
                written,
                depends_on,
            }
        })
    }
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
        if let Found::Value(value) = loaded.found {
            deps.extend(value.deps());
        }
    }
    Ok(deps)
}

macro_rules! deps_of {
    ($($function:ident, $entity:ty, $source:ident;)*) => {$(
        fn $function<'a>(
            database: &'a Database,
            key: &'a str,
        ) -> BoxFuture<'a, Result<Vec<Dep>, SourceError>> {
            Box::pin(async move {
                let source = $source::new(database.clone());
                deps::<$entity>(&source, key).await
            })
        }
    )*};
}

deps_of! {
    deps_of_product, Product, Rows;
    deps_of_sku, SkuOwner, Rows;
    deps_of_slug, SlugOwner, Rows;
    deps_of_postcode, Postcode, Rows;
    deps_of_states, StateList, StateRows;
}
