//! A store whose database has a change log, and is written through or past the service.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::certificate::{Change, ChangeKind, Dep};
use tingkat::node::Builder;
use tingkat::ports::Written;
use tingkat_http::{App, Scope, Tokens};
use tingkat_shop::Sources;
use tingkat_shop::product::{Product, ProductId};
use tingkat_shop::write::{
    ProductPatch, ProductWriter, ProductWrites, Saved, StockChange, WriteError, WriteErrorKind,
};
use tingkat_testkit::fakes::{FakeDatabase, LogHandle};
use tokio::sync::watch;

use crate::store::{Store, Switch, Table, products, sources};

/// Time stands still while a test asks: what a node learns sooner it was asked for.
const SELDOM: Duration = Duration::from_secs(4);

/// The database, which several stores may share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) log: FakeDatabase,
    products: Arc<Table<ProductId, Product>>,
    switch: Arc<Switch>,
    pub(crate) refuses: Arc<Mutex<Option<WriteErrorKind>>>,
    /// Whether writes wait.
    pub(crate) holds_writes: Arc<watch::Sender<bool>>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let switch = Arc::new(Switch::default());
        let rows = products().map(|product| (product.id.clone(), product));
        Self {
            log: FakeDatabase::new(),
            products: Table::new(&switch, rows),
            switch,
            refuses: Arc::default(),
            holds_writes: Arc::default(),
        }
    }

    fn sources(&self) -> Sources {
        Sources {
            products: Arc::<Table<ProductId, Product>>::clone(&self.products),
            ..sources(&self.switch)
        }
    }

    /// A store that polls ten times a second.
    pub(crate) fn store(&self) -> Store {
        self.store_with(self.log.log(), Duration::from_millis(100), |_| ())
    }

    /// A store that polls when it is asked to, and once at its start.
    pub(crate) fn sleepy(&self) -> (Store, LogHandle) {
        let log = self.log.log();
        (self.store_with(log.clone(), SELDOM, |_| ()), log)
    }

    pub(crate) fn store_with(
        &self,
        log: LogHandle,
        poll_interval: Duration,
        change: impl FnOnce(&mut App),
    ) -> Store {
        let tune = |node: Builder| {
            node.change_log(Arc::new(log))
                .poll_interval(poll_interval)
                .staleness_bound(3 * poll_interval)
        };
        self.store_tuned(tune, change)
    }

    /// A store on a node that is tuned.
    pub(crate) fn store_tuned(
        &self,
        tune: impl FnOnce(Builder) -> Builder,
        change: impl FnOnce(&mut App),
    ) -> Store {
        let writer = Arc::new(self.clone());
        let switch = Arc::clone(&self.switch);
        Store::over(switch, self.sources(), tune, |app| {
            app.writes = Some(ProductWrites::new(&app.node, &app.shop.products, writer));
            app.tokens = Tokens::default()
                .with(Scope::Write, "secret")
                .with(Scope::Operate, "other");
            change(app);
        })
    }

    /// Writes a stock as somebody does who knows nothing of the service.
    pub(crate) fn write_past(&self, id: &str, stock: i64) -> Written {
        let mut rows = self.products.rows.lock().unwrap();
        let product = rows.get_mut(id).unwrap();
        product.stock_quantity = stock;
        product.version += 1;
        self.log.write("product", id, 1)
    }
}

impl ProductWriter for Shared {
    fn write<'a>(
        &'a self,
        id: &'a ProductId,
        patch: &'a ProductPatch,
    ) -> BoxFuture<'a, Result<Saved, WriteError>> {
        Box::pin(async move {
            let mut held = self.holds_writes.subscribe();
            held.wait_for(|is_held| !is_held).await.unwrap();
            if let Some(kind) = *self.refuses.lock().unwrap() {
                return Err(WriteError::new(kind));
            }
            let mut rows = self.products.rows.lock().unwrap();
            let product = rows
                .get_mut(id.as_str())
                .ok_or_else(|| WriteError::new(WriteErrorKind::Unknown))?;
            if patch.version.is_some_and(|it| it != product.version) {
                let current = product.version;
                return Err(WriteError::new(WriteErrorKind::Conflict { current }));
            }
            match patch.stock {
                Some(StockChange::Set(quantity)) => product.stock_quantity = quantity,
                Some(StockChange::Adjust(delta)) => product.stock_quantity += delta,
                None => {}
            }
            if let Some(price) = patch.regular_price {
                product.regular_price = price;
            }
            if let Some(price) = patch.member_price {
                product.member_price = price;
            }
            product.version += 1;
            Ok(Saved {
                version: product.version,
                updated_at: product.updated_at,
                written: Some(self.log.write("product", id.as_str(), 1)),
                changes: vec![Change {
                    dep: Dep::of_key("product", id.as_str()),
                    kind: ChangeKind::Forget,
                }],
            })
        })
    }
}
