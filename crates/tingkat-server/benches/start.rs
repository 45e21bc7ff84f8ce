//! From the start of the program to its first right answer, with the embedded database, and what
//! it has in memory once it has answered everything. Prints figures and judges nothing.
//!
//! The file exists and the system has read it before, as after a deploy or a crash; Redis is off.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tingkat_lab::start::{Start, measure};
use tingkat_lab::{Answer, Target, resident_bytes};
use tingkat_testkit::figures::{self, Limit};
use tingkat_testkit::free_port;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tingkat");
const POSTCODES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tingkat-sql/data/postcodes.csv"
);

const RUNS: usize = 20;
const AIM: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_mins(1);

/// Products have the ids from 1 to this.
const PRODUCTS: usize = 1_958;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (_, mut first) = start(folder.path()).await?;
    first.process.kill().await?;
    println!("start that creates the file: {}", ms(first.answered));

    let (mut listening, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (_, mut start) = start(folder.path()).await?;
        start.process.kill().await?;
        listening.push(start.listening);
        answered.push(start.answered);
    }
    println!("start, {RUNS} runs: {} to listen", spread(&mut listening));
    println!(
        "start, {RUNS} runs: {} to the first right answer (aim: {})",
        spread(&mut answered),
        ms(AIM)
    );
    if let Some(median) = answered.get(answered.len().saturating_sub(1) / 2) {
        let limit = Limit::AtMost(AIM.as_secs_f64() * 1e3);
        let what = "start to the first right answer, the file exists";
        figures::target(what, median.as_secs_f64() * 1e3, "ms", limit);
    }

    let (target, start) = start(folder.path()).await?;
    let process = start.process.id().ok_or("the process has ended")?;
    let before = resident_bytes(process)?;
    ask_for_everything(&target).await?;
    let after = resident_bytes(process)?;
    println!("resident after the first answer: {}", mib(before));
    println!("resident after all postcodes and products: {}", mib(after));
    Ok(())
}

async fn start(folder: &Path) -> Result<(Target, Start), Box<dyn Error>> {
    let port = free_port()?;
    let target = Target::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut command = Command::new(PROGRAM);
    command
        .arg("serve")
        .current_dir(folder)
        .env_clear()
        .env("PORT", port.to_string())
        .env("REDIS_URL", "off")
        .stderr(Stdio::null());
    let is_right = |answer: &Answer| {
        answer
            .json()
            .is_ok_and(|body| body.pointer("/location/city") == Some(&"Kuala Lumpur".into()))
    };
    let start = measure(
        &mut command,
        &target,
        "/v1/postcodes/50450",
        is_right,
        PATIENCE,
    )
    .await?;
    Ok((target, start))
}

async fn ask_for_everything(target: &Target) -> Result<(), Box<dyn Error>> {
    let mut paths: Vec<String> = (1..=PRODUCTS)
        .map(|id| format!("/v1/products/{id}"))
        .collect();
    for row in csv::Reader::from_path(POSTCODES)?.records() {
        let row = row?;
        let code = row.get(0).ok_or("a row without a postcode")?;
        paths.push(format!("/v1/postcodes/{code}"));
    }
    for path in paths {
        let answer = target.get(&path).await?;
        if answer.status != 200 {
            return Err(format!("{path}: {}", answer.text()).into());
        }
    }
    Ok(())
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let at = |place: usize| times.get(place).copied().map_or_else(String::new, ms);
    let last = times.len().saturating_sub(1);
    format!("min {}, median {}, max {}", at(0), at(last / 2), at(last))
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

#[expect(clippy::cast_precision_loss, reason = "no process has so much memory")]
fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
