//! The embedded database's file: created once and whole, by whoever comes first, or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{ConnectOptions as _, Executor as _, Row as _};
use tingkat_sql::{Database, InstallErrorKind, OpenError, OpenErrorKind, Url, install_demo};

use crate::stores::{Embedded, config, parsed, values};

async fn open(path: &Path) -> Result<Database, OpenError> {
    Database::open(&Url::sqlite(path), &config()).await
}

/// Whether the store in the file is whole.
async fn assert_whole(path: &Path) -> Database {
    let database = open(path).await.unwrap();
    database.check().await.unwrap();
    let sources = database.sources();
    assert_eq!(values(&*sources.products, [parsed("1958")]).await.len(), 1);
    assert_eq!(
        values(&*sources.postcodes, [parsed("98859")]).await.len(),
        1
    );
    let count = sqlx::query("SELECT count(*) AS lines FROM order_line");
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap();
    let lines: i64 = count.fetch_one(&mut connection).await.unwrap().get("lines");
    assert_eq!(lines, 7_265);
    database
}

#[tokio::test]
async fn tasks_that_open_a_new_file_at_once_share_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let opened = futures::future::join_all((0..8).map(|_| open(&path))).await;
    let ids: Vec<_> = opened
        .into_iter()
        .map(|opened| opened.unwrap().file_id())
        .collect();
    assert!(
        ids[0].is_some() && ids.iter().all(|id| *id == ids[0]),
        "{ids:?}"
    );
    assert_whole(&path).await;
}

/// The other process of the next tests: it opens the file whose path it reads.
#[tokio::test]
#[ignore = "a process that other tests start"]
async fn other_process() {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).unwrap();
    let database = open(Path::new(path.trim_end())).await.unwrap();
    println!("id {}", database.file_id().unwrap());
}

pub(crate) fn start_other_process(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "file::other_process", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", path.display()).unwrap();
    child
}

#[tokio::test]
async fn processes_that_open_a_new_file_at_once_share_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let children = [(); 4].map(|()| start_other_process(&path));
    let id = open(&path).await.unwrap().file_id().unwrap().to_string();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains(&format!("id {id}")), "{printed}");
    }
    assert_whole(&path).await;
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_fills_the_file_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut unfinished = 0;
    for attempt in 0..12_u32 {
        let path = folder.path().join(format!("{attempt}.db"));
        let mut child = start_other_process(&path);
        // The log grows while the store is written, and is folded in when the process ends well.
        let log = PathBuf::from(format!("{}-wal", path.display()));
        let grown = u64::from(attempt) * 40_000 + 1;
        let is_due = || {
            let has_grown = fs::metadata(&log).is_ok_and(|log| log.len() >= grown);
            std::future::ready(has_grown || child.try_wait().unwrap().is_some())
        };
        tingkat_testkit::eventually(Duration::from_secs(20), is_due)
            .await
            .unwrap();
        child.kill().unwrap();
        unfinished += u32::from(!child.wait().unwrap().success());
        assert_whole(&path).await;
    }
    assert!(
        unfinished > 3,
        "only {unfinished} processes were killed in time"
    );
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_a_usable_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    for ms in [1, 3, 5, 10, 20, 40] {
        // Whether it was in time does not matter.
        let _ = tokio::time::timeout(Duration::from_millis(ms), open(&path)).await;
    }
    assert_whole(&path).await;
}

/// For longer than one attempt takes.
#[tokio::test]
async fn a_start_waits_for_whoever_reads_the_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let reader = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut reader = reader.connect().await.unwrap();
    reader
        .execute("CREATE TABLE first (a); DROP TABLE first; BEGIN")
        .await
        .unwrap();
    reader.execute("SELECT * FROM sqlite_schema").await.unwrap();
    let mut start = std::pin::pin!(open(&path));
    let waits = tokio::time::timeout(Duration::from_millis(300), &mut start).await;
    assert!(waits.is_err(), "{waits:?}");
    reader.execute("COMMIT").await.unwrap();
    start.await.unwrap();
    assert_whole(&path).await;
}

