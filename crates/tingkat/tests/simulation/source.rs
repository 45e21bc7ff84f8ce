//! One node's way to the rows: what is read is read at one instant, with its certificate.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tingkat::certificate::{Certificate, Dep};
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Found, Loaded, Source, Wanted};
use tingkat_testkit::fakes::Switch;

use crate::history::Load;
use crate::links::Link;
use crate::plan::{PAIRS, ROWS, rows_of};
use crate::world::World;

/// What is cached: the versions of the rows that the key names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) key: String,
    pub(crate) rows: Vec<(String, u64)>,
}

impl Shown {
    /// Besides its own key: each row of several, or the tag of the only one.
    pub(crate) fn deps(&self) -> Vec<Dep> {
        match self.rows.as_slice() {
            [(row, _)] => vec![Dep::new(tag_of(row))],
            rows => rows
                .iter()
                .map(|(row, _)| Dep::of_key("product", row))
                .collect(),
        }
    }
}

/// The tag of a row: its kind.
pub(crate) fn tag_of(row: &str) -> String {
    format!("kind:{}", row.chars().take(1).collect::<String>())
}

/// The source of one entity on one node.
#[derive(Clone)]
pub(crate) struct RowSource {
    pub(crate) world: Arc<World>,
    pub(crate) node: usize,
    pub(crate) entity: &'static str,
    pub(crate) switch: Switch,
    pub(crate) link: Arc<Link>,
}

impl RowSource {
    /// One key, as a caller's own load.
    pub(crate) async fn load_one(&self, key: &str) -> Result<Loaded<Shown>, SourceError> {
        self.link
            .through(async {
                self.pass().await?;
                Ok(self.read(key))
            })
            .await
    }

    async fn pass(&self) -> Result<(), SourceError> {
        if self.switch.pass().await {
            return Ok(());
        }
        Err(SourceError::transient("the database is away"))
    }

    fn read(&self, key: &str) -> Loaded<Shown> {
        let rows: Vec<(&'static str, u64)> = rows_of(key)
            .into_iter()
            .map(|row| {
                let version = self.world.database.read("product", row).0;
                (row, version.unwrap_or(0))
            })
            .collect();
        let known = PAIRS.into_iter().chain(ROWS).find(|known| *known == key);
        self.world.note_load(Load {
            node: self.node,
            entity: self.entity,
            key: known.unwrap_or("unknown"),
            at: self.world.now(),
            rows: rows.clone(),
        });
        if matches!(rows.as_slice(), [(_, 0)]) {
            return Loaded::absent();
        }
        Loaded::value(Shown {
            key: key.to_owned(),
            rows: rows
                .into_iter()
                .map(|(row, version)| (row.to_owned(), version))
                .collect(),
        })
    }

    fn read_all(&self, wanted: &[Wanted<String, Shown>]) -> Batch<Shown> {
        let certificate: Certificate = self.world.database.certificate();
        let loaded = wanted
            .iter()
            .map(|wanted| {
                let loaded = self.read(&wanted.key);
                let is_known = match (&loaded.found, &wanted.known) {
                    (Found::Value(value), Some(known)) => *value == **known,
                    _ => false,
                };
                if is_known && self.world.random.chance(50) {
                    self.world.tally.add("not modified");
                    return Loaded::new(Found::NotModified);
                }
                loaded
            })
            .collect();
        Batch {
            certificate: Some(certificate),
            loaded,
        }
    }
}

impl Source<String, Shown> for RowSource {
    fn certifies(&self) -> bool {
        true
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<String, Shown>],
    ) -> BoxFuture<'a, Result<Batch<Shown>, SourceError>> {
        Box::pin(self.link.through(async move {
            self.pass().await?;
            Ok(self.read_all(wanted))
        }))
    }
}
