//! Products: what is sold, at which price, and how much of it is left.

pub mod listing;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::error::GetError;
use tingkat::policy::Policy;
use tingkat::{Answer, Cache, Options};

use crate::body::Kept;
use crate::money::Money;
use crate::name::names;
use listing::{ListingKey, Popular, Sorted};

names! {
    /// What a product is referred to by, for ever.
    ProductId, "a product id", 64, "letters, digits, `-` or `_`",
        |character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    /// What the warehouse calls a product.
    Sku, "a sku", 200, "printable characters",
        |character| !character.is_control();
    /// What the product's page is called; stores of their own have capitals, points and accents in it.
    Slug, "a slug", 500, "printable characters",
        |character| !character.is_control();
}

/// Whether a product is on sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being prepared; not shown.
    Draft,
    /// On sale.
    Active,
    /// Taken off sale.
    Inactive,
    /// Never to be sold again.
    Discontinued,
}

impl Status {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Draft, "draft"),
        (Self::Active, "active"),
        (Self::Inactive, "inactive"),
        (Self::Discontinued, "discontinued"),
    ];

    /// Reads the name that data and answers use.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES
            .into_iter()
            .find(|(_, known)| *known == name)
            .map(|(status, _)| status)
    }
}

/// A lower price for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The price while it lasts.
    pub price: Money,
    /// From this instant on; without one it has always been running.
    pub starts_at: Option<Timestamp>,
    /// Until just before this instant; without one it does not end.
    pub ends_at: Option<Timestamp>,
}

impl Promotion {
    /// Whether it runs at an instant.
    pub fn is_running(&self, now: Timestamp) -> bool {
        self.starts_at.is_none_or(|start| start <= now) && self.ends_at.is_none_or(|end| now < end)
    }
}

/// A category as a product's page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryName {
    /// Its id.
    pub id: String,
    /// Its page.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where it is.
    pub url: String,
    /// What it shows.
    pub alt: String,
}

/// A version of a product with its own price and stock, such as a size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its own sku.
    pub sku: Sku,
    /// What varies: `size`.
    pub name: String,
    /// How: `XL`.
    pub value: String,
    /// What a guest pays.
    pub regular_price: Money,
    /// What a member pays.
    pub member_price: Money,
    /// How many are left.
    pub stock_quantity: i64,
}

/// What is sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// What the warehouse calls it.
    pub sku: Sku,
    /// What its page is called.
    pub slug: Slug,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Whether it is on sale.
    pub status: Status,
    /// What a guest pays without a promotion.
    pub regular_price: Money,
    /// What a member pays without a promotion.
    pub member_price: Money,
    /// A lower price for a while.
    pub promotion: Option<Promotion>,
    /// How many are left.
    pub stock_quantity: i64,
    /// From how many on the stock counts as low.
    pub low_stock_at: i64,
    /// Whether it stands on the front page.
    pub featured: bool,
    /// The categories it is in, ordered by name.
    pub categories: Vec<CategoryName>,
    /// At most five pictures, in their order.
    pub images: Vec<Image>,
    /// Its versions, ordered by sku.
    pub variants: Vec<Variant>,
    /// Counts the writes to it.
    pub version: i64,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// What it is answered with.
    #[serde(skip)]
    pub bodies: ProductBodies,
}

/// A product's bodies: they differ by the price alone, so there is one for each price that is paid
/// by somebody at some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductBodies {
    regular: Kept,
    member: Kept,
    promotional: Kept,
}

impl ProductBodies {
    fn charge(&self) -> usize {
        let Self {
            regular,
            member,
            promotional,
        } = self;
        regular.charge() + member.charge() + promotional.charge()
    }
}

/// Who asks for a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Anybody.
    Guest,
    /// A signed-in member.
    Member,
}

impl Product {
    /// What `tier` pays at an instant: the lower of its own price and a running promotion.
    pub fn price(&self, tier: Tier, now: Timestamp) -> Money {
        let own = match tier {
            Tier::Guest => self.regular_price,
            Tier::Member => self.member_price,
        };
        match self.promotion {
            Some(promotion)
                if promotion.is_running(now)
                    && promotion.price.currency == own.currency
                    && promotion.price.amount < own.amount =>
            {
                promotion.price
            }
            _ => own,
        }
    }

