//! The keys that the store has, by place.

use std::collections::HashMap;

use tingkat::Options;
use tingkat::error::GetError;
use tingkat_lab::bench::SubjectError;
use tingkat_lab::bench::workload::Entity;
use tingkat_shop::postcode::Code;
use tingkat_shop::product::ProductId;
use tingkat_shop::product::listing::Sort;
use tingkat_shop::{Shop, postcode, product};

use super::place::Place;
use crate::exit::Failure;
use crate::serve::Parts;

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
    /// Those of the store at a place. To list keys is to look them up, and fills the tiers: it is done by
    /// caches of their own.
    pub(super) async fn of_place(
        place: &Place,
        entity: Entity,
        most: usize,
    ) -> Result<Self, SubjectError> {
        let mut config = place.config().map_err(|failure| Self::told(&failure))?;
        config.key_prefix = Some(place.another_prefix());
        config.redis = None;
        let assembled = Parts::assemble(&config, true).await;
        let (parts, _) = assembled.map_err(|failure| Self::told(&failure))?;
        let keys = Self::list(&parts.shop, entity, most).await;
        parts.close().await;
        let keys = keys.map_err(|error| {
            SubjectError::unreachable("failed to list the keys of the store").caused_by(error)
        })?;
        if keys.len() == 0 {
            let what = format!("the store has no {} to look up", entity.name());
            return Err(SubjectError::unsuited(what));
        }
        Ok(keys)
    }

    /// Why nothing could be put together.
    pub(super) fn told(failure: &Failure) -> SubjectError {
        SubjectError::unreachable(failure.lines().join("; "))
    }

    /// At most so many of those that are on sale, or exist, in an order that stays.
    async fn list(shop: &Shop, entity: Entity, most: usize) -> Result<Self, GetError> {
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

    /// The product at a place.
    pub(super) fn product(&self, place: usize) -> Option<&ProductId> {
        match self {
            Self::Products { ids, .. } => ids.get(place),
            Self::Postcodes(_) => None,
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
