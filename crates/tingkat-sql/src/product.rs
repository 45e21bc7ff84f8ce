//! Loading products, and which product has a sku or a slug.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use tingkat::certificate::Dep;
use tingkat::ports::Loaded;
use tingkat_shop::money::{Currency, Money};
use tingkat_shop::product::{
    CategoryName, Image, Product, ProductBodies, ProductId, Promotion, Sku, SkuOwner, Slug,
    SlugOwner, Status, Variant,
};

use crate::columns::{Json, columns};
use crate::error::ColumnError;
use crate::rows::Row;
use crate::statement::{PRODUCT_LOAD, PRODUCT_SKU_LOAD, PRODUCT_SLUG_LOAD, Statement};

columns! {
    /// What is loaded of a product.
    pub(crate) struct ProductRow {
        id: ProductId,
        sku: Sku,
        slug: Slug,
        name: String,
        description: String,
        status: Status,
        currency: Currency,
        regular_price: i64,
        member_price: i64,
        promotional_price: Option<i64>,
        promotion_starts_at: Option<Timestamp>,
        promotion_ends_at: Option<Timestamp>,
        stock_quantity: i64,
        low_stock_at: i64,
        featured: bool,
        categories: Json<Vec<CategoryRow>>,
        images: Json<Vec<ImageRow>>,
        variants: Json<Vec<VariantRow>>,
        version: i64,
        updated_at: Timestamp,
    }
}

columns! {
    /// Which product has a sku.
    pub(crate) struct SkuRow {
        sku: String,
        id: ProductId,
    }
}

columns! {
    /// Which product has a slug.
    pub(crate) struct SlugRow {
        slug: String,
        id: ProductId,
    }
}

#[derive(Deserialize)]
pub(crate) struct CategoryRow {
    id: String,
    slug: String,
    name: String,
    active: bool,
    /// Its own id and those above it; a statement of the operator's may know of none.
    #[serde(default)]
    path: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct ImageRow {
    url: String,
    alt: String,
}

#[derive(Deserialize)]
pub(crate) struct VariantRow {
    sku: String,
    name: String,
    value: String,
    regular_price: i64,
    member_price: i64,
    stock_quantity: i64,
}

impl Row for Product {
    const LOAD: Statement = PRODUCT_LOAD;
    const KEY: &'static str = "id";
    type Columns = ProductRow;

    fn read(row: ProductRow) -> Result<Loaded<Self>, ColumnError> {
        let currency = row.currency;
        let money = |amount| Money { amount, currency };
        let rows = row.categories.0;
        let ways = ways(&rows);
        let shown = rows.into_iter().filter(|category| category.active);
        let promotion = row.promotional_price.map(|amount| Promotion {
            price: money(amount),
            starts_at: row.promotion_starts_at,
            ends_at: row.promotion_ends_at,
        });
        let product = Self {
            id: row.id,
            sku: row.sku,
            slug: row.slug,
            name: row.name,
            description: row.description,
            status: row.status,
            regular_price: money(row.regular_price),
            member_price: money(row.member_price),
            promotion,
            stock_quantity: row.stock_quantity,
            low_stock_at: row.low_stock_at,
            featured: row.featured,
            categories: shown.map(category).collect(),
            images: row.images.0.into_iter().map(image).collect(),
            variants: variants(row.variants.0, currency)?,
            version: row.version,
            updated_at: row.updated_at,
            bodies: ProductBodies::default(),
        };
        Ok(Loaded::value(product).deps(ways))
    }
}

/// The rows that decide whether these categories are shown: the hidden ones, and all that are above
/// any of them, there or not. What a product shows, it depends on by itself.
fn ways(categories: &[CategoryRow]) -> Vec<Dep> {
    let (shown, hidden): (Vec<_>, Vec<_>) = categories.iter().partition(|category| category.active);
    let shown: BTreeSet<&String> = shown.into_iter().map(|category| &category.id).collect();
    let above = categories.iter().flat_map(|category| &category.path);
    let ids: BTreeSet<&String> = above
        .chain(hidden.into_iter().map(|category| &category.id))
        .filter(|id| !shown.contains(id))
        .collect();
    ids.into_iter()
        .map(|id| Dep::of_key("category", id))
        .collect()
}

fn category(row: CategoryRow) -> CategoryName {
    CategoryName {
        id: row.id,
        slug: row.slug,
        name: row.name,
    }
}

fn image(row: ImageRow) -> Image {
    Image {
        url: row.url,
        alt: row.alt,
    }
}

fn variants(rows: Vec<VariantRow>, currency: Currency) -> Result<Vec<Variant>, ColumnError> {
    let variant = |row: VariantRow| {
        Ok(Variant {
            sku: row
                .sku
                .parse()
                .map_err(|error| ColumnError::new("variants", error))?,
            name: row.name,
            value: row.value,
            regular_price: Money {
                amount: row.regular_price,
                currency,
            },
            member_price: Money {
                amount: row.member_price,
                currency,
            },
            stock_quantity: row.stock_quantity,
        })
    };
    rows.into_iter().map(variant).collect()
}

impl Row for SkuOwner {
    const LOAD: Statement = PRODUCT_SKU_LOAD;
    const KEY: &'static str = "sku";
    type Columns = SkuRow;

    fn read(SkuRow { sku: _sku, id }: SkuRow) -> Result<Loaded<Self>, ColumnError> {
        Ok(Loaded::value(Self(id)))
    }
}

impl Row for SlugOwner {
    const LOAD: Statement = PRODUCT_SLUG_LOAD;
    const KEY: &'static str = "slug";
    type Columns = SlugRow;

    fn read(SlugRow { slug: _slug, id }: SlugRow) -> Result<Loaded<Self>, ColumnError> {
        Ok(Loaded::value(Self(id)))
    }
}
