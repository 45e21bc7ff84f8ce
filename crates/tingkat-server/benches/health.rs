//! What looks cost: a node that looks ten times a second beside one that looks once a minute, over the
//! same Redis, each with the embedded database and with entries to compare. Fails where looks at the usual
//! interval take more than they may.
//!
//! A look is all of it: the question to Redis, the canary, the audit, what the caches counted, and the
//! verdict.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tingkat_lab::start::{Start, measure};
use tingkat_lab::{Answer, Target};
use tingkat_testkit::figures::{self, Limit};
use tingkat_testkit::{Redis, free_port};
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tingkat");

/// So many products are in memory of each.
const PRODUCTS: usize = 500;

const MEASURED: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_mins(1);

/// As it is configured unless somebody says otherwise.
const INTERVAL: Duration = Duration::from_secs(10);

/// So much of a core they may take, in percent.
const AIM: f64 = 0.1;

/// Linux tells the time of processes in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let redis = Redis::start().await?;
    let (seldom, often) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let seldom = start(seldom.path(), &redis, "1m").await?;
    let often = start(often.path(), &redis, "100ms").await?;
    let before = [cpu(&seldom)?, cpu(&often)?];
    let (looks, server) = (looks(&redis).await?, server_cpu(&redis).await?);
    tokio::time::sleep(MEASURED).await;
    let looks = self::looks(&redis).await? - looks;
    let server = server_cpu(&redis).await? - server;
    let [seldom, often] = [
        cpu(&seldom)?.saturating_sub(before[0]),
        cpu(&often)?.saturating_sub(before[1]),
    ];
    let look = often.saturating_sub(seldom).as_secs_f64() / looks;
    println!("{looks} looks, {often:?} of CPU beside {seldom:?} without them");
    println!("a look: {:.2} ms of CPU of the node", look * 1_000.0);
    println!(
        "a look: {:.2} ms of CPU of Redis at most, with all else that it did",
        server / looks * 1_000.0
    );
    let share = look / INTERVAL.as_secs_f64() * 100.0;
    println!("at one look in {INTERVAL:?}: {share:.4} % of a core (aim: {AIM} %)");
    let what = "looks at health, at the usual interval of 10 s";
    figures::target(what, share, "% of a core", Limit::AtMost(AIM));
    if share > AIM {
        return Err(format!("looks take {share:.4} % of a core, more than {AIM} %").into());
    }
    Ok(())
}

/// A node that has answered all that it is asked for.
async fn start(folder: &Path, redis: &Redis, interval: &str) -> Result<Start, Failure> {
    let port = free_port()?;
    let target = Target::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut command = Command::new(PROGRAM);
    command
        .arg("serve")
        .current_dir(folder)
        .env_clear()
        .env("PORT", port.to_string())
        .env("REDIS_URL", redis.url())
        .env("TINGKAT__HEALTH__INTERVAL", interval)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let is_right = |answer: &Answer| answer.status == 200;
    let path = "/v1/postcodes/50450";
    let start = measure(&mut command, &target, path, is_right, PATIENCE).await?;
    for id in 1..=PRODUCTS {
        target.get(&format!("/v1/products/{id}")).await?;
    }
    Ok(start)
}

/// What a node has used of all cores, its threads that ended included.
fn cpu(node: &Start) -> Result<Duration, Failure> {
    let process = node.process.id().ok_or("the process has ended")?;
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Its name, which may have spaces in it, ends with the last parenthesis; state and ten others follow.
    let (_, fields) = stat.rsplit_once(") ").ok_or("an unknown form of stat")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let [user, system] =
        [fields.get(11), fields.get(12)].map(|it| it.and_then(|it| it.parse::<u32>().ok()));
    let ticks = user.ok_or("no time of the user")? + system.ok_or("no time of the system")?;
    Ok(TICK * ticks)
}

/// How often anybody asked Redis how it is.
async fn looks(redis: &Redis) -> Result<f64, Failure> {
    let info = redis.info("cmdstat_info").await?;
    let calls = info.split(',').find_map(|part| part.strip_prefix("calls="));
    Ok(calls.ok_or("no count of INFO")?.parse()?)
}

async fn server_cpu(redis: &Redis) -> Result<f64, Failure> {
    let user: f64 = redis.info("used_cpu_user").await?.parse()?;
    let system: f64 = redis.info("used_cpu_sys").await?.parse()?;
    Ok(user + system)
}
