//! A service that answers for products, whoever wrote it.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tingkat_lab::Target;
use tingkat_lab::start::{Start, measure};
use tingkat_testkit::{figures, free_port};
use tokio::process::Command;

use crate::Result;
use crate::store::Store;

const QUERY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tingkat-sql/queries/postgres/product_load.sql"
);
const PATIENCE: Duration = Duration::from_mins(1);

/// What the system counts processor time in, as Linux tells it to programs everywhere.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) target: Target,
    port: u16,
    start: Start,
}

impl Contender {
    /// Tingkat, and each peer that the environment names.
    pub(crate) async fn start_all(store: &Store) -> Result<Vec<Self>> {
        let mut serve = store.tingkat();
        serve.arg("serve");
        let mut all = vec![Self::start("tingkat serve", serve).await?];
        if let Some(program) = named("TINGKAT_PEER_RUST") {
            let peer = store.program(program);
            all.push(Self::start("moka + redis-rs", peer).await?);
        }
        if let Some(folder) = named("TINGKAT_PEER_NODE") {
            let mut peer = store.program("node");
            peer.arg(folder.join("server.mjs")).env("PATH", path());
            all.push(Self::start("ioredis + JSON", peer).await?);
        }
        Ok(all)
    }

    async fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let port = free_port()?;
        let target = Target::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        command
            .env("PORT", port.to_string())
            .env("QUERY", Path::new(QUERY));
        let is_right = |answer: &tingkat_lab::Answer| answer.status == 200;
        let path = "/v1/products/1";
        let start = measure(&mut command, &target, path, is_right, PATIENCE).await;
        let start = start.map_err(|error| format!("{name}: {error}"))?;
        Ok(Self {
            name,
            target,
            port,
            start,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// For how many seconds its threads had the processor so far; nothing where the system does not
    /// tell.
    pub(crate) fn busy(&self) -> Option<f64> {
        let process = self.start.process.id()?;
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name before the last bracket may have anything in it.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
    }
}

/// Where programs are looked for.
#[expect(
    clippy::disallowed_methods,
    reason = "benchmarks have no configuration: this is all they are told"
)]
fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Where a peer is.
#[expect(
    clippy::disallowed_methods,
    reason = "benchmarks have no configuration: this is all they are told"
)]
fn named(variable: &str) -> Option<PathBuf> {
    let place = std::env::var_os(variable).map(PathBuf::from);
    if place.is_none() {
        let what = format!("a peer of bench/peers ({variable})");
        figures::not_run(&what, "it was not built; cargo xtask bench does");
    }
    place
}
