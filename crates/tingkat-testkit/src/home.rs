//! The temporary folder of one server, and the watchdog that clears it away if we cannot.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// Waits for the end of its input, which comes when the test process ends in whatever way, SIGKILL
/// included: the kernel closes the pipe. Then it ends the last server that it was told of and
/// removes the folder. A parent-death signal would be shorter, but is Linux only, follows the
/// *thread* that has spawned the server, and needs `unsafe`.
const WATCHDOG: &str = r#"
trap '' HUP INT QUIT TERM
ending= target=
while read -r next_ending next_target; do ending=$next_ending target=$next_target; done
if [ -n "$target" ]; then
    kill -s CONT -- "$target"
    kill -s "$ending" -- "$target"
    tries=0
    while kill -s 0 -- "$target" && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -s KILL -- "$target"
fi
rm -rf "$1"
"#;

/// A file system in memory. There a `PostgreSQL` starts in a third of the time, and does not feel
/// what else the machine writes.
const MEMORY: &str = "/dev/shm";

/// How much must be free there: containers often have 64 MiB.
const MEMORY_ROOM_BYTES: u64 = 2 << 30;

/// What a server's files are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Memory where the system has room there, else the disk.
    Fast,
    /// The disk, for who wants to see it synced.
    Disk,
}

/// A temporary folder for one server at a time. Both are gone after the drop.
#[derive(Debug)]
pub(crate) struct Home {
    dir: TempDir,
    watchdog: Mutex<Child>,
}

impl Home {
    pub(crate) fn new(medium: Medium) -> Result<Self> {
        let parent = match medium {
            Medium::Fast if has_room(MEMORY) => PathBuf::from(MEMORY),
            Medium::Fast | Medium::Disk => std::env::temp_dir(),
        };
        // A short name: the path of a Unix socket may have about 100 bytes.
        let dir = tempfile::Builder::new()
            .prefix("tingkat-")
            .tempdir_in(parent)
            .map_err(Error::io("create a temporary folder"))?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // A runner that kills the process group of a test must not kill its watchdog.
            .process_group(0)
            .spawn()
            .map_err(Error::running("sh"))?;
        Ok(Self {
            dir,
            watchdog: Mutex::new(watchdog),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the server's output goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("server.log")
    }

    /// Tells the watchdog what to end and with which signal, in the words of `kill`.
    pub(crate) fn guard(&self, signal: &str, target: &str) -> Result<()> {
        self.tell(&format!("{signal} {target}\n"))
    }

    /// Tells the watchdog that the process has ended and its number is no longer ours.
    pub(crate) fn release(&self) -> Result<()> {
        self.tell("\n")
    }

    fn tell(&self, line: &str) -> Result<()> {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        let input = watchdog
            .stdin
            .as_mut()
            .ok_or_else(|| Error::new("the watchdog has no input"))?;
        input
            .write_all(line.as_bytes())
            .map_err(Error::io("talk to the watchdog"))
    }
}

fn has_room(folder: &str) -> bool {
    rustix::fs::statvfs(folder)
        .is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) >= MEMORY_ROOM_BYTES)
}

impl Drop for Home {
    fn drop(&mut self) {
        let watchdog = self
            .watchdog
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        // A process that has just been killed may still create a file while we remove the folder.
        // Then the watchdog removes the rest: it has no process to end, and its input ends here.
        if fs::remove_dir_all(self.dir.path()).is_err() {
            drop(watchdog.stdin.take());
        } else {
            // It has nothing left to do. This fails only if it is already gone.
            let _ = watchdog.kill();
        }
        // As above.
        let _ = watchdog.wait();
    }
}
