//! On what it was measured: figures without a machine are none.

use crate::process::{command, output};
use crate::root::root;
use anyhow::{Context as _, Result};
use std::fs;

/// Crates that Tingkat is measured beside, or built on.
const CRATES: [&str; 6] = [
    "quick_cache",
    "moka",
    "foyer-memory",
    "redis",
    "sqlx",
    "axum",
];

/// What the peers are built of.
const PEER_IN_RUST: &str = "bench/peers/rust/Cargo.lock";
const PEER_IN_NODE: &str = "bench/peers/node/package.json";

/// Facts with their names.
pub(super) fn facts() -> Result<Vec<(&'static str, String)>> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let first = |program: &str, flag: &str| -> Result<String> {
        let text = output(command(program).arg(flag))?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    };
    let file = |path: &str| -> Result<String> {
        fs::read_to_string(root().join(path)).with_context(|| format!("failed to read {path}"))
    };
    let lock = file("Cargo.lock")?;
    let (of_rust, of_node) = (file(PEER_IN_RUST)?, file(PEER_IN_NODE)?);
    Ok(vec![
        ("Date", first("date", "-uI")?),
        ("Processor", field("/proc/cpuinfo", "model name")),
        ("Cores", cores.to_string()),
        ("Governor", governor()),
        ("Memory", field("/proc/meminfo", "MemTotal")),
        (
            "System",
            output(command("uname").arg("-srm"))?.trim().to_owned(),
        ),
        ("Commit", commit()),
        ("Compiler", first("rustc", "--version")?),
        ("Redis", first("redis-server", "--version")?),
        ("PostgreSQL", first("postgres", "--version")?),
        ("Node.js", first("node", "--version")?),
        ("Crates", versions(&lock)?),
        ("Crates of the peer in Rust", versions(&of_rust)?),
        ("Packages of the peer in Node.js", packages(&of_node)?),
    ])
}

fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    });
    value.unwrap_or_else(|| "unknown".to_owned())
}

/// How the clock of the cores is governed; a virtual machine is not told.
fn governor() -> String {
    let file = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    fs::read_to_string(file).map_or_else(|_| "not told".to_owned(), |text| text.trim().to_owned())
}

/// The commit, and whether the files were others; a copy without git has none.
fn commit() -> String {
    let git = |arguments: &[&str]| output(command("git").args(arguments));
    let Ok(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let is_clean = git(&["status", "--porcelain"]).is_ok_and(|changes| changes.trim().is_empty());
    let more = if is_clean { "" } else { ", with changes" };
    format!("{}{more}", commit.trim())
}

fn versions(lock: &str) -> Result<String> {
    let lock: toml::Table = lock.parse().context("Cargo.lock is no TOML")?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let text = |package: &toml::Value, field: &str| {
        let value = package.get(field).and_then(toml::Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let all: Vec<String> = packages
        .into_iter()
        .flatten()
        .filter(|package| CRATES.contains(&text(package, "name").as_str()))
        .map(|package| format!("{} {}", text(package, "name"), text(package, "version")))
        .collect();
    Ok(all.join(", "))
}

/// The exact versions that a package asks for.
fn packages(package: &str) -> Result<String> {
    let package: serde_json::Value = serde_json::from_str(package).context(PEER_IN_NODE)?;
    let wanted = package
        .get("dependencies")
        .and_then(serde_json::Value::as_object);
    let all = wanted.into_iter().flatten().map(|(name, version)| {
        let version = version.as_str().unwrap_or_default();
        format!("{name} {version}")
    });
    Ok(all.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = "[[package]]\nname = \"moka\"\nversion = \"0.12.16\"\n\
                    [[package]]\nname = \"mokapot\"\nversion = \"9.0.0\"\n\
                    [[package]]\nname = \"axum\"\nversion = \"0.8.9\"\n";
        assert_eq!(versions(lock).unwrap(), "moka 0.12.16, axum 0.8.9");
    }

    #[test]
    fn packages_are_those_that_are_asked_for() {
        let package = r#"{"dependencies":{"ioredis":"6.0.0","pg":"8.23.1"},"name":"x"}"#;
        assert_eq!(packages(package).unwrap(), "ioredis 6.0.0, pg 8.23.1");
        assert!(packages("{").is_err());
    }
}
