//! Sources of Tingkat: the store's tables in PostgreSQL and SQLite.
//!
//! Every statement is an .sql file, once per dialect. A load is one statement, however many keys it
//! is for. This crate alone knows `sqlx`; nothing of it shows outside.

mod category;
mod changes;
mod coherence;
mod columns;
mod compaction;
mod complaint;
mod database;
pub mod demo;
mod document;
mod error;
mod facts;
mod install;
mod left_out;
mod listing;
mod popularity;
mod postcode;
mod postgres;
mod preset;
mod probe;
mod product;
mod queries;
mod record;
mod rehearsal;
mod rows;
mod sqlite;
mod state;
mod statement;
mod tls;
mod url;
mod write;

pub use changes::{Installed, changes_drop_sql, changes_sql, install_changes, uninstall_changes};
pub use coherence::{Coherence, TriggerReport};
pub use compaction::Compaction;
pub use complaint::{Complaint, Inspection};
pub use database::{Config, Database};
pub use demo::Demo;
pub use document::OwnLoad;
pub use error::{
    CheckError, CheckErrorKind, InstallError, InstallErrorKind, OpenError, OpenErrorKind,
};
pub use install::{demo_sql, install_demo};
pub use preset::Preset;
pub use probe::{Probe, ProbedCategory, ProbedPostcode, ProbedProduct, Rehearsed};
pub use queries::{Queries, WrongQuery};
pub use rehearsal::{Rehearsal, Verdict};
pub use sqlite::FileId;
pub use url::{Url, UrlError};
