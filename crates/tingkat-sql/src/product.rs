//! Loading products, and which product has a sku or a slug.

use serde::Deserialize;
use tingkat::certificate::Dep;
use tingkat::ports::Loaded;
use tingkat_shop::money::{Currency, Money};
use tingkat_shop::product::{
    CategoryName, Image, Product, Promotion, SkuOwner, SlugOwner, Status, Variant,
};

use crate::error::ColumnError;
use crate::record::Record;
use crate::rows::Row;
use crate::statement::{PRODUCT_LOAD, PRODUCT_SKU_LOAD, PRODUCT_SLUG_LOAD, Statement};

#[derive(Deserialize)]
struct CategoryRow {
    id: String,
    slug: String,
    name: String,
    active: bool,
}

#[derive(Deserialize)]
struct ImageRow {
    url: String,
    alt: String,
}

#[derive(Deserialize)]
struct VariantRow {
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

    fn read(record: &Record) -> Result<Loaded<Self>, ColumnError> {
        let currency: Currency = record.parsed("currency")?;
        let money = |amount| Money { amount, currency };
        let categories: Vec<CategoryRow> = record.json("categories")?;
        let (shown, hidden): (Vec<_>, Vec<_>) =
            categories.into_iter().partition(|category| category.active);
        let product = Self {
            id: record.parsed("id")?,
            sku: record.parsed("sku")?,
            slug: record.parsed("slug")?,
            name: record.text("name")?,
            description: record.text("description")?,
            status: record.named("status", Status::from_name)?,
            regular_price: money(record.number("regular_price")?),
            member_price: money(record.number("member_price")?),
            promotion: promotion(record, currency)?,
            stock_quantity: record.number("stock_quantity")?,
            low_stock_at: record.number("low_stock_at")?,
            featured: record.flag("featured")?,
            categories: shown.into_iter().map(category).collect(),
            images: record
                .json::<Vec<ImageRow>>("images")?
                .into_iter()
                .map(image)
                .collect(),
            variants: variants(record, currency)?,
            version: record.number("version")?,
            updated_at: record.time("updated_at")?,
        };
        // A hidden category's row decides that it is hidden: without its dep, the product would not
        // notice that the category is shown again.
        let hidden = hidden
            .iter()
            .map(|category| Dep::of_key("category", &category.id));
        Ok(Loaded::value(product).deps(hidden))
    }
}

fn promotion(record: &Record, currency: Currency) -> Result<Option<Promotion>, ColumnError> {
    let Some(amount) = record.number_or_null("promotional_price")? else {
        return Ok(None);
    };
    Ok(Some(Promotion {
        price: Money { amount, currency },
        starts_at: record.time_or_null("promotion_starts_at")?,
        ends_at: record.time_or_null("promotion_ends_at")?,
    }))
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

fn variants(record: &Record, currency: Currency) -> Result<Vec<Variant>, ColumnError> {
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
    record
        .json::<Vec<VariantRow>>("variants")?
        .into_iter()
        .map(variant)
        .collect()
}

impl Row for SkuOwner {
    const LOAD: Statement = PRODUCT_SKU_LOAD;
    const KEY: &'static str = "sku";

    fn read(record: &Record) -> Result<Loaded<Self>, ColumnError> {
        Ok(Loaded::value(Self(record.parsed("id")?)))
    }
}

impl Row for SlugOwner {
    const LOAD: Statement = PRODUCT_SLUG_LOAD;
    const KEY: &'static str = "slug";

    fn read(record: &Record) -> Result<Loaded<Self>, ColumnError> {
        Ok(Loaded::value(Self(record.parsed("id")?)))
    }
}
