//! A product as it is kept, and as it is answered.

use std::error::Error;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

#[derive(Clone, Deserialize, Serialize)]
pub struct Money {
    amount: i64,
    currency: String,
}

#[derive(Deserialize, Serialize)]
struct Promotion {
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

#[derive(Deserialize, Serialize)]
struct Category {
    id: String,
    slug: String,
    name: String,
}

#[derive(Deserialize, Serialize)]
struct Image {
    url: String,
    alt: String,
}

#[derive(Deserialize, Serialize)]
struct Variant {
    sku: String,
    name: String,
    value: String,
    regular_price: Money,
    member_price: Money,
    stock_quantity: i64,
}

/// A product without what depends on the time.
#[derive(Deserialize, Serialize)]
pub struct Product {
    id: String,
    sku: String,
    slug: String,
    name: String,
    description: String,
    status: String,
    regular_price: Money,
    member_price: Money,
    promotional_price: Option<Money>,
    promotion: Option<Promotion>,
    stock_quantity: i64,
    low_stock: bool,
    featured: bool,
    categories: Vec<Category>,
    images: Vec<Image>,
    variants: Vec<Variant>,
    version: i64,
    updated_at: Timestamp,
}

/// What is answered: with the price that a guest pays now.
#[derive(Serialize)]
pub struct Shown<'a> {
    #[serde(flatten)]
    product: &'a Product,
    price: &'a Money,
    in_stock: bool,
}

/// Categories and variants as the statement gives them.
#[derive(Deserialize)]
struct CategoryRow {
    #[serde(flatten)]
    category: Category,
    active: bool,
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

impl Product {
    pub fn from_row(row: &PgRow) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let currency: String = row.try_get("currency")?;
        let money = |amount| Money {
            amount,
            currency: currency.clone(),
        };
        let time = |column| -> Result<Option<Timestamp>, Box<dyn Error + Send + Sync>> {
            let micros: Option<i64> = row.try_get(column)?;
            Ok(micros.map(Timestamp::from_microsecond).transpose()?)
        };
        let json = |column| row.try_get::<String, _>(column);
        let stock_quantity: i64 = row.try_get("stock_quantity")?;
        let promotional_price: Option<i64> = row.try_get("promotional_price")?;
        let promotion = Promotion {
            starts_at: time("promotion_starts_at")?,
            ends_at: time("promotion_ends_at")?,
        };
        let categories: Vec<CategoryRow> = serde_json::from_str(&json("categories")?)?;
        let variants: Vec<VariantRow> = serde_json::from_str(&json("variants")?)?;
        Ok(Self {
            id: row.try_get("id")?,
            sku: row.try_get("sku")?,
            slug: row.try_get("slug")?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            status: row.try_get("status")?,
            regular_price: money(row.try_get("regular_price")?),
            member_price: money(row.try_get("member_price")?),
            promotional_price: promotional_price.map(money),
            promotion: promotional_price.is_some().then_some(promotion),
            stock_quantity,
            low_stock: stock_quantity <= row.try_get("low_stock_at")?,
            featured: row.try_get("featured")?,
            categories: categories
                .into_iter()
                .filter(|row| row.active)
                .map(|row| row.category)
                .collect(),
            images: serde_json::from_str(&json("images")?)?,
            variants: variants
                .into_iter()
                .map(|row| Variant {
                    sku: row.sku,
                    name: row.name,
                    value: row.value,
                    regular_price: money(row.regular_price),
                    member_price: money(row.member_price),
                    stock_quantity: row.stock_quantity,
                })
                .collect(),
            version: row.try_get("version")?,
            updated_at: time("updated_at")?.ok_or("a product without updated_at")?,
        })
    }

    /// What a guest pays.
    fn price(&self, now: Timestamp) -> &Money {
        match (&self.promotion, &self.promotional_price) {
            (Some(promotion), Some(price))
                if promotion.starts_at.is_none_or(|at| at <= now)
                    && promotion.ends_at.is_none_or(|at| now < at)
                    && price.amount < self.regular_price.amount =>
            {
                price
            }
            _ => &self.regular_price,
        }
    }
}

impl<'a> Shown<'a> {
    pub fn now(product: &'a Product) -> Self {
        let has_some = |variant: &Variant| variant.stock_quantity > 0;
        Self {
            product,
            price: product.price(Timestamp::now()),
            in_stock: product.stock_quantity > 0 || product.variants.iter().any(has_some),
        }
    }
}
