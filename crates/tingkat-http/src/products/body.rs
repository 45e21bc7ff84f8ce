//! A product as shoppers see it.

use jiff::Timestamp;
use serde::Serialize;
use tingkat_shop::body::Body as Made;
use tingkat_shop::money::Money;
use tingkat_shop::product::{
    CategoryName, Image, Product, ProductId, Sku, Slug, Status, Tier, Variant,
};

use crate::problem::Problem;
use crate::reply::json;

/// The body of a product as it is sold to a tier at an instant.
pub(super) fn body(product: &Product, tier: Tier, now: Timestamp) -> Result<&Made, Problem> {
    let price = product.price(tier, now);
    let kept = product.body_with(price);
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

#[cfg(test)]
mod tests {
    use tingkat_shop::product::{ProductBodies, Promotion};

    use super::*;

    fn product(text: &str, promotion: Option<Promotion>) -> Product {
        Product {
            id: "7".parse().unwrap(),
            sku: "A".parse().unwrap(),
            slug: "a".parse().unwrap(),
            name: text.into(),
            description: text.into(),
            status: Status::Active,
            regular_price: Money::sen(i64::MIN),
            member_price: Money::sen(1),
            promotion,
            stock_quantity: -1,
            low_stock_at: 0,
            featured: false,
            categories: Vec::new(),
            images: Vec::new(),
            variants: Vec::new(),
            version: 1,
            updated_at: Timestamp::UNIX_EPOCH,
            bodies: ProductBodies::default(),
        }
    }

    #[test]
    fn an_entry_is_charged_for_a_little_more_than_its_bodies_have() {
        let promotion = |starts_at| Promotion {
            price: Money::sen(i64::MIN),
            starts_at,
            ends_at: None,
        };
        for text in ["", "\"\u{1}\u{7f}é\\", &"lamp ".repeat(1000)] {
            for promotion in [
                None,
                Some(promotion(None)),
                Some(promotion(Some(Timestamp::MAX))),
            ] {
                let product = product(text, promotion);
                for tier in [Tier::Guest, Tier::Member] {
                    let body = body(&product, tier, Timestamp::UNIX_EPOCH).unwrap();
                    let (has, may) = (body.bytes().len(), product.body_bytes());
                    assert!(has <= may && may <= has + 100, "{has} bytes, charged {may}");
                }
            }
        }
    }
}
