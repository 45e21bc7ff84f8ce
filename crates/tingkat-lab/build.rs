//! Tells the program which compiler built it: a benchmark without it can not be repeated.

use std::process::Command;

#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script by variables, and hears it on standard output"
)]
fn main() {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let version = version.unwrap_or_else(|_| "an unknown compiler".to_owned());
    println!("cargo::rustc-env=TINGKAT_COMPILER={version}");
    println!("cargo::rerun-if-changed=build.rs");
}
