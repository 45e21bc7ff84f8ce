//! A row of either dialect. Columns are read by name and type, as the statement's file documents.

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::error::ColumnError;

/// A row.
pub(crate) enum Record {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

macro_rules! read {
    ($record:expr, $column:expr, $type:ty) => {
        match $record {
            Record::Postgres(row) => row.try_get::<$type, _>($column),
            Record::Sqlite(row) => row.try_get::<$type, _>($column),
        }
        .map_err(|error| ColumnError::new($column, format_args!("can not be read: {error}")))
    };
}

impl Record {
    pub(crate) fn text(&self, column: &'static str) -> Result<String, ColumnError> {
        read!(self, column, String)
    }

    pub(crate) fn number(&self, column: &'static str) -> Result<i64, ColumnError> {
        self.number_or_null(column)?
            .ok_or_else(|| ColumnError::new(column, "is null"))
    }

    pub(crate) fn number_or_null(&self, column: &'static str) -> Result<Option<i64>, ColumnError> {
        read!(self, column, Option<i64>)
    }

    pub(crate) fn flag(&self, column: &'static str) -> Result<bool, ColumnError> {
        read!(self, column, bool)
    }

    /// A point in time from microseconds since 1970.
    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, ColumnError> {
        time(column, self.number(column)?)
    }

    /// As [`time`](Self::time), where there may be none.
    pub(crate) fn time_or_null(
        &self,
        column: &'static str,
    ) -> Result<Option<Timestamp>, ColumnError> {
        self.number_or_null(column)?
            .map(|micros| time(column, micros))
            .transpose()
    }

    /// A text of a narrower type.
    pub(crate) fn parsed<T>(&self, column: &'static str) -> Result<T, ColumnError>
    where
        T: FromStr<Err: Display>,
    {
        self.text(column)?
            .parse()
            .map_err(|error| ColumnError::new(column, format_args!("is wrong: {error}")))
    }

    /// As [`text`](Self::text), where there may be none.
    pub(crate) fn text_or_null(&self, column: &'static str) -> Result<Option<String>, ColumnError> {
        read!(self, column, Option<String>)
    }

    /// A text of a closed list.
    pub(crate) fn named<T>(
        &self,
        column: &'static str,
        from_name: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ColumnError> {
        let name = self.text(column)?;
        from_name(&name)
            .ok_or_else(|| ColumnError::new(column, format_args!("has the unknown value {name:?}")))
    }

    /// A list or an object written as JSON text.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, ColumnError> {
        serde_json::from_str(&self.text(column)?)
            .map_err(|error| ColumnError::new(column, format_args!("has the wrong JSON: {error}")))
    }
}

fn time(column: &'static str, micros: i64) -> Result<Timestamp, ColumnError> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| ColumnError::new(column, format_args!("is no time: {error}")))
}
