//! Warms many products into Redis by the command, beside what cannot be left out: the same statement in
//! the same batches through `psql`, and the same bytes through `redis-cli --pipe`. And what memory that
//! takes, beside a tenth of them. Prints figures and judges nothing.

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

/// Ten times the keys may take so many times the memory: the list of them, and nothing else.
const MEMORY: f64 = 2.0;

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

    let few = folder.path().join("few.txt");
    fs::write(
        &few,
        ids.get(..PRODUCTS / 10).unwrap_or_default().join("\n"),
    )?;

    let (mut warm, mut bare, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    let pipe = folder.path().join("pipe");
    for run in 0..RUNS {
        redis.cmd(&["FLUSHALL"]).await?;
        let (_, of_few) = warmed(folder.path(), &url, &redis, &few).await?;
        redis.cmd(&["FLUSHALL"]).await?;
        let (took, of_all) = warmed(folder.path(), &url, &redis, &list).await?;
        println!(
            "resident at most: {} MiB, {} MiB for a tenth",
            of_all >> 20,
            of_few >> 20
        );
        memory.push(mebibytes(of_all) / mebibytes(of_few));
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
    memory.sort_by(f64::total_cmp);
    let middle = RUNS / 2;
    if let (Some(warm), Some(bare)) = (warm.get(middle), bare.get(middle)) {
        let ratio = warm.as_secs_f64() / bare.as_secs_f64();
        println!("{PRODUCTS} products: {ratio:.2} × bare, medians of {RUNS} (aim: {AIM})");
        let what = format!("warm {PRODUCTS} products into redis, the whole command");
        let unit = "× SELECT and redis-cli --pipe";
        figures::target(&what, ratio, unit, Limit::AtMost(AIM));
    }
    if let Some(ratio) = memory.get(middle) {
        println!("memory: {ratio:.2} × that of a tenth (aim: {MEMORY})");
        let what = format!("warm {PRODUCTS} products into redis, memory of the command");
        let unit = "× that of a tenth of them";
        figures::target(&what, *ratio, unit, Limit::AtMost(MEMORY));
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

/// Nobody has so much that it matters.
fn mebibytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 20).unwrap_or(u32::MAX)).max(1.0)
}

/// The whole command, from its start to its end: how long it took, and the most memory that it had.
async fn warmed(folder: &Path, url: &str, redis: &Redis, list: &Path) -> Result<(Duration, u64)> {
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
    Ok((took, most))
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
