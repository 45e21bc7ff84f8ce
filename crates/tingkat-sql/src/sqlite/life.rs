//! The life of a file: from the first process that opens it until the last one has let it go.
//!
//! While nobody has the file open it may be restored from a copy, and ids of the change log that
//! were given out are given out again for something else. So each life has a name of its own, in a
//! sidecar that all processes of one life hold locked. A copy of the store does not bring it along.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Length of a name: 16 bytes in hexadecimal digits.
const NAME_LENGTH: usize = 32;

/// Another process holds the sidecar alone for some microseconds, unless it was stopped meanwhile.
const LOCKED_WITHIN: Duration = Duration::from_secs(5);

const RETRY_AFTER: Duration = Duration::from_millis(5);

/// The life that this process takes part in.
#[derive(Debug)]
pub(super) struct Life {
    name: String,
    /// Nobody else had the file open.
    is_new: bool,
    /// Locked as long as it is there.
    sidecar: Mutex<Option<File>>,
}

impl Life {
    /// Joins the life of the file at `path`, or begins one, called `name`, where nobody has it open.
    ///
    /// Where the sidecar can not be used, this process leads a life of its own: it then shares no
    /// cached entries with others, and believes none that it should not.
    pub(super) async fn begin(path: &Path, name: String) -> Self {
        let sidecar = sidecar(path);
        let joined = tokio::time::timeout(LOCKED_WITHIN, join(&sidecar, &name)).await;
        match joined.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok((file, joined)) => Self {
                is_new: joined == name,
                name: joined,
                sidecar: Mutex::new(Some(file)),
            },
            Err(error) => {
                tracing::warn!(
                    %error, path = %sidecar.display(),
                    "failed to lock the sidecar of the database file: entries in Redis are not \
                     shared with other processes"
                );
                Self {
                    name,
                    is_new: true,
                    sidecar: Mutex::new(None),
                }
            }
        }
    }

    /// What no other life of the file is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it began with this process: then it may end with it.
    pub(super) const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Lets go of it; to be called when all connections are closed.
    pub(super) fn end(&self) {
        *self
            .sidecar
            .lock()
            // Nothing that can panic runs while it is held.
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Beside the file that a link leads to, as SQLite's own companions are.
fn sidecar(path: &Path) -> PathBuf {
    let mut name = std::fs::canonicalize(path)
        .unwrap_or_else(|_| path.to_owned())
        .into_os_string();
    name.push("-life");
    name.into()
}

/// Everybody reads the name while holding the lock that all share: nobody can write then.
async fn join(sidecar: &Path, name: &str) -> io::Result<(File, String)> {
    let mut file = open(sidecar)?;
    if is_locked(file.try_lock())? {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(name.as_bytes())?;
        // The step from one lock to the other is not atomic: somebody may write another name.
        file.unlock()?;
    }
    while !is_locked(file.try_lock_shared())? {
        tokio::time::sleep(RETRY_AFTER).await;
    }
    let mut found = String::new();
    file.rewind()?;
    (&file)
        .take(NAME_LENGTH as u64 + 1)
        .read_to_string(&mut found)?;
    let is_name = found.len() == NAME_LENGTH && found.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_name {
        Ok((file, found))
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it was overwritten",
        ))
    }
}

fn open(sidecar: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(sidecar)
}

fn is_locked(attempt: Result<(), TryLockError>) -> io::Result<bool> {
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
