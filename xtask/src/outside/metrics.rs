//! `promtool check metrics` over what a running service tells: Prometheus' own view of its names,
//! its helps and its format.

use crate::apt;
use crate::platform::Platform;
use crate::process::{command, run};
use crate::programs::Programs;
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Stdio};
use std::time::Duration;

/// The Debian package that brings it. It brings a service as well, which is not started.
const PACKAGE: &str = "prometheus";

/// What is asked first, so that there is something to tell of each kind.
const TRAFFIC: [&str; 5] = [
    "/v1/products/1",
    "/v1/products/1",
    "/v1/products/nowhere",
    "/v1/postcodes/50450",
    "/nowhere",
];

/// Longer than a healthy service takes to answer anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gets promtool where it is missing.
pub(super) fn ensure() -> Result<()> {
    if promtool().is_ok() {
        return Ok(());
    }
    if Platform::of_this_machine() != Platform::Debian || !apt::is_allowed() {
        bail!(
            "promtool is missing; on Debian and Ubuntu it is in the package {PACKAGE}, with \
             Homebrew in {PACKAGE} as well"
        );
    }
    apt::install(&[PACKAGE])?;
    promtool().map(drop)
}

fn promtool() -> Result<PathBuf> {
    let programs = Programs::of_this_machine();
    let home = programs.home_of(&["promtool"]);
    Ok(home.context("there is no promtool")?.join("promtool"))
}

/// Judges the page of a service that has just answered a few requests.
pub(super) fn check() -> Result<()> {
    // The selection of the tests, whose build is there already.
    run(command("cargo").args(["test", "--workspace", "--test", "it", "--no-run"]))?;
    let service = Service::start()?;
    for path in TRAFFIC {
        service.get(path)?;
    }
    let page = service.get("/metrics")?;
    judge(&page)
}

fn judge(page: &str) -> Result<()> {
    println!("$ promtool check metrics < {} lines", page.lines().count());
    let mut promtool = command(promtool()?)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .spawn()
        .context("failed to start promtool")?;
    // Taken, so that it is closed before the end is awaited.
    let mut input = promtool.stdin.take().context("promtool takes no input")?;
    input.write_all(page.as_bytes())?;
    drop(input);
    let status = promtool.wait()?;
    if !status.success() {
        bail!("promtool found something wrong: {status}");
    }
    Ok(())
}

/// A service with the demo store, in a directory of its own under `target`.
struct Service {
    process: Child,
    /// Open for as long as it may write there.
    _log: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Service {
    fn start() -> Result<Self> {
        let directory = crate::root::root().join("target/outside");
        std::fs::create_dir_all(&directory)?;
        let mut process = command(crate::root::root().join("target/debug/tingkat"))
            .arg("serve")
            .current_dir(&directory)
            .env_clear()
            .env("PORT", "0")
            .env("REDIS_URL", "off")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to start the service")?;
        let log = process.stderr.take().context("the service has no log")?;
        let mut log = BufReader::new(log);
        let address = address(&mut log);
        if address.is_err() {
            process.kill()?;
            process.wait()?;
        }
        Ok(Self {
            process,
            _log: log,
            address: address?,
        })
    }

    /// The body of an answer, whatever its status.
    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer
            .split_once("\r\n\r\n")
            .with_context(|| format!("no answer to {path}"))?;
        Ok(body.to_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a service listens, as soon as its log says so.
fn address(log: &mut BufReader<ChildStderr>) -> Result<SocketAddr> {
    let mut said = String::new();
    while log.read_line(&mut said)? > 0 {
        let rest = said.split_once("listening on http://");
        if let Some((_, rest)) = rest {
            return Ok(rest.trim().parse()?);
        }
    }
    bail!("the service did not start:\n{said}")
}
