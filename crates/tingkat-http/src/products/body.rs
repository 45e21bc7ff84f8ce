//! A product as shoppers see it.

use jiff::Timestamp;
use serde::Serialize;
use tingkat_shop::money::Money;
use tingkat_shop::product::{
    CategoryName, Image, Product, ProductId, Sku, Slug, Status, Tier, Variant,
};

/// The members of a product, in the order in which they are written.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    id: &'a ProductId,
    sku: &'a Sku,
    slug: &'a Slug,
    name: &'a str,
    description: &'a str,
    status: Status,
    regular_price: Money,
    member_price: Money,
    promotional_price: Option<Money>,
    promotion: Option<Window>,
    /// What the tier of the request pays at its time.
    price: Money,
    stock_quantity: i64,
    in_stock: bool,
    low_stock: bool,
    featured: bool,
    categories: &'a [CategoryName],
    images: &'a [Image],
    variants: &'a [Variant],
    version: i64,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct Window {
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

impl<'a> Body<'a> {
    /// The product as it is sold to a tier at an instant.
    pub(super) fn new(product: &'a Product, tier: Tier, now: Timestamp) -> Self {
        Self {
            id: &product.id,
            sku: &product.sku,
            slug: &product.slug,
            name: &product.name,
            description: &product.description,
            status: product.status,
            regular_price: product.regular_price,
            member_price: product.member_price,
            promotional_price: product.promotion.map(|promotion| promotion.price),
            promotion: product.promotion.map(|promotion| Window {
                starts_at: promotion.starts_at,
                ends_at: promotion.ends_at,
            }),
            price: product.price(tier, now),
            stock_quantity: product.stock_quantity,
            in_stock: product.is_in_stock(),
            low_stock: product.is_low(),
            featured: product.featured,
            categories: &product.categories,
            images: &product.images,
            variants: &product.variants,
            version: product.version,
            updated_at: product.updated_at,
        }
    }
}
