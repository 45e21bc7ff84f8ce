//! The store as one thing: every entity's look-ups over one node's tiers.

use std::sync::Arc;

use tingkat::entity::Entity;
use tingkat::ports::Source;
use tingkat::privacy::{Names, OnPrivate};
use tingkat::{Cache, Node, Policy};

use crate::all::All;
use crate::category::{Categories, CategoryCount, CategoryId, CategoryTree};
use crate::postcode::{Code, Postcode, PostcodeIndex, Postcodes};
use crate::product::listing::{ListingKey, Popular, Sorted};
use crate::product::{Product, ProductId, Products, Sku, SkuOwner, Slug, SlugOwner};
use crate::state::{StateList, States};

/// Where each entity is loaded from.
#[derive(Clone)]
pub struct Sources {
    /// Products by id.
    pub products: Arc<dyn Source<ProductId, Product>>,
    /// Owners of skus.
    pub skus: Arc<dyn Source<Sku, SkuOwner>>,
    /// Owners of slugs.
    pub slugs: Arc<dyn Source<Slug, SlugOwner>>,
    /// Pages of listings.
    pub listings: Arc<dyn Source<ListingKey, Sorted>>,
    /// Pages of listings by popularity.
    pub popular: Arc<dyn Source<ListingKey, Popular>>,
    /// All categories.
    pub categories: Arc<dyn Source<All, CategoryTree>>,
    /// How many products categories have.
    pub category_counts: Arc<dyn Source<CategoryId, CategoryCount>>,
    /// Postcodes.
    pub postcodes: Arc<dyn Source<Code, Postcode>>,
    /// All postcodes.
    pub postcode_index: Arc<dyn Source<All, PostcodeIndex>>,
    /// The list of states.
    pub states: Arc<dyn Source<All, StateList>>,
}

/// The store's look-ups; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Products.
    pub products: Products,
    /// Categories.
    pub categories: Categories,
    /// Postcodes.
    pub postcodes: Postcodes,
    /// States.
    pub states: States,
}

impl Shop {
    /// A store over these sources, cached in the tiers of `node`.
    pub fn new(node: &Node, sources: Sources) -> Self {
        let names = Arc::new(Names::usual());
        Self::with_policies(node, sources, |_| None, &names, |_| OnPrivate::Refuse)
    }

    /// The same with other policies, and with other fields that never reach the remote tier;
    /// `policy` and `on_private` are asked for each entity by its name.
    pub fn with_policies(
        node: &Node,
        sources: Sources,
        policy: impl Fn(&str) -> Option<Policy>,
        names: &Arc<Names>,
        on_private: impl Fn(&str) -> OnPrivate,
    ) -> Self {
        let set = Set {
            node,
            names,
            policy: &policy,
            on_private: &on_private,
        };
        Self {
            products: Products::new(
                set.cache(sources.products),
                set.cache(sources.skus),
                set.cache(sources.slugs),
                set.cache(sources.listings),
                set.cache(sources.popular),
            ),
            categories: Categories::new(
                set.cache(sources.categories),
                set.cache(sources.category_counts),
            ),
            postcodes: Postcodes::new(
                set.cache(sources.postcodes),
                set.cache(sources.postcode_index),
            ),
            states: States::new(set.cache(sources.states)),
        }
    }
}

/// How the caches are set up.
struct Set<'a> {
    node: &'a Node,
    names: &'a Arc<Names>,
    policy: &'a dyn Fn(&str) -> Option<Policy>,
    on_private: &'a dyn Fn(&str) -> OnPrivate,
}

impl Set<'_> {
    fn cache<E: Entity>(&self, source: Arc<dyn Source<E::Key, E>>) -> Cache<E::Key, E> {
        Cache::of_entity()
            .node(self.node)
            .source(source)
            .policy((self.policy)(E::NAME).unwrap_or_else(E::policy))
            .privacy(self.names, (self.on_private)(E::NAME))
            .build()
    }
}
