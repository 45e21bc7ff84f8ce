//! The columns of a statement's result, declared once beside what is made of them: a row is read by
//! this declaration, and `schema check` compares it with what the database gives.

use std::fmt;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgTypeInfo;
use sqlx::{Postgres, Type};
use tingkat_shop::document::Document;
use tingkat_shop::money::Currency;
use tingkat_shop::postcode::Code;
use tingkat_shop::product::{ProductId, Sku, Slug, Status};
use tingkat_shop::state::Zone;

use crate::error::ColumnError;
use crate::record::Record;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    TextOrNull,
    Json,
    Number,
    NumberOrNull,
    Flag,
}

impl Kind {
    /// Whether values of a type of PostgreSQL are read as this.
    pub(crate) fn fits(self, found: &PgTypeInfo) -> bool {
        match self {
            Self::Text | Self::TextOrNull | Self::Json => {
                <String as Type<Postgres>>::compatible(found)
            }
            Self::Number | Self::NumberOrNull => <i64 as Type<Postgres>>::compatible(found),
            Self::Flag => <bool as Type<Postgres>>::compatible(found),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::TextOrNull => "text or null",
            Self::Json => "text (JSON)",
            Self::Number => "bigint",
            Self::NumberOrNull => "bigint or null",
            Self::Flag => "boolean",
        })
    }
}

/// A row of a statement's result.
pub(crate) trait Columns: Sized {
    const COLUMNS: &'static [Column];

    fn read(record: &Record) -> Result<Self, ColumnError>;

    /// Whether the row can be read.
    fn check(record: &Record) -> Result<(), ColumnError> {
        Self::read(record).map(drop)
    }
}

/// What stands in a column of a row.
pub(crate) trait Cell: Sized {
    const KIND: Kind;

    fn read(record: &Record, column: &'static str) -> Result<Self, ColumnError>;
}

/// Declares a row: each field is the column of its name.
macro_rules! columns {
    ($(#[$doc:meta])* $visibility:vis struct $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        $visibility struct $name {
            $($visibility $field: $type,)*
        }

        impl $crate::columns::Columns for $name {
            const COLUMNS: &'static [$crate::columns::Column] = &[$($crate::columns::Column {
                name: stringify!($field),
                kind: <$type as $crate::columns::Cell>::KIND,
            }),*];

            fn read(
                record: &$crate::record::Record,
            ) -> Result<Self, $crate::error::ColumnError> {
                Ok(Self {
                    $($field: $crate::columns::Cell::read(record, stringify!($field))?,)*
                })
            }
        }
    };
}

pub(crate) use columns;

macro_rules! cells {
    ($($type:ty, $kind:ident, $read:expr;)*) => {$(
        impl Cell for $type {
            const KIND: Kind = Kind::$kind;

            fn read(record: &Record, column: &'static str) -> Result<Self, ColumnError> {
                $read(record, column)
            }
        }
    )*};
}

cells! {
    String, Text, Record::text;
    i64, Number, Record::number;
    Option<i64>, NumberOrNull, Record::number_or_null;
    bool, Flag, Record::flag;
    Timestamp, Number, Record::time;
    Option<Timestamp>, NumberOrNull, Record::time_or_null;
    Option<String>, TextOrNull, Record::text_or_null;
    ProductId, Text, Record::parsed;
    Sku, Text, Record::parsed;
    Slug, Text, Record::parsed;
    Currency, Text, Record::parsed;
    Code, Text, Record::parsed;
    Status, Text, |record: &Record, column| record.named(column, Self::from_name);
    Zone, Text, |record: &Record, column| record.named(column, Self::from_name);
}

impl Cell for Document {
    const KIND: Kind = Kind::Json;

    fn read(record: &Record, column: &'static str) -> Result<Self, ColumnError> {
        Self::try_from(record.text(column)?)
            .map_err(|error| ColumnError::new(column, format_args!("has the wrong JSON: {error}")))
    }
}

/// A list or an object, written as JSON text.
#[derive(Clone)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> Cell for Json<T> {
    const KIND: Kind = Kind::Json;

    fn read(record: &Record, column: &'static str) -> Result<Self, ColumnError> {
        record.json(column).map(Self)
    }
}
