//! What warming costs customers whose database takes 200 ms for a statement: a node, a real `PostgreSQL`
//! whose loads sleep, and requests at a fixed rate, each timed from when it was due. Most are for what is
//! warm, a fifth for products that nobody asked for before. Pairs of runs, without warming and with it, which
//! comes first in every other one. Prints figures and judges nothing.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

#[path = "demo/copies.rs"]
mod copies;

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_lab::Target;
use tingkat_lab::start::measure;
use tingkat_testkit::figures::{self, Limit};
use tingkat_testkit::{Postgres, Redis, free_port};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use self::copies::copies;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tingkat");
const LOAD: &str = include_str!("../../tingkat-sql/queries/postgres/product_load.sql");

const PAIRS: usize = 5;
const AIM: f64 = 1.3;

/// Of a run.
const SECONDS: usize = 8;
/// Requests that are due in a second.
const RATE: usize = 200;
/// One of so many is for a product that nobody asked for.
const COLD: usize = 5;
/// What the others ask for.
const HOT: usize = 50;

/// Products that are warmed in a run: more than it gets to.
const WARMED: usize = 10_000;

const PATIENCE: Duration = Duration::from_mins(1);

/// `foo`, and what it may do.
const TOKEN: &str = "foo";
const TOKENS: &str = "operate:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let postgres = Postgres::start().await?;
    let redis = Redis::start().await?;
    let folder = tempfile::tempdir()?;
    let shop = Shop::open(&postgres, &redis, folder.path()).await?;
    let (_node, target) = shop.serve().await?;
    // The first requests open connections and load what is hot.
    shop.customers(&target, 0).await?;

    let mut ratios = Vec::new();
    for pair in 0..PAIRS {
        let with = async || {
            let warming = shop.warming(&target, pair)?;
            let with = p99(shop.customers(&target, 2 * pair + 2).await?);
            Ok::<_, Box<dyn Error>>((with, loaded(warming).await?))
        };
        let without =
            async || Ok::<_, Box<dyn Error>>(p99(shop.customers(&target, 2 * pair + 1).await?));
        let (without, (with, loaded)) = if pair % 2 == 0 {
            (without().await?, with().await?)
        } else {
            let first = with().await?;
            (without().await?, first)
        };
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        println!(
            "p99 without {}, while {loaded} products are warmed {}: {ratio:.2}",
            ms(without),
            ms(with)
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    if let Some(median) = ratios.get(PAIRS / 2) {
        println!("p99 of customers: {median:.2} × without, median of {PAIRS} pairs (aim: {AIM})");
        let what = "p99 of customers while products are warmed, 200 ms a statement";
        figures::target(what, *median, "× without", Limit::AtMost(AIM));
    }
    Ok(())
}

/// A store whose products take their time.
struct Shop {
    folder: PathBuf,
    database: String,
    redis: String,
}

impl Shop {
    async fn open(postgres: &Postgres, redis: &Redis, folder: &Path) -> Result<Self> {
        let shop = Self {
            folder: folder.to_owned(),
            database: postgres.url("postgres"),
            redis: redis.url(),
        };
        let installed = shop
            .program(&["schema", "install", "--demo"])
            .status()
            .await?;
        if !installed.success() {
            return Err("the store could not be installed".into());
        }
        let count = (2 * PAIRS + 1) * SECONDS * RATE / COLD + PAIRS * WARMED;
        postgres.psql(&copies(count)).await?;
        let slow = LOAD
            .replacen(
                "WITH RECURSIVE ",
                "WITH RECURSIVE nap AS MATERIALIZED (SELECT pg_sleep(0.2)), ",
                1,
            )
            .replace(
                "FROM product\nWHERE product.id",
                "FROM product CROSS JOIN nap\nWHERE product.id",
            );
        if slow.matches("nap").count() != 2 {
            return Err("the statement of the load has another shape".into());
        }
        fs::create_dir(folder.join("queries"))?;
        fs::write(folder.join("queries/product_load.sql"), slow)?;
        Ok(shop)
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("DATABASE_URL", &self.database)
            .env("REDIS_URL", &self.redis)
            .env("REDIS_KEY_PREFIX", "bench:")
            .env("TINGKAT_TOKEN", TOKEN)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn serve(&self) -> Result<(Child, Arc<Target>)> {
        let port = free_port()?;
        let target = Target::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let mut command = self.program(&["serve"]);
        command
            .env("PORT", port.to_string())
            .env("TINGKAT__SOURCE__QUERIES", "queries")
            .env("TINGKAT__SERVER__TOKENS", TOKENS)
            // Audits are loads as well, and of no customer.
            .env("TINGKAT__HEALTH__AUDITS", "0");
        let is_right = |answer: &tingkat_lab::Answer| answer.status == 200;
        let start = measure(&mut command, &target, "/v1/products/1", is_right, PATIENCE).await?;
        Ok((start.process, Arc::new(target)))
    }

    /// Asks at the rate, and gives back how long each had to wait. Each round asks for products of its own.
    async fn customers(&self, target: &Arc<Target>, round: usize) -> Result<Vec<Duration>> {
        let cold = round * SECONDS * RATE / COLD;
        let begun = SystemClock.now();
        let mut asked = JoinSet::new();
        for n in 0..SECONDS * RATE {
            let due =
                begun.after(Duration::from_secs(1) * u32::try_from(n)? / u32::try_from(RATE)?);
            tokio::time::sleep(due.since(SystemClock.now())).await;
            let path = if n % COLD == 0 {
                format!("/v1/products/b{}", cold + n / COLD + 1)
            } else {
                format!("/v1/products/{}", n % HOT + 1)
            };
            let target = Arc::clone(target);
            asked.spawn(async move {
                let answer = target.get(&path).await.map_err(|error| error.to_string())?;
                if answer.status != 200 {
                    return Err(format!("{path}: {}", answer.text()));
                }
                Ok(SystemClock.now().since(due))
            });
        }
        let mut times = Vec::new();
        while let Some(time) = asked.join_next().await {
            times.push(time??);
        }
        Ok(times)
    }

    /// Products of its own, as many as it gets to while customers ask.
    fn warming(&self, target: &Target, pair: usize) -> Result<Child> {
        let first = (2 * PAIRS + 1) * SECONDS * RATE / COLD + pair * WARMED;
        let keys: Vec<String> = (1..=WARMED).map(|n| format!("b{}", first + n)).collect();
        let list = self.folder.join("keys.txt");
        fs::write(&list, keys.join("\n"))?;
        let mut command = self.program(&["warm", "--json", "--no-progress"]);
        command
            .args(["--entity", "product", "--from-file"])
            .arg(list)
            .args(["--url", &format!("http://{}", target.address())])
            .args(["--timeout", &format!("{SECONDS}s")])
            .stdout(Stdio::piped());
        Ok(command.spawn()?)
    }
}

/// How many were.
async fn loaded(warming: Child) -> Result<u64> {
    let output = warming.wait_with_output().await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let loaded = report.pointer("/entities/0/loaded").and_then(Value::as_u64);
    match loaded {
        Some(loaded) if loaded > 0 => Ok(loaded),
        _ => Err(format!("nothing was warmed: {report}").into()),
    }
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times
        .get(times.len() * 99 / 100)
        .copied()
        .unwrap_or_default()
}

fn ms(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1_000.0)
}
