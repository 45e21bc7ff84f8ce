//! A product as shoppers see it.

use jiff::Timestamp;
use serde::Serialize;
use tingkat_shop::body::{Body as Made, Kept};
use tingkat_shop::money::Money;
use tingkat_shop::product::{
    CategoryName, Image, Product, ProductId, Products, Sku, Slug, Status, Tier, Variant,
};

use crate::problem::Problem;
use crate::reply::json;

/// The body of a product as it is sold to a tier at an instant; its entry is charged for it when it is
/// made.
pub(super) fn body<'a>(
    products: &Products,
    product: &'a Product,
    tier: Tier,
    now: Timestamp,
) -> Result<&'a Made, Problem> {
    let price = product.price(tier, now);
    let kept = product.body_with(price);
    if kept.is_made() {
        return made(kept, product, price);
    }
    let body = made(kept, product, price)?;
    products.weigh_again(&product.id);
    Ok(body)
}

fn made<'a>(kept: &'a Kept, product: &Product, price: Money) -> Result<&'a Made, Problem> {
    kept.or_make(|| json(&Body::new(product, price)))
}

/// The members of a product, in the order in which they are written.
#[derive(Serialize)]
struct Body<'a> {
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
    /// The product at a price.
    fn new(product: &'a Product, price: Money) -> Self {
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
            price,
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
