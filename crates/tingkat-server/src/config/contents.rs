//! What is in the files that the configuration names: under the same names they may be others. Those of the
//! service's own certificate are not among them, which is read anew by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tingkat_sql::{Queries, Url};

use super::settings::Settings;

/// Keys that name a file.
const FILES: [&str; 3] = ["redis.tls.ca", "redis.tls.certificate", "redis.tls.key"];

const QUERIES: &str = "source.queries";
const DATABASE: &str = "source.url";

/// A digest of what is there, by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents(BTreeMap<&'static str, [u8; 32]>);

impl Contents {
    /// What is there now.
    pub(crate) fn of(settings: &Settings) -> Self {
        let named = FILES.into_iter().filter_map(|key| {
            let path = PathBuf::from(settings.text(key)?);
            Some((key, vec![path]))
        });
        let all = named.chain([
            (DATABASE, of_database(settings)),
            (QUERIES, statements(settings)),
        ]);
        let digests = all.filter(|(_, paths)| !paths.is_empty());
        Self(
            digests
                .map(|(key, paths)| (key, digest(settings, &paths)))
                .collect(),
        )
    }

    /// The keys that name files in both, in which something else stands.
    pub(crate) fn differences(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        let named = self.0.iter();
        named.filter_map(|(key, digest)| (other.0.get(key)? != digest).then_some(*key))
    }
}

fn of_database(settings: &Settings) -> Vec<PathBuf> {
    let url = settings.secret(DATABASE);
    let url = url.and_then(|url| url.expose_secret().parse::<Url>().ok());
    let files = url.iter().flat_map(Url::files);
    files.map(|(_, path)| path.clone()).collect()
}

/// The statements of the operator, those of his own entities among them.
fn statements(settings: &Settings) -> Vec<PathBuf> {
    let Some(directory) = settings.text(QUERIES).map(Path::new) else {
        return Vec::new();
    };
    let own = settings.own().iter().flat_map(|own| {
        let at = |name: &str| format!("entity.{}.{name}", own.known.section);
        let load = settings.text(&at("load")).map(str::to_owned);
        let tables = settings.list(&at("tables")).to_vec();
        let changes = tables
            .into_iter()
            .map(|table| format!("changes_{table}.sql"));
        load.into_iter().chain(changes)
    });
    let names = Queries::names().chain(own);
    names.map(|name| directory.join(name)).collect()
}

/// Of all of them together; one that can not be read is as one that is not there.
fn digest(settings: &Settings, paths: &[PathBuf]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for path in paths {
        let bytes = settings.files.bytes(path).unwrap_or_default();
        hash.update(bytes.len().to_le_bytes());
        hash.update(&bytes);
    }
    hash.finalize().into()
}
