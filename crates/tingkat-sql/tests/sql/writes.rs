//! Writing products in PostgreSQL: one transaction with the rows of the change log.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tingkat::certificate::Dep;
use tingkat_shop::product::Product;
use tingkat_shop::{Money, ProductPatch, ProductWriter, Saved, WriteError, WriteErrorKind as Kind};
use tingkat_testkit::{Postgres, eventually};

use crate::poller::{Poller, deps};
use crate::stores::{Served, install, open, parsed, values};

struct Desk {
    store: Served,
    writer: Arc<dyn ProductWriter>,
}

impl Desk {
    async fn new() -> Self {
        let store = Served::new().await;
        let sql = "UPDATE product SET regular_price = 100, member_price = 90, stock_quantity = 5,
            version = 1, updated_at = '2020-01-01' WHERE id = '7'";
        store.server.psql(sql).await.unwrap();
        let writer = store.database.product_writer();
        Self { store, writer }
    }

    async fn write(&self, patch: ProductPatch) -> Result<Saved, WriteError> {
        self.writer.write(&parsed("7"), &patch).await
    }

    async fn product(&self) -> Product {
        let products = self.store.database.sources().products;
        values(&*products, [parsed("7")]).await.remove(0)
    }
}

const fn sen(amount: i64) -> Money {
    Money::sen(amount)
}

#[tokio::test]
async fn a_write_returns_what_the_database_and_its_log_have() {
    let desk = Desk::new().await;
    let mut node = Poller::new(&desk.store.database).await;
    for (patch, expected) in [
        (ProductPatch::set_stock(8), &["product:7"][..]),
        (ProductPatch::adjust_stock(-8), &["product:7"]),
        (ProductPatch::set_stock(0), &["product:7"]),
        (
            ProductPatch::set_price(Some(sen(200)), None),
            &["product:7", "products.list"],
        ),
        (
            ProductPatch::set_price(None, Some(sen(0))),
            &["product:7", "products.list"],
        ),
    ] {
        let before = desk.product().await;
        let saved = desk.write(patch).await.unwrap();
        let after = desk.product().await;
        assert_eq!(saved.version, before.version + 1);
        let told = (after.version, after.updated_at);
        assert_eq!(told, (saved.version, saved.updated_at));
        assert!(after.updated_at > before.updated_at);

        let names: Vec<&str> = saved.changes.iter().map(|c| c.dep.name()).collect();
        assert_eq!(names, expected);
        let written = saved.written.unwrap();
        assert!(!node.position.covers(written.xid));
        let poll = node.poll().await.unwrap();
        assert_eq!(poll.incarnation, written.incarnation);
        assert!(poll.changes.iter().all(|(xid, _)| *xid == written.xid));
        assert_eq!(deps(&poll), expected);
    }
    let product = desk.product().await;
    let left = (
        product.stock_quantity,
        product.regular_price.amount,
        product.member_price.amount,
    );
    assert_eq!(left, (0, 200, 0));
}

#[tokio::test]
async fn a_write_that_can_not_be_says_why_and_leaves_nothing_behind() {
    let desk = Desk::new().await;
    let mut node = Poller::new(&desk.store.database).await;
    let before = desk.product().await;
    let foreign = Some(Money {
        amount: 1,
        currency: parsed("SGD"),
    });
    let expected = parsed("MYR");
    for (patch, kind) in [
        (ProductPatch::default().if_version(1), Kind::Empty),
        (ProductPatch::set_stock(-1), Kind::Negative),
        (
            ProductPatch::adjust_stock(-6),
            Kind::StockOutOfRange { stock: 5 },
        ),
        (
            ProductPatch::adjust_stock(i64::MAX),
            Kind::StockOutOfRange { stock: 5 },
        ),
        (
            ProductPatch::adjust_stock(i64::MIN),
            Kind::StockOutOfRange { stock: 5 },
        ),
        (
            ProductPatch::set_price(None, Some(sen(101))),
            Kind::MemberAboveRegular,
        ),
        (
            ProductPatch::set_price(Some(sen(89)), None),
            Kind::MemberAboveRegular,
        ),
        (
            ProductPatch::set_price(foreign, None),
            Kind::Currency { expected },
        ),
        (
            ProductPatch::set_price(Some(sen(100)), foreign),
            Kind::Currency { expected },
        ),
        (
            ProductPatch::set_stock(1).if_version(2),
            Kind::Conflict { current: 1 },
        ),
    ] {
        assert_eq!(
            desk.write(patch).await.unwrap_err().kind(),
            kind,
            "{patch:?}"
        );
    }
    let (id, patch) = (parsed("nobody"), ProductPatch::set_stock(1));
    let nobody = desk.writer.write(&id, &patch);
    assert_eq!(nobody.await.unwrap_err().kind(), Kind::Unknown);
    assert_eq!(desk.product().await, before);
    assert_eq!(node.news().await, [""; 0]);
}

#[tokio::test]
async fn of_two_who_read_the_same_version_one_writes() {
    let desk = Desk::new().await;
    let writes =
        join_all((1..=8).map(|stock| desk.write(ProductPatch::set_stock(stock).if_version(1))));
    let (done, refused): (Vec<_>, Vec<_>) = writes.await.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 1);
    let kinds: Vec<Kind> = refused
        .into_iter()
        .map(|write| write.unwrap_err().kind())
        .collect();
    assert_eq!(kinds, [Kind::Conflict { current: 2 }; 7]);
}

