//! The demo store in PostgreSQL, put there by the program.

use tingkat_testkit::Postgres;
use tingkat_testkit::postgres::Database;

use crate::program::{Ended, Folder, Program};

/// Runs `tingkat schema install --demo` on the database of a URL.
pub(crate) async fn install(url: &str) -> Ended {
    Program::new(&Folder::new(), &["schema", "install", "--demo"])
        .with("DATABASE_URL", url)
        .run()
        .await
}

/// A new database with the demo store, on the server that the tests of this process share.
pub(crate) async fn installed() -> Database<'static> {
    let database = Postgres::shared().await.unwrap();
    must_install(&database.url()).await;
    database
}

pub(crate) async fn must_install(url: &str) {
    let ended = install(url).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
