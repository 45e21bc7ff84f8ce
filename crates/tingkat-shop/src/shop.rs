//! The store as one thing: every entity's look-ups over one node's tiers.

use std::sync::Arc;

use tingkat::entity::Entity;
use tingkat::ports::Source;
use tingkat::{Cache, Node, Policy};

use crate::postcode::{Code, Postcode, Postcodes};
use crate::product::{Product, ProductId, Products, Sku, SkuOwner, Slug, SlugOwner};
use crate::state::{AllStates, StateList, States};

/// Where each entity is loaded from.
#[derive(Clone)]
pub struct Sources {
    /// Products by id.
    pub products: Arc<dyn Source<ProductId, Product>>,
    /// Owners of skus.
    pub skus: Arc<dyn Source<Sku, SkuOwner>>,
    /// Owners of slugs.
    pub slugs: Arc<dyn Source<Slug, SlugOwner>>,
    /// Postcodes.
    pub postcodes: Arc<dyn Source<Code, Postcode>>,
    /// The list of states.
    pub states: Arc<dyn Source<AllStates, StateList>>,
}

/// The store's look-ups; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Products.
    pub products: Products,
    /// Postcodes.
    pub postcodes: Postcodes,
    /// States.
    pub states: States,
}

impl Shop {
    /// A store over these sources, cached in the tiers of `node`.
    pub fn new(node: &Node, sources: Sources) -> Self {
        Self::with_policies(node, sources, |_| None)
    }

    /// The same with other policies; `policy` is asked for each entity by its name.
    pub fn with_policies(
        node: &Node,
        sources: Sources,
        policy: impl Fn(&str) -> Option<Policy>,
    ) -> Self {
        Self {
            products: Products::new(
                cache(node, sources.products, &policy),
                cache(node, sources.skus, &policy),
                cache(node, sources.slugs, &policy),
            ),
            postcodes: Postcodes::new(cache(node, sources.postcodes, &policy)),
            states: States::new(cache(node, sources.states, &policy)),
        }
    }
}

fn cache<E: Entity>(
    node: &Node,
    source: Arc<dyn Source<E::Key, E>>,
    policy: impl Fn(&str) -> Option<Policy>,
) -> Cache<E::Key, E> {
    Cache::of_entity()
        .node(node)
        .source(source)
        .policy(policy(E::NAME).unwrap_or_else(E::policy))
        .build()
}
