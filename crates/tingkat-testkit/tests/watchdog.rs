//! What happens when the test process gets no chance to clean up.
#![expect(
    clippy::unwrap_used,
    reason = "clippy allows it in tests, but not in what tests share"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tingkat_testkit::{Postgres, Redis, eventually};

const SOON: Duration = Duration::from_secs(20);

/// Starts servers, says where they are, and waits to be killed.
#[tokio::test]
#[ignore = "the test below runs it in a process of its own"]
async fn victim() {
    let redis = Redis::start().await.unwrap();
    let postgres = Postgres::start().await.unwrap();
    // The hardest case: a server that takes no signal but SIGKILL, with children.
    let stopped = Postgres::start().await.unwrap();
    stopped.stop().unwrap();
    for (pid, dir) in [
        (redis.pid(), redis.dir()),
        (postgres.pid(), postgres.dir()),
        (stopped.pid(), stopped.dir()),
    ] {
        println!("server {} {}", pid.unwrap(), dir.display());
    }
    println!("ready");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn servers_do_not_outlive_a_killed_test() {
    let mut victim = Victim::start();
    let servers = servers_of(&mut victim.0);
    assert_eq!(servers.len(), 3);
    let mut pids: Vec<u32> = servers.iter().map(|(pid, _)| *pid).collect();
    for server in pids.clone() {
        // A child that ended just before its parent was stopped is there, but not alive.
        pids.extend(children_of(server).into_iter().filter(|pid| is_alive(*pid)));
    }
    assert!(pids.len() > 6, "no children of PostgreSQL among {pids:?}");
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    assert!(servers.iter().all(|(_, dir)| Path::new(dir).exists()));

    drop(victim);
    eventually(SOON, async || {
        let are_gone = servers.iter().all(|(_, dir)| !Path::new(dir).exists());
        are_gone && !pids.iter().any(|pid| is_alive(*pid))
    })
    .await
    .unwrap();
}

/// The process of the test above, killed when it is dropped, also by a failing test.
struct Victim(Child);

impl Victim {
    fn start() -> Self {
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["victim", "--exact", "--ignored", "--nocapture"])
            .stdout(Stdio::piped())
            .spawn();
        Self(process.unwrap())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn servers_of(victim: &mut Child) -> Vec<(u32, String)> {
    let output = BufReader::new(victim.stdout.take().unwrap());
    output
        .lines()
        .map(Result::unwrap)
        .take_while(|line| line != "ready")
        .filter_map(|line| {
            // The test runner writes its own words on the first line.
            let (_, server) = line.split_once("server ")?;
            let (pid, dir) = server.split_once(' ')?;
            Some((pid.parse().ok()?, dir.to_owned()))
        })
        .collect()
}

fn children_of(parent: u32) -> Vec<u32> {
    let table = ps(&["-A", "-o", "ppid=", "-o", "pid="]);
    let lines = table.lines().filter_map(|line| line.trim().split_once(' '));
    lines
        .filter(|(its_parent, _)| *its_parent == parent.to_string())
        .map(|(_, pid)| pid.trim().parse().unwrap())
        .collect()
}

/// Whether there is such a process that has not ended; init may take a moment to reap it.
fn is_alive(pid: u32) -> bool {
    let state = ps(&["-o", "stat=", "-p", &pid.to_string()]);
    !state.is_empty() && !state.starts_with('Z')
}

fn ps(args: &[&str]) -> String {
    let output = Command::new("ps").args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
