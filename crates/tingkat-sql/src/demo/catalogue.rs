//! Products with their prices, stock, promotions, images, variants and categories.

use serde::Serialize;

use super::categories::{Categories, CategoryRow};
use super::day::{DAY_SECONDS, Day};
use super::names::{prose, slugs};
use super::popularity::Popularity;
use super::random::Random;
use super::retail::Listed;

/// About two of a hundred products stand on the front page: the best sellers.
const FEATURED: usize = 40;

/// A row of `product`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct ProductRow {
    pub id: String,
    pub sku: String,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub status: &'static str,
    pub currency: &'static str,
    pub regular_price: i64,
    pub member_price: i64,
    pub promotional_price: Option<i64>,
    pub promotion_starts_at: Option<i64>,
    pub promotion_ends_at: Option<i64>,
    pub stock_quantity: i64,
    pub low_stock_at: i64,
    pub featured: bool,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A row of `product_image`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct ImageRow {
    pub product_id: String,
    pub position: i64,
    pub url: String,
    pub alt: String,
}

/// A row of `product_variant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct VariantRow {
    pub sku: String,
    pub product_id: String,
    pub name: &'static str,
    pub value: &'static str,
    pub regular_price: i64,
    pub member_price: i64,
    pub stock_quantity: i64,
}

/// A row of `product_category`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct CategoryLinkRow {
    pub product_id: String,
    pub category_id: String,
}

/// What is sold.
pub(super) struct Catalogue {
    pub(super) categories: Vec<CategoryRow>,
    pub(super) products: Vec<ProductRow>,
    pub(super) images: Vec<ImageRow>,
    pub(super) variants: Vec<VariantRow>,
    pub(super) links: Vec<CategoryLinkRow>,
}

/// One sequence of random numbers per derived thing.
struct Dice {
    member: Random,
    stock: Random,
    promotion: Random,
    image: Random,
    variant: Random,
    update: Random,
    creation: Random,
}

/// A product's id is its place, from 1, in the order of skus.
pub(super) fn id(place: usize) -> String {
    (place + 1).to_string()
}

pub(super) fn generate(
    seed: u64,
    today: Day,
    listed: &[Listed],
    popularity: &Popularity,
) -> Catalogue {
    let categories = Categories::read();
    let featured = popularity.best_sellers(FEATURED);
    let mut dice = Dice {
        member: Random::of(seed, "member price"),
        stock: Random::of(seed, "stock"),
        promotion: Random::of(seed, "promotion"),
        image: Random::of(seed, "image"),
        variant: Random::of(seed, "variant"),
        update: Random::of(seed, "update"),
        creation: Random::of(seed, "creation"),
    };
    let mut products = Vec::with_capacity(listed.len());
    let (mut images, mut variants, mut links) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (listed, slug)) in listed.iter().zip(slugs(listed)).enumerate() {
        let of_name = categories.of(&listed.name);
        let range = of_name
            .first()
            .map_or("", |category| category.name.as_str());
        let mut product = product(&mut dice, today, place, listed, slug, range);
        product.featured = featured.contains(&place);
        images.extend(product_images(&mut dice.image, &product));
        variants.extend(product_variants(&mut dice, &product));
        links.extend(of_name.iter().map(|category| CategoryLinkRow {
            product_id: product.id.clone(),
            category_id: category.id.clone(),
        }));
        products.push(product);
    }
    Catalogue {
        categories: categories.into_rows(),
        products,
        images,
        variants,
        links,
    }
}

fn product(
    dice: &mut Dice,
    today: Day,
    place: usize,
    listed: &Listed,
    slug: String,
    range: &str,
) -> ProductRow {
    let (stock_quantity, low_stock_at) = stock(&mut dice.stock);
    let mut product = ProductRow {
        id: id(place),
        sku: listed.sku.clone(),
        slug,
        name: listed.name.clone(),
        description: format!("{}, from our {range} range.", prose(&listed.name)),
        status: "active",
        currency: "MYR",
        regular_price: listed.price,
        member_price: less(listed.price, dice.member.between(5, 15)),
        promotional_price: None,
        promotion_starts_at: None,
        promotion_ends_at: None,
        stock_quantity,
        low_stock_at,
        featured: false,
        created_at: today.seconds_before(dice.creation.between(91, 1_000) * DAY_SECONDS),
        updated_at: today.seconds_before(dice.update.between(1, 90 * DAY_SECONDS)),
    };
    promote(&mut dice.promotion, today, &mut product);
    product
}

/// A price less so many percent, rounded to the sen, half a sen up.
const fn less(price: i64, percent: i64) -> i64 {
    (price * (100 - percent) + 50) / 100
}

/// Six of a hundred products are sold out, eight are low, and some fill a pallet.
fn stock(random: &mut Random) -> (i64, i64) {
    let low_at = random.pick(&[5, 10, 10, 10, 25]).copied().unwrap_or(10);
    let quantity = match random.below(100) {
        0..6 => 0,
        6..14 => random.between(1, low_at),
        14..75 => random.between(low_at + 1, 120),
        _ => random.between(121, 900),
    };
    (quantity, low_at)
}

/// Eight of a hundred products have a promotion: most run on the day, some are over or to come.
fn promote(random: &mut Random, today: Day, product: &mut ProductRow) {
    if !random.happens(8) {
        return;
    }
    let (starts, ends) = match random.below(10) {
        0..6 => (-random.between(1, 10), random.between(2, 20)),
        6..8 => {
            let starts = random.between(2, 14);
            (starts, starts + random.between(1, 10))
        }
        _ => {
            let ends = -random.between(1, 30);
            (ends - random.between(1, 10), ends)
        }
    };
    product.promotional_price = Some(less(product.regular_price, random.between(10, 40)));
    product.promotion_starts_at = Some(today.plus(starts).local_midnight());
    product.promotion_ends_at = Some(today.plus(ends).local_midnight());
}

fn product_images(random: &mut Random, product: &ProductRow) -> Vec<ImageRow> {
    let image = |position: i64| ImageRow {
        product_id: product.id.clone(),
        position,
        url: format!("/images/{}-{}.jpg", product.slug, position + 1),
        alt: prose(&product.name),
    };
    (0..random.between(1, 2)).map(image).collect()
}

/// Two of a hundred products are sold in packs as well, a little cheaper by the piece.
fn product_variants(dice: &mut Dice, product: &ProductRow) -> Vec<VariantRow> {
    const PACKS: [(i64, &str, i64); 3] =
        [(1, "single", 0), (3, "pack of 3", 5), (6, "pack of 6", 10)];
    if !dice.variant.happens(2) {
        return Vec::new();
    }
    let percent = dice.variant.between(5, 15);
    let variant = |(pieces, value, cheaper): (i64, &'static str, i64)| {
        let regular_price = less(product.regular_price * pieces, cheaper);
        VariantRow {
            sku: format!("{}-P{pieces}", product.sku),
            product_id: product.id.clone(),
            name: "pack",
            value,
            regular_price,
            member_price: less(regular_price, percent),
            stock_quantity: product.stock_quantity / pieces,
        }
    };
    PACKS.into_iter().map(variant).collect()
}
