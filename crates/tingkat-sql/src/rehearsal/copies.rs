//! All that can be done to a table, done to a copy of it that has the same triggers: nobody waits for
//! a lock, and no other constraint of the store is in the way.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tingkat::certificate::Dep;
use tingkat::entity::Entity as _;
use tingkat_shop::postcode::Postcode;
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

use super::{Rehearsal, Verdict, WRITTEN, allowed, as_written, nothing_to_change, written};
use crate::error::CheckError;
use crate::postgres::Postgres;

const ROW: &str = include_str!("../../setup/postgres/rehearse_copy_row.sql");
const TABLE: &str = include_str!("../../setup/postgres/rehearse_copy_table.sql");
const TRIGGERS: &str = include_str!("../../setup/postgres/rehearse_copy_triggers.sql");
const IMAGES: &str = include_str!("../../setup/postgres/rehearse_images.sql");
const INSERT: &str = include_str!("../../setup/postgres/rehearse_insert.sql");
const UPDATE: &str = include_str!("../../setup/postgres/rehearse_update.sql");
const DELETE: &str = include_str!("../../setup/postgres/rehearse_delete.sql");
const TRUNCATE: &str = include_str!("../../setup/postgres/rehearse_truncate.sql");

/// Shown by nobody yet: entities that listings will be.
const CATEGORY: &str = "category";
const MEMBERS: &str = "category.members";
const STATE: &str = "state";

/// What changes of a table write.
struct Watched {
    table: &'static str,
    /// The column that an update changes: all deps of the row are others then.
    key: &'static str,
    /// Entities, and the columns that are the keys of what a row belongs to.
    rows: &'static [(&'static str, &'static str)],
    /// Sets that a row is in.
    sets: &'static [&'static str],
    /// What every row is gone from when the table is emptied: whole entities, and sets.
    entities: &'static [&'static str],
    all_sets: &'static [&'static str],
}

/// A table whose rows only products show.
const fn part_of_product(table: &'static str) -> Watched {
    Watched {
        table,
        key: "product_id",
        rows: &[(Product::NAME, "product_id")],
        sets: &[],
        entities: &[Product::NAME],
        all_sets: &[],
    }
}

const ALL: &[Watched] = &[
    Watched {
        table: "category",
        key: "id",
        rows: &[(CATEGORY, "id")],
        sets: &["categories.tree"],
        entities: &[CATEGORY, Product::NAME],
        all_sets: &["categories.tree", "products.list"],
    },
    Watched {
        table: "postcode",
        key: "code",
        rows: &[(Postcode::NAME, "code")],
        sets: &["postcodes.list"],
        entities: &[Postcode::NAME],
        all_sets: &["postcodes.list"],
    },
    Watched {
        table: "product",
        key: "id",
        rows: &[
            (Product::NAME, "id"),
            (SkuOwner::NAME, "sku"),
            (SlugOwner::NAME, "slug"),
        ],
        sets: &["products.list"],
        entities: &[Product::NAME, SkuOwner::NAME, SlugOwner::NAME],
        all_sets: &["products.list"],
    },
    Watched {
        table: "product_category",
        key: "category_id",
        rows: &[(Product::NAME, "product_id"), (MEMBERS, "category_id")],
        sets: &[],
        entities: &[Product::NAME],
        all_sets: &["products.list"],
    },
    part_of_product("product_image"),
    part_of_product("product_variant"),
    Watched {
        table: "state",
        key: "code",
        rows: &[(STATE, "code")],
        sets: &["states.list"],
        entities: &[StateList::NAME, Postcode::NAME],
        all_sets: &["states.list", "postcodes.list"],
    },
];

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

/// Does everything to a copy of each table.
pub(super) async fn rehearse(postgres: &Postgres) -> Result<Vec<Rehearsal>, CheckError> {
    let mut rehearsals = Vec::with_capacity(ALL.len() * ACTS.len());
    for watched in ALL {
        for act in ACTS {
            rehearsals.push(Rehearsal {
                name: format!("{} ({})", watched.table, act.name),
                verdict: allowed(watched.play(postgres, act).await)?,
            });
        }
    }
    Ok(rehearsals)
}

impl Watched {
    async fn play(&self, postgres: &Postgres, act: &Act) -> Result<Verdict, sqlx::Error> {
        let here = |sql: &str| {
            sql.replace("{table}", self.table)
                .replace("{key}", self.key)
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
        let (written, expected) = (written(looked)?, self.expected(act, images)?);
        Ok(if written == expected {
            Verdict::Passed
        } else {
            Verdict::differs(written, expected)
        })
    }

    fn expected(&self, act: &Act, images: &[PgRow]) -> Result<BTreeSet<String>, sqlx::Error> {
        let mut deps = Vec::new();
        if act.is_of_all {
            deps.extend(self.entities.iter().map(|entity| Dep::of_entity(entity)));
            deps.extend(self.all_sets.iter().map(|set| Dep::new(*set)));
        } else {
            for image in images {
                let image: String = image.try_get("image")?;
                let image: serde_json::Value = serde_json::from_str(&image)
                    .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
                let keys = self
                    .rows
                    .iter()
                    .filter_map(|(entity, column)| Some((entity, text(image.get(column)?)?)));
                deps.extend(keys.map(|(entity, key)| Dep::of_key(entity, &key)));
            }
            deps.extend(self.sets.iter().map(|set| Dep::new(*set)));
        }
        Ok(deps.iter().map(as_written).collect())
    }
}

/// A column as SQL casts it to text; nothing for NULL.
fn text(value: &serde_json::Value) -> Option<String> {
    match value.as_str() {
        Some(text) => Some(text.to_owned()),
        None => (!value.is_null()).then(|| value.to_string()),
    }
}
