//! The servers that the tests start for real, and what must be installed to have them and to follow the
//! pages in docs/.

use crate::platform::Platform;
use crate::programs::Programs;
use std::path::PathBuf;

/// A group of programs that are installed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Redis,
    RedisCli,
    RedisSentinel,
    Postgres,
    PgBouncer,
    Curl,
}

impl Server {
    pub(crate) const ALL: [Self; 6] = [
        Self::Redis,
        Self::RedisCli,
        Self::RedisSentinel,
        Self::Postgres,
        Self::PgBouncer,
        Self::Curl,
    ];

    /// Programs that must be in one directory, or else one of the alternatives after it.
    fn programs(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Redis => &[&["redis-server"]],
            Self::RedisCli => &[&["redis-cli"]],
            // `redis-server --sentinel` is the same program.
            Self::RedisSentinel => &[&["redis-sentinel"], &["redis-server"]],
            Self::PgBouncer => &[&["pgbouncer"]],
            Self::Curl => &[&["curl"]],
            Self::Postgres => &[&["initdb", "postgres", "pg_ctl", "pg_basebackup", "psql"]],
        }
    }

    /// The package that brings it on Debian and Ubuntu.
    pub(crate) fn debian_package(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::RedisCli => "redis-tools",
            Self::RedisSentinel => "redis-sentinel",
            Self::Postgres => "postgresql",
            Self::PgBouncer => "pgbouncer",
            Self::Curl => "curl",
        }
    }

    /// The directory where it is found.
    fn home(self, programs: &Programs) -> Option<PathBuf> {
        self.programs()
            .iter()
            .find_map(|names| programs.home_of(names))
            .map(PathBuf::from)
    }
}

/// The directories of all servers, or the servers that are missing.
pub(crate) fn locate(programs: &Programs) -> Result<Vec<PathBuf>, Vec<Server>> {
    let homes = Server::ALL.map(|server| (server, server.home(programs)));
    let missing: Vec<_> = homes
        .iter()
        .filter(|(_, home)| home.is_none())
        .map(|(server, _)| *server)
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let mut directories: Vec<PathBuf> = Vec::new();
    for home in homes.into_iter().filter_map(|(_, home)| home) {
        if !directories.contains(&home) {
            directories.push(home);
        }
    }
    Ok(directories)
}

/// What a person reads who has to install the missing servers.
pub(crate) fn instructions(missing: &[Server], platform: Platform) -> String {
    let names: Vec<_> = missing
        .iter()
        .flat_map(|server| server.programs().iter().take(1).copied().flatten().copied())
        .collect();
    let mut text = format!(
        "the tests start real servers, and these programs are missing or not in one place: {}\n",
        names.join(", ")
    );
    let hint = match platform {
        Platform::Debian => "install them with the first line, or run as root, which installs them",
        Platform::Other => "install them with the line for your system",
    };
    text.push_str(hint);
    let debian: Vec<_> = Server::ALL.map(Server::debian_package).to_vec();
    let lines = [
        (
            "Debian, Ubuntu",
            format!(
                "sudo apt-get update && sudo apt-get install -y --no-install-recommends {}",
                debian.join(" ")
            ),
        ),
        (
            "Fedora",
            "sudo dnf install redis postgresql-server postgresql pgbouncer curl".to_owned(),
        ),
        (
            "macOS",
            "brew install redis postgresql@17 pgbouncer curl".to_owned(),
        ),
    ];
    for (system, line) in lines {
        text.push_str("\n  ");
        text.push_str(system);
        text.push_str(": ");
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use tempfile::TempDir;

    fn machine_with(programs: &[&str]) -> (TempDir, Programs) {
        let machine = tempfile::tempdir().unwrap();
        for program in programs {
            let path = machine.path().join(program);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let programs = Programs::in_directories(vec![machine.path().to_owned()]);
        (machine, programs)
    }

    #[test]
    fn a_machine_with_everything_lacks_nothing() {
        let (machine, programs) = machine_with(&[
            "redis-server",
            "redis-cli",
            "initdb",
            "postgres",
            "pg_ctl",
            "pg_basebackup",
            "psql",
            "pgbouncer",
            "curl",
        ]);
        assert_eq!(locate(&programs), Ok(vec![machine.path().to_owned()]));
    }

    #[test]
    fn each_missing_server_is_named_and_no_other() {
        let (_machine, programs) =
            machine_with(&["redis-cli", "initdb", "postgres", "pg_ctl", "curl"]);
        assert_eq!(
            locate(&programs),
            Err(vec![
                Server::Redis,
                Server::RedisSentinel,
                Server::Postgres,
                Server::PgBouncer
            ])
        );
    }

    #[test]
    fn the_instructions_name_programs_and_three_systems() {
        let text = instructions(&[Server::RedisCli, Server::Postgres], Platform::Other);
        for expected in [
            "redis-cli, initdb, postgres, pg_ctl, pg_basebackup, psql\n",
            "apt-get install -y --no-install-recommends redis-server redis-tools redis-sentinel postgresql pgbouncer curl",
            "dnf install redis",
            "brew install redis",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
    }
}
