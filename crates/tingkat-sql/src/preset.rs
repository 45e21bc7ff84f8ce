//! The stores whose tables we know: their statements, and what their changed rows write.

mod prisma;
mod tingkat;

use crate::statement::Statement;

/// What rows are named by that no entity is called.
const CATEGORY: &str = "category";
const MEMBERS: &str = "category.members";
const STATE: &str = "state";

/// How a store lays out its tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// As the demo store.
    #[default]
    Tingkat,
    /// As a Prisma storefront: plural names, columns in camelCase, prices with two decimals.
    Prisma,
}

impl Preset {
    /// What they are called.
    pub const NAMES: &'static [&'static str] = &["tingkat", "prisma"];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tingkat => "tingkat",
            Self::Prisma => "prisma",
        }
    }

    /// Reads what [`name`](Self::name) gives.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Tingkat, Self::Prisma]
            .into_iter()
            .find(|preset| preset.name() == name)
    }

    pub(crate) const fn sql(self, statement: &Statement) -> &'static str {
        match self {
            Self::Tingkat => statement.postgres,
            Self::Prisma => statement.prisma,
        }
    }

    /// The tables that its loads read.
    pub(crate) const fn tables(self) -> &'static [Table] {
        match self {
            Self::Tingkat => tingkat::TABLES,
            Self::Prisma => prisma::TABLES,
        }
    }
}

/// What changes of a table write: the dep rule, once for all that can be done to a row.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The column that a rehearsal changes: all deps of the row are others then.
    pub(crate) key: &'static str,
    /// Entities, and the columns that are the keys of what a row belongs to.
    pub(crate) rows: &'static [(&'static str, &'static str)],
    /// Sets that a row is in.
    pub(crate) sets: &'static [&'static str],
    /// What every row is gone from when the table is emptied: whole entities, and sets.
    pub(crate) entities: &'static [&'static str],
    pub(crate) all_sets: &'static [&'static str],
    pub(crate) changes: Changes,
}

/// How a table's triggers know what to write.
#[derive(Clone, Copy)]
pub(crate) enum Changes {
    /// By a function of their own.
    Function(&'static str),
    /// By a statement that gives the deps of rows, and what of each row these rest on.
    Deps(&'static str),
}
