//! The keys that the store has, by place.

use std::collections::HashMap;

use tingkat::Options;
use tingkat::error::GetError;
use tingkat_lab::bench::workload::Entity;
use tingkat_shop::postcode::Code;
use tingkat_shop::product::ProductId;
use tingkat_shop::product::listing::Sort;
use tingkat_shop::{Shop, postcode, product};

/// Keys of one entity.
pub(super) enum Keys {
    Products {
        ids: Vec<ProductId>,
        /// Where the product of a sku is, be it that of one of its versions.
        skus: HashMap<String, usize>,
    },
    Postcodes(Vec<Code>),
}

impl Keys {
    /// At most so many of those that are on sale, or exist, in an order that stays.
    pub(super) async fn list(shop: &Shop, entity: Entity, most: usize) -> Result<Self, GetError> {
        match entity {
            Entity::Product => products(shop, most).await,
            Entity::Postcode => postcodes(shop, most).await.map(Self::Postcodes),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Products { ids, .. } => ids.len(),
            Self::Postcodes(codes) => codes.len(),
        }
    }

    /// The place of the product with this sku.
    pub(super) fn place_of(&self, sku: &str) -> Option<usize> {
        match self {
            Self::Products { skus, .. } => skus.get(sku).copied(),
            Self::Postcodes(_) => None,
        }
    }
}

async fn products(shop: &Shop, most: usize) -> Result<Keys, GetError> {
    let filter = product::listing::Filter::default();
    let mut ids = Vec::new();
    let mut skus = HashMap::new();
    let mut after = None;
    while ids.len() < most {
        let page = shop.products.list(
            &filter,
            Sort::Name,
            after.as_ref(),
            product::listing::MOST,
            Options::default(),
        );
        let page = page.await?;
        let values = page.items.iter().filter_map(|answer| answer.value());
        for product in values {
            let variants = product.variants.iter().map(|variant| &variant.sku);
            for sku in std::iter::once(&product.sku).chain(variants) {
                skus.insert(sku.to_string(), ids.len());
            }
            ids.push(product.id.clone());
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ids.truncate(most);
    skus.retain(|_, place| *place < ids.len());
    Ok(Keys::Products { ids, skus })
}

async fn postcodes(shop: &Shop, most: usize) -> Result<Vec<Code>, GetError> {
    let filter = postcode::Filter::default();
    let mut codes = Vec::new();
    let mut after = None;
    while codes.len() < most {
        let page = shop
            .postcodes
            .page(&filter, after, 1000, Options::default());
        let page = page.await?;
        let values = page.items.iter().filter_map(|answer| answer.value());
        codes.extend(values.map(|postcode| postcode.code));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    codes.truncate(most);
    Ok(codes)
}
