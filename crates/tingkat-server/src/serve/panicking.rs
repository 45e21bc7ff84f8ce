//! A source of products that panics when it is told to, for the fault suite: no source of the program
//! does by itself. Only a build for tests has it.

use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Source, Wanted};
use tingkat_shop::Sources;
use tingkat_shop::product::{Product, ProductId};

/// While the working directory has this file, every load of products ends in a panic.
const FILE: &str = "the-source-panics";

/// The same, whose products can be told to.
pub(super) fn can_panic(sources: Sources) -> Sources {
    Sources {
        products: Arc::new(Panicking(sources.products)),
        ..sources
    }
}

struct Panicking(Arc<dyn Source<ProductId, Product>>);

impl Source<ProductId, Product> for Panicking {
    fn certifies(&self) -> bool {
        self.0.certifies()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<ProductId, Product>],
    ) -> BoxFuture<'a, Result<Batch<Product>, SourceError>> {
        Box::pin(async {
            let loaded = self.0.load(wanted).await;
            // When the database has answered: a lease is held and a place is taken.
            assert!(!Path::new(FILE).exists(), "the source was told to panic");
            loaded
        })
    }
}
