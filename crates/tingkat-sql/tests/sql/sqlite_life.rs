//! What tells one life of the file from another: crashes, copies, files that take its place.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tingkat::certificate::Incarnation;
use tingkat::error::Recovery;
use tingkat_sql::{Database, Url};
use tingkat_testkit::eventually;

use crate::follower::Follower;
use crate::stores::{Embedded, config, load, parsed};

fn plain(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path)
}

async fn open(path: &Path) -> Database {
    Database::open(&Url::sqlite(path), &config()).await.unwrap()
}

async fn incarnation(database: &Database) -> Incarnation {
    Follower::of(database).await.incarnation
}

#[tokio::test]
async fn a_file_that_nobody_has_open_begins_another_life() {
    let store = Embedded::new().await;
    let first = incarnation(&store.database).await;
    let other = store.open_again().await;
    assert_eq!(incarnation(&other).await, first);
    store.database.close().await;
    // One of two has gone.
    let third = store.open_again().await;
    assert_eq!(incarnation(&third).await, first);
    assert_eq!(incarnation(&other).await, first);
    other.close().await;
    third.close().await;
    assert_ne!(incarnation(&store.open_again().await).await, first);
}

/// Ids of the change log that were given out before are given out again for something else.
#[tokio::test]
async fn a_copy_that_is_put_back_while_nobody_looks_is_another_incarnation() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("store.db"),
        folder.path().join("copy.db"),
    );
    open(&path).await.close().await;
    fs::copy(&path, &copy).unwrap();

    let database = open(&path).await;
    let before = Follower::of(&database).await;
    let written = before.log.append(vec![]).await.unwrap();
    assert_eq!(written.incarnation, before.incarnation);
    database.close().await;

    // The same bytes under the same name, and the sidecar is still there.
    fs::copy(&copy, &path).unwrap();
    assert!(folder.path().join("store.db-life").exists());
    let restored = Follower::of(&open(&path).await).await;
    assert_eq!(restored.position, before.position);
    assert_ne!(restored.incarnation, before.incarnation);
}

#[tokio::test]
async fn two_copies_that_are_open_at_once_are_two() {
    let store = Embedded::new().await;
    store.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let copy = store.path().with_file_name("copy.db");
    fs::copy(store.path(), &copy).unwrap();
    let copy = open(&copy).await;
    assert_eq!(copy.file_id(), store.database.file_id());
    assert_ne!(incarnation(&copy).await, incarnation(&store.database).await);
}

#[tokio::test]
#[cfg(unix)]
async fn a_link_leads_to_the_same_life() {
    let store = Embedded::new().await;
    let link = store.path().with_file_name("link.db");
    std::os::unix::fs::symlink(store.path(), &link).unwrap();
    let linked = open(&link).await;
    assert_eq!(
        incarnation(&linked).await,
        incarnation(&store.database).await
    );
}

/// A sidecar that can not be used costs shared entries, not the start and not the truth.
#[tokio::test]
async fn without_a_sidecar_each_opening_is_a_life_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::create_dir(folder.path().join("store.db-life")).unwrap();
    let (one, other) = (open(&path).await, open(&path).await);
    let mut follower = Follower::of(&one).await;
    assert_ne!(incarnation(&other).await, follower.incarnation);
    other.change_log().unwrap().append(vec![]).await.unwrap();
    let mut foreign = plain(&path).connect().await.unwrap();
    foreign
        .execute("UPDATE product SET stock_quantity = 1 WHERE id = '7'")
        .await
        .unwrap();
    assert_eq!(follower.deps().await, ["product:7"]);
}

#[tokio::test]
async fn a_sidecar_that_was_overwritten_is_not_believed() {
    let store = Embedded::new().await;
    let sidecar = store.path().with_file_name("store.db-life");
    for rubbish in ["", "rubbish", &"x".repeat(9_999), &"0".repeat(33)] {
        fs::write(&sidecar, rubbish).unwrap();
        let other = store.open_again().await;
        assert_ne!(
            incarnation(&other).await,
            incarnation(&store.database).await
        );
        other.close().await;
    }
    store.database.close().await;
    let (one, other) = (store.open_again().await, store.open_again().await);
    assert_eq!(incarnation(&one).await, incarnation(&other).await);
}

