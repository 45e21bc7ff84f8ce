//! Warms many products into Redis by the command, beside what cannot be left out: the same statement in
//! the same batches through `psql`, and the same bytes through `redis-cli --pipe`. Prints figures and
//! judges nothing.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

#[path = "demo/copies.rs"]
mod copies;

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_lab::resident_bytes;
use tingkat_testkit::figures::{self, Limit};
use tingkat_testkit::{Postgres, Redis};
use tokio::process::Command;

use self::copies::copies;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tingkat");
const LOAD: &str = include_str!("../../tingkat-sql/queries/postgres/product_load.sql");

const PRODUCTS: usize = 100_000;
const BATCH: usize = 200;
const RUNS: usize = 3;
const AIM: f64 = 1.3;

/// As many as the server takes in one answer.
const CHUNK: usize = 1_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let postgres = Postgres::start().await?;
    let redis = Redis::start().await?;
    let folder = tempfile::tempdir()?;
    let url = postgres.url("postgres");
    let installed = program(folder.path(), &url, &redis)
        .args(["schema", "install", "--demo"])
        .status()
        .await?;
    if !installed.success() {
        return Err("the store could not be installed".into());
    }
    postgres.psql(&copies(PRODUCTS)).await?;
    let ids: Vec<String> = (1..=PRODUCTS).map(|n| format!("b{n}")).collect();
    let list = folder.path().join("keys.txt");
    fs::write(&list, ids.join("\n"))?;

    let (mut warm, mut bare) = (Vec::new(), Vec::new());
    let pipe = folder.path().join("pipe");
    for run in 0..RUNS {
        redis.cmd(&["FLUSHALL"]).await?;
        let took = warmed(folder.path(), &url, &redis, &list).await?;
        if run == 0 {
            write_commands(&redis, &ids, &pipe).await?;
        }
        let selected = selected(&postgres, &ids).await?;
        redis.cmd(&["FLUSHALL"]).await?;
        let piped = piped(&redis, &pipe).await?;
        println!(
            "warm {}, bare {} (select {}, pipe {})",
            s(took),
            s(selected + piped),
            s(selected),
            s(piped)
        );
        warm.push(took);
        bare.push(selected + piped);
    }
    warm.sort();
    bare.sort();
    let middle = RUNS / 2;
    if let (Some(warm), Some(bare)) = (warm.get(middle), bare.get(middle)) {
        let ratio = warm.as_secs_f64() / bare.as_secs_f64();
        println!("{PRODUCTS} products: {ratio:.2} × bare, medians of {RUNS} (aim: {AIM})");
        let what = format!("warm {PRODUCTS} products into redis, the whole command");
        let unit = "× SELECT and redis-cli --pipe";
        figures::target(&what, ratio, unit, Limit::AtMost(AIM));
    }
    Ok(())
}

fn program(folder: &Path, url: &str, redis: &Redis) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .current_dir(folder)
        .env_clear()
        .env("DATABASE_URL", url)
        .env("REDIS_URL", redis.url())
        .env("REDIS_KEY_PREFIX", "bench:")
        .stderr(Stdio::null());
    command
}

/// The whole command, from its start to its end.
async fn warmed(folder: &Path, url: &str, redis: &Redis, list: &Path) -> Result<Duration> {
    let begun = SystemClock.now();
    let mut command = program(folder, url, redis);
    command.args([
        "warm",
        "--json",
        "--no-progress",
        "--entity",
        "product",
        "--from-file",
    ]);
    let mut child = command.arg(list).stdout(Stdio::piped()).spawn()?;
    let process = child.id().unwrap_or_default();
    let mut most = 0;
    let ended = loop {
        most = most.max(resident_bytes(process).unwrap_or_default());
        let look = tokio::time::timeout(Duration::from_millis(20), child.wait()).await;
        if let Ok(ended) = look {
            break ended?;
        }
    };
    let took = SystemClock.now().since(begun);
    let output = child.wait_with_output().await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    if !ended.success() {
        return Err(format!("not all is warm: {report}").into());
    }
    println!("resident at most: {} MiB", most >> 20);
    Ok(took)
}

/// The statements of the loads, one after the other.
async fn selected(postgres: &Postgres, ids: &[String]) -> Result<Duration> {
    let mut sql = format!("\\o /dev/null\nPREPARE load(text[]) AS {LOAD};\n");
    for batch in ids.chunks(BATCH) {
        let list: Vec<String> = batch.iter().map(|id| format!("'{id}'")).collect();
        writeln!(sql, "EXECUTE load(ARRAY[{}]);", list.join(","))?;
    }
    let begun = SystemClock.now();
    postgres.psql(&sql).await?;
    Ok(SystemClock.now().since(begun))
}

/// The commands that fill Redis with what the run has written.
async fn write_commands(redis: &Redis, ids: &[String], to: &Path) -> Result<()> {
    let keys = redis.cmd(&["KEYS", "bench:c:product.*"]).await?;
    let names: Vec<String> = keys
        .items()
        .iter()
        .filter_map(tingkat_testkit::redis::Reply::text)
        .collect();
    if names.len() != ids.len() {
        return Err(format!("{} keys in Redis", names.len()).into());
    }
    let mut commands = Vec::new();
    for names in names.chunks(CHUNK) {
        let mut command = vec!["MGET".to_owned()];
        command.extend(names.iter().cloned());
        let cells = redis.cmd(&command).await?;
        for (name, cell) in names.iter().zip(cells.items()) {
            let tingkat_testkit::redis::Reply::Bulk(cell) = cell else {
                return Err("a cell is not there".into());
            };
            let head = format!(
                "*5\r\n$3\r\nSET\r\n${}\r\n{name}\r\n${}\r\n",
                name.len(),
                cell.len()
            );
            commands.extend(head.as_bytes());
            commands.extend(&**cell);
            commands.extend(b"\r\n$2\r\nPX\r\n$8\r\n90000000\r\n");
        }
    }
    fs::write(to, commands)?;
    Ok(())
}

async fn piped(redis: &Redis, from: &Path) -> Result<Duration> {
    let begun = SystemClock.now();
    let piped = Command::new("redis-cli")
        .args(["-p", &redis.port().to_string(), "--pipe"])
        .stdin(File::open(from)?)
        .stdout(Stdio::null())
        .status()
        .await?;
    let took = SystemClock.now().since(begun);
    if piped.success() {
        Ok(took)
    } else {
        Err("redis-cli failed".into())
    }
}

fn s(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
