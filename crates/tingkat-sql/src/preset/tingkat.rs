//! The tables of the demo store.

use tingkat::entity::Entity as _;
use tingkat_shop::postcode::Postcode;
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

use super::{CATEGORY, Changes, MEMBERS, STATE, Table};

macro_rules! changes {
    ($name:literal) => {
        Changes::Function(include_str!(concat!(
            "../../setup/postgres/changes/",
            $name,
            ".sql"
        )))
    };
}

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "category",
        key: "id",
        rows: &[(CATEGORY, "id")],
        sets: &["categories.tree"],
        entities: &[CATEGORY, Product::NAME],
        all_sets: &["categories.tree", "products.list"],
        changes: changes!("category"),
    },
    Table {
        name: "postcode",
        key: "code",
        rows: &[(Postcode::NAME, "code")],
        sets: &["postcodes.list"],
        entities: &[Postcode::NAME],
        all_sets: &["postcodes.list"],
        changes: changes!("postcode"),
    },
    Table {
        name: "product",
        key: "id",
        rows: &[
            (Product::NAME, "id"),
            (SkuOwner::NAME, "sku"),
            (SlugOwner::NAME, "slug"),
        ],
        sets: &["products.list"],
        entities: &[Product::NAME, SkuOwner::NAME, SlugOwner::NAME],
        all_sets: &["products.list"],
        changes: changes!("product"),
    },
    Table {
        name: "product_category",
        key: "category_id",
        rows: &[(Product::NAME, "product_id"), (MEMBERS, "category_id")],
        sets: &[],
        entities: &[Product::NAME],
        all_sets: &["products.list"],
        changes: changes!("product_category"),
    },
    Table {
        name: "product_image",
        key: "product_id",
        rows: &[(Product::NAME, "product_id")],
        sets: &[],
        entities: &[Product::NAME],
        all_sets: &[],
        changes: changes!("product_image"),
    },
    Table {
        name: "product_variant",
        key: "product_id",
        rows: &[(Product::NAME, "product_id"), (SkuOwner::NAME, "sku")],
        sets: &[],
        entities: &[Product::NAME, SkuOwner::NAME],
        all_sets: &[],
        changes: changes!("product_variant"),
    },
    Table {
        name: "state",
        key: "code",
        rows: &[(STATE, "code")],
        sets: &["states.list"],
        entities: &[StateList::NAME, Postcode::NAME],
        all_sets: &["states.list", "postcodes.list"],
        changes: changes!("state"),
    },
];
