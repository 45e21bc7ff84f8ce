//! The user that a server runs as. `PostgreSQL` refuses to be root.

use std::os::unix::fs::chown;
use std::path::Path;

use crate::error::{Error, Result};
use crate::program::Program;

/// Whom we try, in this order, when we are root.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged user of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) name: &'static str,
}

impl Account {
    /// Whom to become to run a server; nobody, unless we are root.
    pub(crate) async fn for_servers() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        for name in CANDIDATES {
            if let (Ok(uid), Ok(gid)) = (id("-u", name).await, id("-g", name).await) {
                return Ok(Some(Self { uid, gid, name }));
            }
        }
        Err(Error::new(format!(
            "PostgreSQL does not run as root, and there is no user {}",
            CANDIDATES.join(" or ")
        )))
    }

    /// Gives it a file or folder.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .map_err(Error::io(format!("give away {}", path.display())))
    }
}

async fn id(option: &str, name: &str) -> Result<u32> {
    let printed = Program::new("id")
        .with(|command| {
            command.args([option, name]);
        })
        .run("")
        .await?;
    printed
        .trim()
        .parse()
        .map_err(|_| Error::new(format!("id {option} {name} printed {printed}")))
}
