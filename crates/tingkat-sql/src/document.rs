//! Loading entities that the operator names: a JSON text for each key.

use tingkat::certificate::Dep;
use tingkat::ports::Loaded;
use tingkat_shop::document::Document;

use crate::columns::{Columns as _, Json, columns};
use crate::statement::{Parameter, Statement};

columns! {
    /// What a document is, and what it shows besides its own key.
    pub(crate) struct DocumentRow {
        key: String,
        value: Document,
        deps: Json<Vec<String>>,
    }
}

impl DocumentRow {
    pub(crate) fn loaded(self) -> Loaded<Document> {
        let Self {
            key: _key,
            value,
            deps: Json(deps),
        } = self;
        Loaded::value(value).deps(deps.into_iter().map(Dep::new))
    }
}

/// An entity that the operator names, and what it is loaded by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLoad {
    /// Its name.
    pub entity: &'static str,
    /// The file with the statement.
    pub file: String,
    /// The tables that have to report their changes.
    pub tables: Vec<String>,
}

/// The statement of an entity of this name; its text is the operator's.
pub(crate) const fn load_of(entity: &'static str) -> Statement {
    Statement {
        name: entity,
        postgres: "",
        sqlite: "",
        prisma: "",
        parameters: &[Parameter::Keys],
        columns: DocumentRow::COLUMNS,
        reads: DocumentRow::check,
    }
}
