//! The keys that the store has, by place.

use tingkat::Options;
use tingkat::error::GetError;
use tingkat_lab::bench::workload::Entity;
use tingkat_shop::postcode::Code;
use tingkat_shop::product::ProductId;
use tingkat_shop::product::listing::Sort;
use tingkat_shop::{Shop, postcode, product};

/// Keys of one entity.
pub(super) enum Keys {
    Products(Vec<ProductId>),
    Postcodes(Vec<Code>),
}

impl Keys {
    /// At most so many of those that are on sale, or exist, in an order that stays.
    pub(super) async fn list(shop: &Shop, entity: Entity, most: usize) -> Result<Self, GetError> {
        match entity {
            Entity::Product => products(shop, most).await.map(Self::Products),
            Entity::Postcode => postcodes(shop, most).await.map(Self::Postcodes),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Products(ids) => ids.len(),
            Self::Postcodes(codes) => codes.len(),
        }
    }
}

async fn products(shop: &Shop, most: usize) -> Result<Vec<ProductId>, GetError> {
    let filter = product::listing::Filter::default();
    let mut ids = Vec::new();
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
        ids.extend(values.map(|product| product.id.clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ids.truncate(most);
    Ok(ids)
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
