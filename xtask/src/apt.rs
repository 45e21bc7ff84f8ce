//! Installing Debian packages without letting them start what they bring.
//!
//! Packages of servers start a service on the default port. `policy-rc.d` is Debian's switch
//! against that. The cluster that the PostgreSQL package creates stays where it is, not started.

use crate::process::{command, run};
use anyhow::{Context as _, Result};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Whether this process may install packages.
pub(crate) fn is_allowed() -> bool {
    rustix::process::geteuid().is_root()
}

/// Installs the packages, which must not be installed yet, and starts no service.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    run(apt_get().arg("update"))?;
    let _held = HeldServices::hold(Path::new(POLICY))
        .with_context(|| format!("failed to replace {POLICY}"))?;
    run(apt_get()
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages))
}

fn apt_get() -> std::process::Command {
    let mut apt_get = command("apt-get");
    apt_get.env("DEBIAN_FRONTEND", "noninteractive");
    apt_get
}

/// While this lives, no package starts a service.
struct HeldServices {
    policy: PathBuf,
}

impl HeldServices {
    fn hold(policy: &Path) -> io::Result<Self> {
        let held = Self {
            policy: policy.to_owned(),
        };
        // If it is there, a run was killed before it could restore the policy: the saved file is
        // the real one.
        if !is_there(&held.saved()) && is_there(policy) {
            fs::rename(policy, held.saved())?;
        }
        fs::write(
            policy,
            "#!/bin/sh\n# For the time of one `cargo xtask test`.\nexit 101\n",
        )?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))?;
        Ok(held)
    }

    fn saved(&self) -> PathBuf {
        let mut name = self.policy.clone().into_os_string();
        name.push(".before-xtask");
        name.into()
    }

    fn restore(&self) -> io::Result<()> {
        if is_there(&self.saved()) {
            fs::rename(self.saved(), &self.policy)
        } else {
            fs::remove_file(&self.policy)
        }
    }
}

impl Drop for HeldServices {
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            eprintln!(
                "warning: failed to restore {}: {error}",
                self.policy.display()
            );
        }
    }
}

/// Whether there is a file or a link, even one that leads nowhere.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_policy_was_none_is_left() {
        let machine = tempfile::tempdir().unwrap();
        let policy = machine.path().join("policy-rc.d");
        let held = HeldServices::hold(&policy).unwrap();
        let status = std::process::Command::new(&policy).status().unwrap();
        assert_eq!(status.code(), Some(101));
        drop(held);
        assert_eq!(machine.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_policy_that_was_there_comes_back_even_after_a_killed_run() {
        let machine = tempfile::tempdir().unwrap();
        let policy = machine.path().join("policy-rc.d");
        fs::write(&policy, "mine").unwrap();
        std::mem::forget(HeldServices::hold(&policy).unwrap());
        assert_ne!(fs::read_to_string(&policy).unwrap(), "mine");
        drop(HeldServices::hold(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "mine");
        assert_eq!(machine.path().read_dir().unwrap().count(), 1);
    }
}
