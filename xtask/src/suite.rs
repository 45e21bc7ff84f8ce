//! All tests, on a machine that has, or gets, the servers that they start. Nothing is left out
//! without saying so.

use crate::platform::Platform;
use crate::process::{command, run as run_process};
use crate::programs::{self, Programs};
use crate::servers::{self, Server};
use crate::{apt, soak, tool};
use anyhow::{Context as _, Result, bail};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A test that fails says in its message what is wrong; behind a page of frames nobody sees it.
const NO_BACKTRACE: (&str, &str) = ("RUST_BACKTRACE", "0");

/// Runs the tests through nextest, then the doc tests, which nextest does not know, then the engine
/// without its rules, one at a time, which its checker must notice.
pub(crate) fn run(nextest_args: &[String]) -> Result<()> {
    let path = path()?;
    tool::NEXTEST.ensure()?;
    run_process(
        command("cargo")
            .args(["nextest", "run"])
            .args(scope(nextest_args))
            .args(nextest_args)
            .env(NO_BACKTRACE.0, NO_BACKTRACE.1)
            .env("PATH", &path),
    )?;
    if !nextest_args.is_empty() {
        println!(
            "doc tests and missing rules: not run, because arguments for nextest select other tests"
        );
        return Ok(());
    }
    run_process(
        command("cargo")
            .args(["test", "--workspace", "--doc"])
            .env("PATH", &path),
    )?;
    run_process(
        command("cargo")
            .args(["nextest", "run", "--package", "tingkat"])
            .args(["--features", "broken-rules", "--test", "simulation"])
            .arg("rules::")
            .env("PATH", &path),
    )?;
    soak::print_left_out(&path)
}

/// `PATH` with the programs of the servers; installs what is missing where that is allowed.
pub(crate) fn path() -> Result<OsString> {
    path_with(&servers()?)
}

/// `--workspace`, which cargo obeys before any `--package`, unless packages are named.
fn scope(nextest_args: &[String]) -> Option<&'static str> {
    let names_packages = |arg: &String| arg.starts_with("-p") || arg.starts_with("--package");
    (!nextest_args.iter().any(names_packages)).then_some("--workspace")
}

/// The directories with the servers; installs what is missing where that is allowed.
fn servers() -> Result<Vec<PathBuf>> {
    let missing = match servers::locate(&Programs::of_this_machine()) {
        Ok(directories) => return Ok(directories),
        Err(missing) => missing,
    };
    let platform = Platform::of_this_machine();
    if platform != Platform::Debian || !apt::is_allowed() {
        bail!(servers::instructions(&missing, platform));
    }
    let packages: Vec<_> = missing
        .iter()
        .copied()
        .map(Server::debian_package)
        .collect();
    apt::install(&packages).context("failed to install the servers that the tests start")?;
    servers::locate(&Programs::of_this_machine())
        .map_err(|still_missing| anyhow::anyhow!(servers::instructions(&still_missing, platform)))
}

/// `PATH` with these directories in it, in front where they are new, so that the tests find all
/// programs of a server in one place.
fn path_with(directories: &[PathBuf]) -> Result<OsString> {
    extended(&programs::path(), directories)
}

fn extended(path: &OsStr, directories: &[PathBuf]) -> Result<OsString> {
    let known: Vec<_> = std::env::split_paths(path).collect();
    let new = directories
        .iter()
        .filter(|directory| !known.contains(directory));
    std::env::join_paths(new.chain(&known)).context("failed to put a directory into PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_crates_are_tested_unless_some_are_named() {
        let scope = |words: &str| scope(&words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(scope("-E test(outage)"), Some("--workspace"));
        for named in [
            "-p tingkat",
            "-ptingkat",
            "--package=tingkat",
            "--package tingkat",
        ] {
            assert_eq!(scope(named), None, "{named}");
        }
    }

    #[test]
    fn only_directories_that_path_lacks_are_put_in_front() {
        let directories = ["/usr/bin", "/usr/lib/postgresql/15/bin"].map(PathBuf::from);
        let path = extended(OsStr::new("/usr/local/bin:/usr/bin"), &directories).unwrap();
        assert_eq!(path, "/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin");
    }
}