#[tokio::test]
#[cfg(unix)]
async fn a_file_in_the_place_of_the_open_one_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (path, new) = (folder.path().join("store.db"), folder.path().join("new.db"));
    open(&path).await.close().await;
    fs::copy(&path, &new).unwrap();
    let database = open(&path).await;
    let follower = Follower::of(&database).await;
    let products = database.sources().products;
    load(&*products, [parsed("7")]).await.unwrap();

    // What is in the write-ahead log would be taken for the new file's.
    let mut foreign = plain(&path).connect().await.unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    foreign.execute(checkpoint).await.unwrap();
    foreign.close().await.unwrap();
    fs::rename(&new, &path).unwrap();
    // Whoever opens the new one while we hold the old one must not be taken for one of us.
    let other = Writing::start(&path);
    assert_ne!(other.incarnation, follower.incarnation.to_string());
    other.kill_after(1);

    let says = format!(
        "{} was moved, replaced or removed while it was in use: restart the service",
        path.display()
    );
    let error = follower.log.poll(&follower.position, 10).await.unwrap_err();
    assert_eq!(error.recovery(), Recovery::GiveUp);
    assert_eq!(
        error.to_string(),
        format!("failed to poll the change log: {says}")
    );
    let error = follower.log.append(vec![]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("failed to write the change log: {says}")
    );
    let error = load(&*products, [parsed("7")]).await.unwrap_err();
    assert_eq!(error.recovery(), Recovery::Reconnect);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains(&says), "{cause}");
    database.check().await.unwrap_err();

    // The old one coming back changes nothing: what was written meanwhile is not known.
    let again = folder.path().join("again.db");
    fs::rename(&path, &again).unwrap();
    follower.log.poll(&follower.position, 10).await.unwrap_err();
    fs::rename(&again, &path).unwrap();
    database.close().await;
    let restarted = Follower::of(&open(&path).await).await;
    assert_ne!(restarted.incarnation, follower.incarnation);
}

#[tokio::test]
#[cfg(unix)]
async fn a_file_that_is_removed_does_not_come_back_empty() {
    let store = Embedded::new().await;
    let follower = Follower::of(&store.database).await;
    fs::remove_file(store.path()).unwrap();
    follower.log.poll(&follower.position, 10).await.unwrap_err();
    let products = store.database.sources().products;
    load(&*products, [parsed("7")]).await.unwrap_err();
    assert!(!store.path().exists());
}

/// The other process of the next tests: it tells its incarnation, then adds to a stock for ever,
/// and tells each commit.
#[tokio::test]
#[ignore = "a process that other tests start"]
async fn writing_process() {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).unwrap();
    let path = Path::new(path.trim_end());
    let database = open(path).await;
    println!("incarnation {}", incarnation(&database).await);
    let mut connection = plain(path).connect().await.unwrap();
    loop {
        let update = "UPDATE product SET stock_quantity = stock_quantity + 1 WHERE id = '7'";
        connection.execute(update).await.unwrap();
        println!("committed");
    }
}

struct Writing {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    incarnation: String,
}

impl Writing {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "sqlite_life::writing_process",
                "--ignored",
                "--nocapture",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{}", path.display()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let incarnation = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("incarnation ")
                .map(|(_, told)| told.to_owned())
        });
        Self {
            child,
            lines,
            incarnation: incarnation.unwrap(),
        }
    }

    /// Kills it after so many commits; how many it told of.
    fn kill_after(mut self, commits: u64) -> u64 {
        let committed = self
            .lines
            .by_ref()
            .map_while(Result::ok)
            .filter(|line| line == "committed");
        assert_eq!(
            committed.take(usize::try_from(commits).unwrap()).count() as u64,
            commits
        );
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let rest = self
            .lines
            .map_while(Result::ok)
            .filter(|line| line == "committed")
            .count();
        commits + rest as u64
    }
}

async fn stock(path: &Path) -> u64 {
    let mut connection = plain(path).connect().await.unwrap();
    let row = sqlx::query("SELECT stock_quantity FROM product WHERE id = '7'");
    let stock: i64 = row.fetch_one(&mut connection).await.unwrap().get(0);
    stock.try_into().unwrap()
}

#[tokio::test]
async fn a_writer_that_is_killed_has_logged_what_it_committed_and_nothing_else() {
    let store = Embedded::new().await;
    let mut follower = Follower::of(&store.database).await;
    for round in 1..=5 {
        let (before, began) = (stock(&store.path()).await, follower.position.xmax());
        let writing = Writing::start(&store.path());
        // Somebody has had the file open all the time.
        assert_eq!(writing.incarnation, follower.incarnation.to_string());
        let told = writing.kill_after(7 * round);
        let deps = follower.deps().await;
        assert_eq!(deps, ["product:7"]);
        let committed = stock(&store.path()).await - before;
        assert!(
            committed >= told && committed <= told + 1,
            "{committed}, {told}"
        );
        assert_eq!(follower.position.xmax() - began, committed, "round {round}");
    }
}

#[tokio::test]
async fn a_life_ends_with_the_process_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let killed = Writing::start(&path);
    let first = killed.incarnation.clone();
    killed.kill_after(3);
    let second = incarnation(&open(&path).await).await;
    assert_ne!(second.to_string(), first);
}

#[tokio::test]
async fn a_node_sees_what_another_process_writes_while_it_writes() {
    let store = Embedded::new().await;
    let follower = tokio::sync::Mutex::new(Follower::of(&store.database).await);
    let writing = Writing::start(&store.path());
    let sees = || async { follower.lock().await.deps().await == ["product:7"] };
    for _ in 0..20 {
        eventually(Duration::from_secs(10), sees).await.unwrap();
    }
    writing.kill_after(1);
}
