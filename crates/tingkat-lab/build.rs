//! Tells the program which compiler built it and from which commit: a benchmark without them can not be
//! repeated.

use std::path::Path;
use std::process::Command;

#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script by variables, and hears it on standard output"
)]
fn main() {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = said(Command::new(compiler).arg("--version"));
    let version = version.unwrap_or_else(|| "an unknown compiler".to_owned());
    println!("cargo::rustc-env=TINGKAT_COMPILER={version}");
    println!(
        "cargo::rustc-env=TINGKAT_COMMIT={}",
        commit().unwrap_or_else(|| "unknown".to_owned())
    );
    println!("cargo::rerun-if-changed=build.rs");
}

/// The commit of a release. Other builds are not asked: they would be compiled again after each commit,
/// or name an old one. A copy without its history has none.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script by variables, and hears it on standard output"
)]
fn commit() -> Option<String> {
    if std::env::var_os("PROFILE")? != "release" {
        return None;
    }
    // Every movement of HEAD is written down there. A file that is not there would have this run again
    // and again.
    let log = said(Command::new("git").args(["rev-parse", "--git-path", "logs/HEAD"]))?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    said(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]))
}

/// What a program that ends well prints.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|it| it.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
