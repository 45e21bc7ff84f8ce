//! Running other programs: shown before they start, never asked a question, failing by name.

use crate::root::root;
use anyhow::{Context as _, Result, bail};
use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// What `cargo xtask` tells of itself. Build scripts that look at one of these would run again, and
/// what depends on them would be compiled again, whenever a person calls cargo after us.
const OURS: [&str; 8] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// A command that runs in the root of the repository with nothing to read.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    for name in OURS {
        command.env_remove(name);
    }
    command
}

/// Shows and runs the command, with its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    println!("$ {shown}");
    let status = command
        .status()
        .with_context(|| format!("failed to start `{shown}`"))?;
    if !status.success() {
        bail!("failed to run `{shown}`: {status}");
    }
    Ok(())
}

/// What the command prints, which must end well.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command
        .output()
        .with_context(|| format!("failed to start `{shown}`"))?;
    if !output.status.success() {
        bail!("failed to run `{shown}`: {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the command ends well, without showing anything.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| {
            let word = word.to_string_lossy();
            if word.contains(' ') {
                format!("'{word}'")
            } else {
                word.into_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command() {
        let error = run(command("false").arg("two words")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("failed to run `false 'two words'`"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut command("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "failed to start `no-such-program`");
        assert!(!succeeds(&mut command("no-such-program")));
    }
}
