//! One `tingkat serve`, with its own ways to Redis and to the database.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tingkat_lab::Target;
use tingkat_testkit::eventually;

use crate::way::Way;

/// Longer than anything takes, so that a run fails and does not hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A reader gives up after this long: longer than any deadline of the node's.
const READER_PATIENCE: Duration = Duration::from_secs(12);

const PROGRAM: &str = env!("CARGO_BIN_EXE_tingkat");

/// While its working directory has this file, the source of a node that was built for it panics.
#[cfg(feature = "broken-rules")]
const SOURCE_PANICS: &str = "the-source-panics";

/// A node, which may be down.
pub(crate) struct Node {
    pub(crate) index: usize,
    redis: Option<Way>,
    pub(crate) database: Way,
    environment: Vec<(String, String)>,
    /// Its working directory, with what it logs.
    folder: TempDir,
    process: Mutex<Option<Child>>,
    /// Nothing while it is down.
    target: RwLock<Option<Arc<Target>>>,
}

impl Node {
    pub(crate) fn new(
        index: usize,
        redis: Option<Way>,
        database: Way,
        environment: Vec<(String, String)>,
    ) -> Self {
        Self {
            index,
            redis,
            database,
            environment,
            folder: TempDir::new().unwrap(),
            process: Mutex::new(None),
            target: RwLock::new(None),
        }
    }

    /// Its own way to Redis.
    pub(crate) fn redis(&self) -> &Way {
        self.redis.as_ref().unwrap()
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn start(&self) {
        let said_before = self.log().len();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let child = Command::new(PROGRAM)
            .arg("serve")
            .current_dir(self.folder.path())
            .env_clear()
            .env("PORT", "0")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        *self.process.lock().unwrap() = Some(child);
        let address = eventually(PATIENCE, || {
            let log = self.log();
            let address = address_in(log.get(said_before..).unwrap_or_default());
            assert!(address.is_some() || self.is_running(), "{log}");
            std::future::ready(address)
        })
        .await
        .unwrap_or_else(|_| panic!("node {} does not listen:\n{}", self.index, self.log()));
        let target = Target::new(address.parse().unwrap()).deadline(READER_PATIENCE);
        *self.target.write().unwrap() = Some(Arc::new(target));
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn is_ready(&self) {
        eventually(PATIENCE, async || {
            let Some(target) = self.target() else {
                return false;
            };
            let answer = target.get("/readyz").await;
            answer.is_ok_and(|answer| answer.status.is_success())
        })
        .await
        .unwrap_or_else(|_| panic!("node {} is not ready:\n{}", self.index, self.log()));
    }

    /// Whom to ask; nobody while it is down.
    pub(crate) fn target(&self) -> Option<Arc<Target>> {
        self.target.read().unwrap().clone()
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&self) {
        *self.target.write().unwrap() = None;
        if let Some(mut child) = self.process.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it where it stands.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// From now on every load of products panics, if the program was built for that.
    #[cfg(feature = "broken-rules")]
    pub(crate) fn source_panics(&self) {
        File::create(self.folder.path().join(SOURCE_PANICS)).unwrap();
    }

    /// No load does any more.
    #[cfg(feature = "broken-rules")]
    pub(crate) fn source_is_well(&self) {
        fs::remove_file(self.folder.path().join(SOURCE_PANICS)).unwrap();
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn is_running(&self) -> bool {
        let mut process = self.process.lock().unwrap();
        let child = process.as_mut();
        child.is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.lock().unwrap();
        kill_process(Pid::from_child(process.as_ref().unwrap()), signal).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where a log says that the node listens.
fn address_in(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)))?;
    rest.get(..end).map(str::to_owned)
}