    /// The instant after `now` at which a price may change by itself, if one does.
    pub fn changes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let promotion = self.promotion?;
        let boundaries = [promotion.starts_at, promotion.ends_at];
        let ahead = boundaries.into_iter().flatten().filter(|at| *at > now);
        ahead.min()
    }

    /// Where the body with a price of this product is kept.
    pub fn body_with(&self, price: Money) -> &Kept {
        if price == self.regular_price {
            &self.bodies.regular
        } else if price == self.member_price {
            &self.bodies.member
        } else {
            &self.bodies.promotional
        }
    }

    /// Whether there is any left, of the product or of one of its variants.
    pub fn is_in_stock(&self) -> bool {
        self.stock_quantity > 0
            || self
                .variants
                .iter()
                .any(|variant| variant.stock_quantity > 0)
    }

    /// Whether the stock is low, an empty one included.
    pub const fn is_low(&self) -> bool {
        self.stock_quantity <= self.low_stock_at
    }
}

impl Entity for Product {
    const NAME: &'static str = "product";
    const SCHEMA: u32 = 1;
    type Key = ProductId;

    /// The rows of the categories whose names it shows.
    fn deps(&self) -> Vec<Dep> {
        self.categories
            .iter()
            .map(|category| Dep::of_key("category", &category.id))
            .collect()
    }

    fn memory_size(&self) -> usize {
        let categories: usize = self
            .categories
            .iter()
            .map(|category| {
                size_of::<CategoryName>()
                    + category.id.len()
                    + category.slug.len()
                    + category.name.len()
            })
            .sum();
        let images: usize = self
            .images
            .iter()
            .map(|image| size_of::<Image>() + image.url.len() + image.alt.len())
            .sum();
        let variants: usize = self
            .variants
            .iter()
            .map(|variant| {
                size_of::<Variant>()
                    + variant.sku.as_str().len()
                    + variant.name.len()
                    + variant.value.len()
            })
            .sum();
        size_of::<Self>()
            + self.id.as_str().len()
            + self.sku.as_str().len()
            + self.slug.as_str().len()
            + self.name.capacity()
            + self.description.capacity()
            + categories
            + images
            + variants
            + self.bodies.charge()
    }
}

/// Which product has a sku; only the id is cached, the product has its own entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkuOwner(pub ProductId);

/// Which product has a slug; only the id is cached, the product has its own entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlugOwner(pub ProductId);

macro_rules! owners {
    ($($owner:ident, $name:literal, $key:ty;)*) => {$(
        impl Entity for $owner {
            const NAME: &'static str = $name;
            const SCHEMA: u32 = 1;
            type Key = $key;

            fn policy() -> Policy {
                Policy { memory_bytes: 16 << 20, ..Policy::default() }
            }

            fn memory_size(&self) -> usize {
                size_of::<Self>() + self.0.as_str().len()
            }
        }
    )*};
}

owners! {
    SkuOwner, "product.sku", Sku;
    SlugOwner, "product.slug", Slug;
}

/// Look-ups of products.
#[derive(Clone, Debug)]
pub struct Products {
    cache: Cache<ProductId, Product>,
    sku_owners: Cache<Sku, SkuOwner>,
    slug_owners: Cache<Slug, SlugOwner>,
    sorted: Cache<ListingKey, Sorted>,
    popular: Cache<ListingKey, Popular>,
}

impl Products {
    pub(crate) const fn new(
        cache: Cache<ProductId, Product>,
        sku_owners: Cache<Sku, SkuOwner>,
        slug_owners: Cache<Slug, SlugOwner>,
        sorted: Cache<ListingKey, Sorted>,
        popular: Cache<ListingKey, Popular>,
    ) -> Self {
        Self {
            cache,
            sku_owners,
            slug_owners,
            sorted,
            popular,
        }
    }

    pub(crate) const fn cache(&self) -> &Cache<ProductId, Product> {
        &self.cache
    }

    /// The product with an id, whatever its status: orders and carts name what is no longer sold.
    /// Nothing when there is none.
    ///
    /// # Errors
    /// As [`Cache::look_up`].
    pub async fn by_id(
        &self,
        id: &ProductId,
        options: Options,
    ) -> Result<Answer<Product>, GetError> {
        self.cache.look_up(id, options).await
    }

    /// What memory has of the same, without waiting for anything; see [`Cache::hit`].
    pub fn hit(&self, id: &ProductId, options: Options) -> Option<Answer<Product>> {
        self.cache.hit(id, options)
    }

    /// Charges the entry of a product for a body that it has from now on.
    pub fn weigh_again(&self, id: &ProductId) {
        self.cache.weigh_again(id);
    }

