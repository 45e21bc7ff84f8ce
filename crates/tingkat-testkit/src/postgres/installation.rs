//! The `PostgreSQL` programs of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use super::account::Account;
use crate::error::{Error, Result};
use crate::program::{self, Program};

/// Where packages put one folder per version: Debian, Homebrew on Apple silicon and on Intel.
const VERSIONED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/opt/homebrew/opt", "postgresql"),
    ("/usr/local/opt", "postgresql"),
    ("/usr/pgsql", ""),
];

/// A folder that has `initdb`, `postgres` and the rest, and the user who runs them.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    bin: PathBuf,
    pub(crate) account: Option<Account>,
}

impl Installation {
    /// The one of `PG_CONFIG`, else of `PATH`, else the newest where packages put it.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn find() -> Result<Self> {
        let bin = match program::pg_config() {
            Some(pg_config) => {
                let ask = Program::new(pg_config).with(|command| {
                    command.arg("--bindir");
                });
                PathBuf::from(ask.run("").await?)
            }
            // `psql` is often a link to a wrapper elsewhere; `initdb` is not.
            None => program::in_path("initdb")
                .and_then(|initdb| initdb.parent().map(Path::to_owned))
                .or_else(newest_package)
                .ok_or_else(|| Error::missing_program("initdb (of PostgreSQL)"))?,
        };
        Ok(Self {
            bin,
            account: Account::for_servers().await?,
        })
    }

    /// The path of one of its programs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let own = self.bin.join(name);
        // Homebrew can install the client programs apart from the server.
        if own.is_file() {
            own
        } else {
            PathBuf::from(name)
        }
    }

    /// A call of one of its programs, without the developer's `PostgreSQL` environment.
    pub(crate) fn program(&self, name: &str) -> Program {
        Program::new(self.path(name)).with(|command| {
            for variable in [
                "PGHOST",
                "PGPORT",
                "PGUSER",
                "PGDATABASE",
                "PGPASSWORD",
                "PGSERVICE",
                "PGOPTIONS",
                "PGSSLMODE",
                "PGSSLROOTCERT",
            ] {
                command.env_remove(variable);
            }
            command.env("PGCONNECT_TIMEOUT", "10");
        })
    }

    /// The same, as the user who owns the servers' files.
    pub(crate) fn program_as_owner(&self, name: &str) -> Program {
        self.program(name).with(|command| {
            if let Some(account) = self.account {
                command.uid(account.uid).gid(account.gid);
            }
        })
    }
}

fn newest_package() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix) in VERSIONED {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let version = name
                .strip_prefix(prefix)
                .map(|rest| rest.trim_start_matches('@'));
            let bin = entry.path().join("bin");
            if let Some(version) = version
                && bin.join("initdb").is_file()
            {
                // Homebrew's `postgresql` without a version is the oldest name of all.
                found.push((version.parse().unwrap_or(0), bin));
            }
        }
    }
    found.into_iter().max().map(|(_, bin)| bin)
}
