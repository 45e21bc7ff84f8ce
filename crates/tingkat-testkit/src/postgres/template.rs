//! A data folder fresh from `initdb`, made once per machine and copied for each server: `initdb`
//! takes seconds, a copy a fraction of one.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::account::Account;
use super::installation::Installation;
use crate::error::{Error, Result};

/// The superuser of every server.
pub(crate) const SUPERUSER: &str = "postgres";

/// Copies the template to `data`, which must not exist, and gives it to the server's user.
pub(crate) async fn copy_to(data: &Path, installation: &Installation) -> Result<()> {
    let version = installation.program("initdb").with(|c| {
        c.arg("--version");
    });
    let version = version.run("").await?;
    let cache = cache_folder()?;
    let template = cache.join(file_name(&version));
    if !template.exists() {
        let lock = lock(cache.join("lock")).await?;
        // Another test process may have been faster.
        if !template.exists() {
            make(&template, installation).await?;
        }
        drop(lock);
    }
    let (data, account) = (data.to_owned(), installation.account);
    blocking(move || copy_folder(&template, &data, account)).await
}

/// A folder beside the temporary ones that only this user can write to.
fn cache_folder() -> Result<PathBuf> {
    let user = rustix::process::geteuid();
    let folder = std::env::temp_dir().join(format!("tingkat-testkit-{}", user.as_raw()));
    let about = || format!("use the folder {}", folder.display());
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(Error::io(about()))?;
    let owner = fs::metadata(&folder).map_err(Error::io(about()))?.uid();
    if owner != user.as_raw() {
        return Err(Error::new(format!(
            "failed to {}: another user owns it",
            about()
        )));
    }
    Ok(folder)
}

/// One letter or digit after the other, and nothing that a path could trip over.
fn file_name(version: &str) -> String {
    version
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect()
}

/// Waits until no other process has this lock. It is released when the file is closed.
async fn lock(path: PathBuf) -> Result<File> {
    blocking(move || {
        let file = File::create(&path).map_err(Error::io("open the lock of the template"))?;
        file.lock().map_err(Error::io("lock the template"))?;
        Ok(file)
    })
    .await
}

/// Runs `initdb` in a folder of its own and moves the result, so that nobody sees half of it.
async fn make(template: &Path, installation: &Installation) -> Result<()> {
    let dir =
        TempDir::with_prefix("tingkat-initdb-").map_err(Error::io("create a temporary folder"))?;
    if let Some(account) = installation.account {
        account.own(dir.path())?;
    }
    let data = dir.path().join("data");
    let initdb = installation.program_as_owner("initdb").with(|command| {
        command
            .arg("--pgdata")
            .arg(&data)
            .args(["--username", SUPERUSER, "--auth", "trust"])
            .args(["--encoding", "UTF8", "--locale", "C"])
            // Each server makes up its mind about syncing; the template itself can be made again.
            .arg("--no-sync");
    });
    initdb.run("").await?;
    fs::rename(&data, template).map_err(Error::io("move the new data folder"))
}

fn copy_folder(from: &Path, to: &Path, owner: Option<Account>) -> Result<()> {
    let about = || format!("copy {}", from.display());
    DirBuilder::new()
        .mode(0o700)
        .create(to)
        .map_err(Error::io(about()))?;
    for entry in fs::read_dir(from).map_err(Error::io(about()))? {
        let entry = entry.map_err(Error::io(about()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(Error::io(about()))?;
        if kind.is_dir() {
            copy_folder(&source, &target, owner)?;
        } else {
            fs::copy(&source, &target).map_err(Error::io(format!("copy {}", source.display())))?;
            if let Some(account) = owner {
                account.own(&target)?;
            }
        }
    }
    match owner {
        Some(account) => account.own(to),
        None => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::new(format!("a blocking task failed: {e}")))?
}
