//! Programs that run to their end: `initdb`, `psql`, `id`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::error::{Error, Result};

/// How long a program may run: none of ours takes seconds, and a stopped server answers never.
const DEADLINE: Duration = Duration::from_secs(30);

/// One call of a program.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    command: Command,
}

impl Program {
    /// A program by its path, or by its name in `PATH`.
    pub(crate) fn new(path: impl AsRef<OsStr>) -> Self {
        let path = path.as_ref();
        let mut command = Command::new(path);
        command
            .current_dir("/")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self {
            name: path.to_string_lossy().into_owned(),
            command,
        }
    }

    /// Adds arguments and environment variables.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(&mut self.command);
        self
    }

    /// Starts it, with these last changes, and leaves it to the caller.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn spawn(self, change: impl FnOnce(&mut Command)) -> Result<Child> {
        let mut program = self.with(change);
        program
            .command
            .spawn()
            .map_err(Error::running(&program.name))
    }

    /// Runs it with this input and returns what it prints, without the last newline.
    ///
    /// # Errors
    /// It is not there, fails (with what it has printed on stderr), or runs for more than 30 s.
    pub(crate) async fn run(mut self, input: &str) -> Result<String> {
        let name = self.name;
        let mut child = self.command.spawn().map_err(Error::running(&name))?;
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that ends before it has read everything says why by its status.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let ended = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = tokio::time::timeout(DEADLINE, ended)
            .await
            .map_err(|_| Error::new(format!("{name} did not end within {DEADLINE:?}")))?
            .map_err(Error::running(&name))?;
        if !output.status.success() {
            return Err(Error::new(format!(
                "{name} failed with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim_end()
            )));
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        Ok(printed.strip_suffix('\n').unwrap_or(&printed).to_owned())
    }
}

/// The file that a program's name in `PATH` stands for, with links resolved.
#[expect(
    clippy::disallowed_methods,
    reason = "the one look at the environment: where programs are"
)]
pub(crate) fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .and_then(|file| file.canonicalize().ok())
}

/// The value of `PG_CONFIG`: a developer's way to choose one of several `PostgreSQL`s.
#[expect(
    clippy::disallowed_methods,
    reason = "the one look at the environment: where programs are"
)]
pub(crate) fn pg_config() -> Option<PathBuf> {
    std::env::var_os("PG_CONFIG").map(|path| Path::new(&path).to_owned())
}

/// The value of `TINGKAT_TEST_REDIS`: another `redis-server`, or one of its descendants.
#[expect(
    clippy::disallowed_methods,
    reason = "the one look at the environment: where programs are"
)]
pub(crate) fn redis_server() -> Option<PathBuf> {
    std::env::var_os("TINGKAT_TEST_REDIS").map(|path| Path::new(&path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_program_is_named_together_with_the_remedy() {
        let error = Program::new("no-such-program").run("").await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains("no-such-program"), "{error}");
        assert!(error.contains("cargo xtask test"), "{error}");
    }

    #[tokio::test]
    async fn a_failing_program_is_quoted() {
        let failing = Program::new("sh").with(|command| {
            command.args(["-c", "echo why >&2; exit 3"]);
        });
        let error = failing.run("").await.unwrap_err().to_string();
        assert!(
            error.contains("sh failed with exit status: 3: why"),
            "{error}"
        );
    }
}