    /// The product with a sku, whatever its status; nothing when there is none.
    ///
    /// # Errors
    /// As [`Cache::look_up`].
    pub async fn by_sku(&self, sku: &Sku, options: Options) -> Result<Answer<Product>, GetError> {
        let owner = self.sku_owners.look_up(sku, options).await?;
        match owner.value() {
            Some(SkuOwner(id)) => Ok(self.cache.look_up(id, options).await?.found_by(&owner)),
            None => Ok(owner.without_value()),
        }
    }

    /// The product with a slug; nothing when there is none, or when it is not on sale.
    ///
    /// # Errors
    /// As [`Cache::look_up`].
    pub async fn by_slug(
        &self,
        slug: &Slug,
        options: Options,
    ) -> Result<Answer<Product>, GetError> {
        let owner = self.slug_owners.look_up(slug, options).await?;
        match owner.value() {
            Some(SlugOwner(id)) => {
                let answer = self.cache.look_up(id, options).await?;
                Ok(on_sale(answer).found_by(&owner))
            }
            None => Ok(owner.without_value()),
        }
    }

    /// Many products at once, in the order of `ids`; each has its own answer, without a value where it
    /// is not on sale.
    pub async fn many(
        &self,
        ids: &[ProductId],
        options: Options,
    ) -> Vec<Result<Answer<Product>, GetError>> {
        let hits = ids.iter().map(|id| self.cache.hit(id, options));
        let mut answers: Vec<_> = hits.map(|hit| hit.map(|it| Ok(on_sale(it)))).collect();
        let is_missing = |(id, answer): (&ProductId, &Option<_>)| match answer {
            Some(_) => None,
            None => Some(id.clone()),
        };
        let missing: Vec<ProductId> = ids.iter().zip(&answers).filter_map(is_missing).collect();
        if !missing.is_empty() {
            let places = answers.iter_mut().filter(|answer| answer.is_none());
            let found = self.cache.look_up_many(&missing, options).await;
            for (place, answer) in places.zip(found) {
                *place = Some(answer.map(on_sale));
            }
        }
        // As many were found as were missing.
        answers.into_iter().flatten().collect()
    }
}

/// The product, if shoppers may see it.
fn on_sale(answer: Answer<Product>) -> Answer<Product> {
    let is_sold = |product: &Product| product.status == Status::Active;
    if answer.value().is_some_and(is_sold) {
        answer
    } else {
        answer.without_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn product(promotion: Option<Promotion>) -> Product {
        Product {
            id: "7".parse().unwrap(),
            sku: "85123A".parse().unwrap(),
            slug: "heart".parse().unwrap(),
            name: "Heart".into(),
            description: String::new(),
            status: Status::Active,
            regular_price: Money::sen(255),
            member_price: Money::sen(230),
            promotion,
            stock_quantity: 3,
            low_stock_at: 3,
            featured: false,
            categories: Vec::new(),
            images: Vec::new(),
            variants: Vec::new(),
            version: 1,
            updated_at: at("2026-01-01T00:00:00Z"),
            bodies: ProductBodies::default(),
        }
    }

    #[test]
    fn a_promotion_starts_and_ends_on_its_instant() {
        let promotion = Promotion {
            price: Money::sen(199),
            starts_at: Some(at("2026-03-01T00:00:00Z")),
            ends_at: Some(at("2026-03-02T00:00:00Z")),
        };
        let product = product(Some(promotion));
        let guest = |now| product.price(Tier::Guest, at(now)).amount;
        assert_eq!(guest("2026-02-28T23:59:59.999Z"), 255);
        assert_eq!(guest("2026-03-01T00:00:00Z"), 199);
        assert_eq!(guest("2026-03-01T23:59:59.999Z"), 199);
        assert_eq!(guest("2026-03-02T00:00:00Z"), 255);
    }

    #[test]
    fn a_member_never_pays_more_than_the_member_price() {
        let promotion = Promotion {
            price: Money::sen(240),
            starts_at: None,
            ends_at: None,
        };
        let product = product(Some(promotion));
        let now = at("2026-03-01T00:00:00Z");
        assert_eq!(product.price(Tier::Guest, now).amount, 240);
        assert_eq!(product.price(Tier::Member, now).amount, 230);
    }

    #[test]
    fn stock_at_the_threshold_is_low() {
        let product = product(None);
        assert!(product.is_low());
        assert!(product.is_in_stock());
    }

    #[test]
    fn names_are_checked() {
        assert!("".parse::<ProductId>().is_err());
        assert!("a b".parse::<ProductId>().is_err());
        assert!("x".repeat(65).parse::<ProductId>().is_err());
        assert!("a\nb".parse::<Slug>().is_err());
        assert!("a\nb".parse::<Sku>().is_err());
        assert!("DCGS0069".parse::<Sku>().is_ok());
    }
}
