//! The tables of a Prisma storefront.

use tingkat::entity::Entity as _;
use tingkat_shop::postcode::Postcode;
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

use super::{CATEGORY, Changes, MEMBERS, STATE, Table};

macro_rules! changes {
    ($name:literal) => {
        Changes::Deps(include_str!(concat!(
            "../../setup/prisma/changes/",
            $name,
            ".sql"
        )))
    };
}

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "categories",
        key: "id",
        rows: &[(CATEGORY, "id")],
        sets: &["categories.tree"],
        entities: &[CATEGORY, Product::NAME],
        all_sets: &["categories.tree", "products.list"],
        changes: changes!("categories"),
    },
    Table {
        name: "malaysian_postcodes",
        key: "postcode",
        rows: &[(Postcode::NAME, "postcode")],
        sets: &["postcodes.list"],
        entities: &[Postcode::NAME],
        all_sets: &["postcodes.list"],
        changes: changes!("malaysian_postcodes"),
    },
    Table {
        name: "malaysian_states",
        key: "id",
        rows: &[(STATE, "id")],
        sets: &["states.list"],
        entities: &[StateList::NAME, Postcode::NAME],
        all_sets: &["states.list", "postcodes.list"],
        changes: changes!("malaysian_states"),
    },
    Table {
        name: "product_categories",
        key: "categoryId",
        rows: &[(Product::NAME, "productId"), (MEMBERS, "categoryId")],
        sets: &[],
        entities: &[Product::NAME],
        all_sets: &["products.list"],
        changes: changes!("product_categories"),
    },
    Table {
        name: "product_images",
        key: "productId",
        rows: &[(Product::NAME, "productId")],
        sets: &[],
        entities: &[Product::NAME],
        all_sets: &[],
        changes: changes!("product_images"),
    },
    Table {
        name: "product_variants",
        key: "productId",
        rows: &[(Product::NAME, "productId"), (SkuOwner::NAME, "sku")],
        sets: &[],
        entities: &[Product::NAME, SkuOwner::NAME],
        all_sets: &[],
        changes: changes!("product_variants"),
    },
    Table {
        name: "products",
        key: "id",
        rows: &[
            (Product::NAME, "id"),
            (SkuOwner::NAME, "sku"),
            (SlugOwner::NAME, "slug"),
        ],
        sets: &["products.list"],
        entities: &[Product::NAME, SkuOwner::NAME, SlugOwner::NAME],
        all_sets: &["products.list"],
        changes: changes!("products"),
    },
];