#[tokio::test]
async fn the_last_ones_are_sold_once() {
    let desk = Desk::new().await;
    let sales = join_all((0..12).map(|_| desk.write(ProductPatch::adjust_stock(-1))));
    let (sold, refused): (Vec<_>, Vec<_>) = sales.await.into_iter().partition(Result::is_ok);
    assert_eq!((sold.len(), refused.len()), (5, 7));
    for sale in refused {
        assert_eq!(sale.unwrap_err().kind(), Kind::StockOutOfRange { stock: 0 });
    }
    let product = desk.product().await;
    assert_eq!((product.stock_quantity, product.version), (0, 6));
}

#[tokio::test]
async fn a_product_that_somebody_else_writes_for_long_is_not_waited_for_long() {
    let desk = Desk::new().await;
    let mut other = PgConnection::connect(&desk.store.server.url())
        .await
        .unwrap();
    let mut transaction = other.begin().await.unwrap();
    let lock = "SELECT FROM product WHERE id = '7' FOR UPDATE";
    transaction.execute(lock).await.unwrap();
    let error = desk.write(ProductPatch::set_stock(1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    transaction.rollback().await.unwrap();
    assert_eq!(
        desk.write(ProductPatch::set_stock(1))
            .await
            .unwrap()
            .version,
        2
    );
}

#[tokio::test]
async fn what_the_store_itself_refuses_is_refused() {
    let desk = Desk::new().await;
    let sql = "ALTER TABLE product ADD CHECK (stock_quantity < 1000)";
    desk.store.server.psql(sql).await.unwrap();
    let error = desk
        .write(ProductPatch::set_stock(1_000))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("product_stock_quantity_check"), "{cause}");

    let sql = "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER keep BEFORE UPDATE ON product FOR EACH ROW EXECUTE FUNCTION keep()";
    desk.store.server.psql(sql).await.unwrap();
    let error = desk.write(ProductPatch::set_stock(1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
}

#[tokio::test]
async fn without_a_log_a_write_has_no_token() {
    let store = Served::empty().await;
    tingkat_sql::install_demo(&store.database).await.unwrap();
    let plain = store.database.without_change_log().product_writer();
    let saved = plain
        .write(&parsed("7"), &ProductPatch::set_stock(1))
        .await
        .unwrap();
    assert_eq!((saved.written, saved.changes), (None, Vec::new()));

    // Where a log is expected, nothing is written without one.
    let writer = store.database.product_writer();
    let error = writer
        .write(&parsed("7"), &ProductPatch::set_stock(2))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("`tingkat schema install`"), "{cause}");
    let stock = "SELECT stock_quantity FROM product WHERE id = '7'";
    assert_eq!(store.server.psql(stock).await.unwrap(), "1");
}

/// After a crash nobody may have polled yet; whoever begins the new life clears the log.
#[tokio::test]
async fn a_write_into_an_empty_log_is_told_in_its_new_life() {
    let desk = Desk::new().await;
    desk.store
        .server
        .psql("TRUNCATE tingkat.state, tingkat.change")
        .await
        .unwrap();
    let saved = desk.write(ProductPatch::set_stock(1)).await.unwrap();
    let node = Poller::new(&desk.store.database).await;
    let history = node.history().await.poll;
    let written = saved.written.unwrap();
    assert_eq!(written.incarnation, history.incarnation);
    let [(xid, change)] = &history.changes[..] else {
        panic!("{history:?}")
    };
    assert_eq!((*xid, &change.dep), (written.xid, &Dep::new("product:7")));
}

#[tokio::test]
async fn a_database_that_is_away_or_hangs_is_told_in_time() {
    let server = Postgres::start().await.unwrap();
    server.create_database("shop").await.unwrap();
    let database = open(&server.url("shop")).await;
    install(&database).await;
    let writer = database.product_writer();
    let (id, patch) = (parsed("7"), ProductPatch::set_stock(1));
    writer.write(&id, &patch).await.unwrap();

    // It hangs while the write is under way, which waits for another one by then.
    let mut other = PgConnection::connect(&server.url("shop")).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    let lock = "SELECT FROM product WHERE id = '7' FOR UPDATE";
    transaction.execute(lock).await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let hanging = async {
        let waits = async || server.psql(waiting).await.unwrap() == "1";
        eventually(Duration::from_secs(2), waits).await.unwrap();
        server.stop().unwrap();
    };
    let write = tokio::time::timeout(Duration::from_secs(10), writer.write(&id, &patch));
    let (write, ()) = tokio::join!(write, hanging);
    // Whether it was written nobody knows.
    assert_eq!(write.unwrap().unwrap_err().kind(), Kind::Unsure);
    server.cont().unwrap();
    server.shut_down().await.unwrap();
    let write = tokio::time::timeout(Duration::from_secs(10), writer.write(&id, &patch));
    assert_eq!(write.await.unwrap().unwrap_err().kind(), Kind::Unavailable);
    server.restart().await.unwrap();
    writer.write(&id, &patch).await.unwrap();
}
