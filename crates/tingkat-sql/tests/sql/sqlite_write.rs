//! Writing products in the embedded store.

use std::sync::Arc;

use sqlx::{Connection as _, Executor as _};
use tingkat_shop::product::Product;
use tingkat_shop::{
    Currency, Money, ProductPatch, ProductWriter, Saved, WriteError, WriteErrorKind as Kind,
};
use tingkat_sql::{Coherence, Database};

use crate::follower::Follower;
use crate::stores::{Embedded, parsed, values};

struct Desk {
    store: Embedded,
    writer: Arc<dyn ProductWriter>,
    follower: Follower,
}

impl Desk {
    async fn new() -> Self {
        let store = Embedded::new().await;
        store
            .run(
                "UPDATE product SET regular_price = 100, member_price = 90, stock_quantity = 5,
                   version = 1, updated_at = 0
                 WHERE id = '7'",
            )
            .await;
        let writer = store.database.product_writer();
        let follower = Follower::of(&store.database).await;
        Self {
            store,
            writer,
            follower,
        }
    }

    async fn write(&self, patch: ProductPatch) -> Result<Saved, Kind> {
        let written = self.writer.write(&parsed("7"), &patch).await;
        written.map_err(|error: WriteError| error.kind())
    }

    async fn product(&self) -> Product {
        product(&self.store.database).await
    }
}

async fn product(database: &Database) -> Product {
    values(&*database.sources().products, [parsed("7")])
        .await
        .remove(0)
}

fn sen(amount: i64) -> Money {
    Money::sen(amount)
}

#[tokio::test]
async fn a_write_returns_what_the_database_and_its_log_have() {
    let mut desk = Desk::new().await;
    for (patch, deps) in [
        (ProductPatch::set_stock(8), &["product:7"][..]),
        (ProductPatch::adjust_stock(-8), &["product:7"]),
        (
            ProductPatch::set_price(Some(sen(200)), None),
            &["product:7", "products.list"],
        ),
        (
            ProductPatch::set_price(None, Some(sen(0))),
            &["product:7", "products.list"],
        ),
        (ProductPatch::set_stock(0), &["product:7"]),
    ] {
        let before = desk.product().await;
        let saved = desk.write(patch).await.unwrap();
        let after = desk.product().await;
        assert_eq!(saved.version, before.version + 1);
        assert_eq!(
            (after.version, after.updated_at),
            (saved.version, saved.updated_at)
        );
        assert!(after.updated_at > jiff::Timestamp::UNIX_EPOCH);

        let mut told: Vec<&str> = saved
            .changes
            .iter()
            .map(|change| change.dep.name())
            .collect();
        told.sort_unstable();
        assert_eq!(told, deps);
        let written = saved.written.unwrap();
        assert_eq!(written.incarnation, desk.follower.incarnation);
        assert!(!desk.follower.position.covers(written.xid));
        assert_eq!(desk.follower.deps().await, deps);
        assert!(desk.follower.position.covers(written.xid));
    }
    let product = desk.product().await;
    assert_eq!(product.stock_quantity, 0);
    assert_eq!(product.regular_price.amount, 200);
    assert_eq!(product.member_price.amount, 0);
}

