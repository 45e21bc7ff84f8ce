//! Where the programs of this machine are: the directories that are searched, in order.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// An ordered list of directories with programs.
pub(crate) struct Programs {
    directories: Vec<PathBuf>,
}

impl Programs {
    /// `PATH`, then the places where packages put servers without adding them to `PATH`.
    pub(crate) fn of_this_machine() -> Self {
        let mut directories: Vec<_> = std::env::split_paths(&path()).collect();
        // Where Debian has daemons; not in everybody's `PATH`.
        directories.push(PathBuf::from("/usr/sbin"));
        directories.extend(versions_in(Path::new("/usr/lib/postgresql"), "", "bin"));
        for homebrew in ["/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"] {
            let homebrew = Path::new(homebrew);
            directories.push(homebrew.join("bin"));
            directories.extend(versions_in(&homebrew.join("opt"), "postgresql@", "bin"));
        }
        Self { directories }
    }

    /// The first directory that has all of these programs. Programs of one server belong together:
    /// an `initdb` of one version makes what a `postgres` of another refuses.
    pub(crate) fn home_of(&self, programs: &[&str]) -> Option<&Path> {
        self.directories
            .iter()
            .find(|directory| {
                programs
                    .iter()
                    .all(|program| is_executable(&directory.join(program)))
            })
            .map(PathBuf::as_path)
    }
}

#[cfg(test)]
impl Programs {
    pub(crate) fn in_directories(directories: Vec<PathBuf>) -> Self {
        Self { directories }
    }
}

/// The variable `PATH`.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no configuration: this is all it reads of its environment"
)]
pub(crate) fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// `parent/<prefix><version>/<leaf>` for each version that is there, the newest first.
fn versions_in(parent: &Path, prefix: &str, leaf: &str) -> Vec<PathBuf> {
    let Ok(entries) = parent.read_dir() else {
        return Vec::new();
    };
    let mut versions: Vec<(Vec<u32>, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            let numbers = version.split('.').map(str::parse).collect::<Result<_, _>>();
            Some((numbers.ok()?, entry.path().join(leaf)))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path).collect()
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn install(directory: &Path, program: &str) {
        fs::create_dir_all(directory).unwrap();
        let path = directory.join(program);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_directory_with_only_some_of_the_programs_is_passed_over() {
        let machine = tempfile::tempdir().unwrap();
        let (partial, whole) = (machine.path().join("a"), machine.path().join("b"));
        install(&partial, "initdb");
        install(&whole, "initdb");
        install(&whole, "postgres");
        let programs = Programs::in_directories(vec![partial.clone(), whole.clone()]);
        assert_eq!(programs.home_of(&["initdb"]), Some(partial.as_path()));
        assert_eq!(
            programs.home_of(&["initdb", "postgres"]),
            Some(whole.as_path())
        );
        assert_eq!(programs.home_of(&["initdb", "redis-server"]), None);
    }

    #[test]
    fn a_file_that_cannot_be_run_is_not_a_program() {
        let machine = tempfile::tempdir().unwrap();
        fs::write(machine.path().join("postgres"), "").unwrap();
        let programs = Programs::in_directories(vec![machine.path().to_owned()]);
        assert_eq!(programs.home_of(&["postgres"]), None);
    }

    #[test]
    fn the_newest_version_comes_first_by_number() {
        let machine = tempfile::tempdir().unwrap();
        for name in ["9.6", "15", "17", "current"] {
            fs::create_dir(machine.path().join(name)).unwrap();
        }
        let found = versions_in(machine.path(), "", "bin");
        let expected = ["17", "15", "9.6"].map(|version| machine.path().join(version).join("bin"));
        assert_eq!(found, expected);
    }
}
