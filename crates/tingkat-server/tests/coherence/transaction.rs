//! A transaction that a run makes by itself, on a row that no writer touches.

use tingkat_testkit::postgres::Session;

use crate::history::{Key, Outcome, Write, now};
use crate::scene::Scene;
use crate::store::id;

/// It has changed its row, and is not over.
pub(crate) struct Transaction {
    pub(crate) session: Session,
    write: Write,
}

impl Transaction {
    pub(crate) async fn begin(scene: &Scene, key: Key) -> Self {
        let mut session = scene.store.session();
        let over = *scene.store.rows().await.get(key).unwrap();
        let mut value = over;
        value.version += 1;
        value.stamp = scene.writers.stamps(1);
        let update = format!(
            "BEGIN; UPDATE product SET version = {}, stock_quantity = {} WHERE id = '{}';",
            value.version,
            value.stamp,
            id(key)
        );
        session.run(&update).await.unwrap();
        let write = Write {
            key,
            value,
            over,
            asked: now(),
            outcome: Outcome::Unknown,
        };
        Self { session, write }
    }

    /// Ends it; from then on everybody must see it.
    pub(crate) async fn end(mut self, scene: &Scene, how: &str) {
        self.write.asked = now();
        self.session.run(how).await.unwrap();
        self.write.outcome = Outcome::Committed(now());
        scene.record_write(self.write);
    }
}