#[tokio::test]
async fn a_write_that_can_not_be_says_why_and_leaves_nothing_behind() {
    let mut desk = Desk::new().await;
    let before = desk.product().await;
    let sgd: Currency = "SGD".parse().unwrap();
    let foreign = Money {
        amount: 1,
        currency: sgd,
    };
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
            ProductPatch::set_stock(1).if_version(2),
            Kind::Conflict { current: 1 },
        ),
        (
            ProductPatch::set_price(Some(sen(89)), None),
            Kind::MemberAboveRegular,
        ),
        (
            ProductPatch::set_price(None, Some(sen(101))),
            Kind::MemberAboveRegular,
        ),
        (
            ProductPatch::set_price(Some(foreign), None),
            Kind::Currency {
                expected: Currency::MYR,
            },
        ),
    ] {
        assert_eq!(desk.write(patch).await.unwrap_err(), kind);
    }
    let unknown = desk
        .writer
        .write(&parsed("nobody"), &ProductPatch::set_stock(1))
        .await;
    assert_eq!(unknown.unwrap_err().kind(), Kind::Unknown);
    assert_eq!(desk.product().await, before);
    assert_eq!(desk.follower.deps().await, [""; 0]);
    desk.write(ProductPatch::set_stock(1).if_version(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_rule_of_the_owner_is_obeyed() {
    let mut desk = Desk::new().await;
    desk.store
        .run(
            "CREATE TRIGGER keep_some BEFORE UPDATE ON product WHEN new.stock_quantity < 2
             BEGIN SELECT RAISE(ABORT, 'the last two are for the shop window'); END;
             CREATE TRIGGER count_twice AFTER UPDATE OF stock_quantity ON product
             BEGIN UPDATE product SET version = version + 1 WHERE id = new.id; END",
        )
        .await;
    desk.follower = Follower::of(&desk.store.database).await;
    let error = desk
        .writer
        .write(&parsed("7"), &ProductPatch::set_stock(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("for the shop window"), "{cause}");
    assert_eq!(desk.follower.deps().await, [""; 0]);

    let saved = desk.write(ProductPatch::set_stock(2)).await.unwrap();
    assert_eq!(saved.version, 3);
    assert_eq!(desk.product().await.version, 3);
    assert_eq!(
        saved.changes.len(),
        1,
        "each change once: {:?}",
        saved.changes
    );
}

#[tokio::test]
async fn a_busy_file_is_waited_for_and_not_for_ever() {
    let mut desk = Desk::new().await;
    let mut foreign = desk.store.foreign().await;
    let transaction = foreign.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let writes = (0..3).map(|_| desk.write(ProductPatch::adjust_stock(1)));
    let refused = futures::future::join_all(writes).await;
    assert!(
        refused
            .iter()
            .all(|write| *write.as_ref().unwrap_err() == Kind::Unavailable)
    );

    let mut waiting = Box::pin(desk.write(ProductPatch::adjust_stock(1)));
    let waits = tokio::time::timeout(std::time::Duration::from_millis(100), &mut waiting).await;
    assert!(waits.is_err(), "{waits:?}");
    transaction.rollback().await.unwrap();
    waiting.await.unwrap();
    assert_eq!(desk.product().await.stock_quantity, 6);
    assert_eq!(desk.follower.deps().await, ["product:7"]);
}

#[tokio::test]
async fn without_a_follower_there_is_no_token() {
    let desk = Desk::new().await;
    let database = desk.store.database.without_change_log();
    assert!(database.change_log().is_none());
    assert!(!database.sources().products.certifies());
    let writer = database.product_writer();
    let saved = writer
        .write(&parsed("7"), &ProductPatch::set_stock(1))
        .await
        .unwrap();
    assert!(saved.written.is_none() && saved.changes.is_empty());
    assert_eq!(product(&database).await.stock_quantity, 1);
}

#[tokio::test]
async fn a_table_that_was_made_anew_reports_nothing_and_that_is_noticed() {
    let store = Embedded::new().await;
    assert_eq!(store.database.coherence().await.unwrap(), Coherence::Whole);
    let mut foreign = store.foreign().await;
    foreign
        .execute(
            "BEGIN; CREATE TABLE copy AS SELECT * FROM state; DROP TABLE state;
             ALTER TABLE copy RENAME TO state; DROP TRIGGER tingkat_product_update; COMMIT",
        )
        .await
        .unwrap();
    let report = store.database.check_triggers().await.unwrap();
    assert_eq!(report.missing, ["product", "state"]);
    assert_eq!(report.watched.len(), 5);
    let problems = vec!["no triggers on product, state".to_owned()];
    assert_eq!(
        store.database.coherence().await.unwrap(),
        Coherence::Incomplete(problems)
    );
}