#[tokio::test]
async fn a_second_start_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let first = open(&path).await.unwrap();
    first.close().await;
    let bytes = fs::read(&path).unwrap();
    let second = open(&path).await.unwrap();
    assert_eq!(first.file_id(), second.file_id());
    second.check().await.unwrap();
    second.close().await;
    assert!(fs::read(&path).unwrap() == bytes, "the file is different");
}

#[tokio::test]
async fn two_files_have_different_ids() {
    let (one, other) = (Embedded::new().await, Embedded::new().await);
    let (one, other) = (
        one.database.file_id().unwrap(),
        other.database.file_id().unwrap(),
    );
    assert_ne!(one.short(), other.short());
    assert_eq!(one.short().len(), 8);
    assert!(one.to_string().starts_with(&one.short()));
}

#[tokio::test]
async fn what_the_owner_changed_survives_a_restart() {
    let store = Embedded::new().await;
    store
        .run("UPDATE product SET regular_price = 123, member_price = 99 WHERE id = '7'")
        .await;
    let again = store.open_again().await;
    let product = values(&*again.sources().products, [parsed("7")])
        .await
        .remove(0);
    assert_eq!(product.regular_price.amount, 123);
}

#[tokio::test]
#[cfg(unix)]
async fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let database = open(&path).await.unwrap();
    database.check().await.unwrap();
    let log = PathBuf::from(format!("{}-wal", path.display()));
    for file in [&path, &log] {
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
    }
}

/// Opening fails in one line that names the file, and leaves the file as it was.
async fn assert_refused(path: &Path, kind: OpenErrorKind, says: &str) {
    let before = fs::read(path).ok();
    let error = open(path).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains(says) && !text.contains('\n'), "{text}");
    let named = path.parent().unwrap().to_str().unwrap();
    assert!(text.contains(named), "{text}");
    assert!(fs::read(path).ok() == before, "the file is different");
}

#[tokio::test]
async fn what_is_no_store_is_refused_by_name_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);

    fs::write(
        file("text"),
        "these are not the tables that you are looking for\n".repeat(99),
    )
    .unwrap();
    assert_refused(
        &file("text"),
        OpenErrorKind::Foreign,
        "is not a SQLite database",
    )
    .await;

    fs::create_dir(file("folder")).unwrap();
    assert_refused(&file("folder"), OpenErrorKind::Unreadable, "is a directory").await;

    let nowhere = folder.path().join("nowhere").join("store.db");
    assert_refused(&nowhere, OpenErrorKind::Unreadable, "there is no directory").await;

    let theirs = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(file("theirs"))
        .create_if_missing(true);
    let mut theirs = theirs.connect().await.unwrap();
    theirs
        .execute("CREATE TABLE note (text text)")
        .await
        .unwrap();
    assert_refused(
        &file("theirs"),
        OpenErrorKind::Foreign,
        "of another program",
    )
    .await;
}

#[tokio::test]
async fn a_file_of_a_newer_release_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    open(&path).await.unwrap().close().await;
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .connect()
        .await
        .unwrap();
    connection
        .execute("PRAGMA user_version = 99")
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    assert_refused(&path, OpenErrorKind::Newer, "a newer release (schema 99)").await;
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    open(&path).await.unwrap().close().await;
    let mut bytes = fs::read(&path).unwrap();
    // The schema is on the first page, behind the file's header.
    bytes[100..4_096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    assert_refused(&path, OpenErrorKind::Unreadable, "is damaged").await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_place_where_no_file_can_be_is_refused() {
    // Not even root can create a file there.
    let path = Path::new("/proc/store.db");
    let error = open(path).await.unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Unreadable);
    assert_eq!(error.to_string(), "failed to open /proc/store.db");
}

#[tokio::test]
async fn the_demo_store_is_not_installed_into_an_embedded_database() {
    let store = Embedded::new().await;
    let error = install_demo(&store.database).await.unwrap_err();
    assert_eq!(error.kind(), InstallErrorKind::Embedded);
}

#[tokio::test]
async fn a_store_that_is_closed_answers_no_more() {
    let store = Embedded::new().await;
    store.database.close().await;
    let error = store.database.check().await.unwrap_err();
    assert_eq!(error.to_string(), "the database does not answer");
}
