//! Which file stands at the path. SQLite keeps to the file that it opened, whatever happens to its
//! name, and would pair a file that came in its place with the write-ahead log of the old one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The path of the database with the file that was there when it was opened.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    opened: Option<Identity>,
    was_replaced: AtomicBool,
}

/// Device and number; nobody can have them a second time while the file is open.
type Identity = (u64, u64);

/// The file is not there any more, or another one is.
#[derive(Debug, thiserror::Error)]
#[error("{} was moved, replaced or removed while it was in use: restart the service", path.display())]
pub(crate) struct Replaced {
    path: PathBuf,
}

impl Place {
    pub(super) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            opened: identity(path),
            was_replaced: AtomicBool::new(false),
        }
    }

    /// Whether the file that was opened is still the one at the path. Once it is not, it never is
    /// again: connections may have seen both.
    pub(super) fn check(&self) -> Result<(), Replaced> {
        if !self.was_replaced.load(Ordering::Relaxed) && identity(&self.path) == self.opened {
            return Ok(());
        }
        if !self.was_replaced.swap(true, Ordering::Relaxed) {
            tracing::error!(
                path = %self.path.display(),
                "the database file was moved, replaced or removed while it was in use"
            );
        }
        Err(Replaced {
            path: self.path.clone(),
        })
    }

    /// What tells the file from any other that is open on this machine.
    pub(super) fn tag(&self) -> String {
        self.opened
            .map_or_else(String::new, |(device, number)| format!("{device}:{number}"))
    }
}

/// By name: opening and closing the file here would release SQLite's locks on it.
fn identity(path: &Path) -> Option<Identity> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(path)
            .ok()
            .map(|file| (file.dev(), file.ino()))
    }
    #[cfg(not(unix))]
    {
        // Where the file is open, the system lets nobody replace it.
        let _ = path;
        None
    }
}
