//! The program as it is installed: run to its end, or serving in the background.
//!
//! It sees nothing of the developer's environment, and no Redis unless a test gives it one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tingkat_lab::{Answer, Target};
use tingkat_testkit::eventually;

/// Longer than anything takes, so that a test fails and does not hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tingkat");

/// A working directory, with the embedded database of all programs that run in it.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Arc<TempDir>);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(Arc::new(TempDir::new().unwrap()))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The names of the files in it, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A run of the program that has not begun.
pub(crate) struct Program {
    command: Command,
    folder: Folder,
}

impl Program {
    pub(crate) fn new(folder: &Folder, arguments: &[&str]) -> Self {
        Self::bare(folder, arguments)
            .with("PORT", "0")
            .with("REDIS_URL", "off")
    }

    /// One without any variable: its ports are those of an operator.
    pub(crate) fn bare(folder: &Folder, arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null());
        Self {
            command,
            folder: folder.clone(),
        }
    }

    pub(crate) fn serve(folder: &Folder) -> Self {
        Self::new(folder, &["serve"])
    }

    /// Sets a variable of its environment.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Process {
        let outputs = TempDir::new().unwrap();
        let output = |name| File::create(outputs.path().join(name)).unwrap();
        let child = self
            .command
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        Process {
            child,
            outputs,
            folder: self.folder,
        }
    }

    /// Starts it with a certificate, and waits until it listens.
    pub(crate) async fn encrypted(self) -> (Process, SocketAddr) {
        let mut process = self.start();
        let address = eventually(PATIENCE, || {
            let log = process.log();
            let rest = log.split_once("listening on https://").map(|it| it.1);
            let address = rest.and_then(|rest| rest.split_whitespace().next());
            assert!(address.is_some() || process.is_running(), "{log}");
            std::future::ready(address.map(str::to_owned))
        });
        let address = address.await.unwrap().parse().unwrap();
        (process, address)
    }

    /// Runs it until it ends by itself.
    pub(crate) async fn run(self) -> Ended {
        self.start().ended().await
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn listening(self) -> Node {
        let mut process = self.start();
        let address = eventually(PATIENCE, || {
            let address = process.address();
            assert!(
                address.is_some() || process.is_running(),
                "{}",
                process.log()
            );
            std::future::ready(address)
        })
        .await
        .unwrap();
        let target = Arc::new(Target::new(address.parse().unwrap()));
        Node { process, target }
    }
}

/// A process, which does not outlive this value.
pub(crate) struct Process {
    child: Child,
    outputs: TempDir,
    pub(crate) folder: Folder,
}

impl Process {
    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.output("stderr")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// As signals name it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, unless it has ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            kill_process(Pid::from_child(&self.child), signal).unwrap();
        }
    }

    /// Waits until a line of the log has these words.
    pub(crate) async fn says(&self, words: &str) {
        eventually(PATIENCE, || std::future::ready(self.log().contains(words)))
            .await
            .unwrap_or_else(|_| panic!("{words:?} is not in the log:\n{}", self.log()));
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// Waits for so long until it ends by itself.
    pub(crate) async fn ended_within(mut self, time: Duration) -> Ended {
        let status = eventually(time, || std::future::ready(self.child.try_wait().unwrap()));
        let code = status
            .await
            .unwrap_or_else(|_| panic!("{}", self.log()))
            .code();
        Ended {
            code,
            stdout: self.output("stdout"),
            stderr: self.output("stderr"),
        }
    }

    /// What it holds of the machine's memory, as Linux counts it.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() << 10
    }

    /// Where it says that it listens.
    fn address(&self) -> Option<String> {
        let log = self.log();
        let (_, rest) = log.split_once("listening on http://")?;
        let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)))?;
        rest.get(..end).map(str::to_owned)
    }

    /// What it has written so far.
    pub(crate) fn output(&self, name: &str) -> String {
        fs::read_to_string(self.outputs.path().join(name)).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Nothing if it was a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process that serves.
pub(crate) struct Node {
    pub(crate) process: Process,
    pub(crate) target: Arc<Target>,
}

impl Node {
    /// A node with the embedded database and without Redis.
    pub(crate) async fn alone() -> Self {
        Program::serve(&Folder::new()).listening().await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.target.get(path).await.unwrap()
    }

    /// The status and the body of `/readyz`.
    pub(crate) async fn readiness(&self) -> (u16, Value) {
        let answer = self.get("/readyz").await;
        (answer.status.as_u16(), answer.json().unwrap())
    }

    /// Waits until `/readyz` says this of the source or of Redis.
    pub(crate) async fn sees(&self, neighbour: &str, state: &str) {
        eventually(PATIENCE, async || {
            self.readiness().await.1[neighbour] == state
        })
        .await
        .unwrap();
    }

    /// Waits until a line of the log has these words.
    pub(crate) async fn says(&self, words: &str) {
        self.process.says(words).await;
    }
}
