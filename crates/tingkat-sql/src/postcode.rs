//! Loading postcodes.

use tingkat::ports::Loaded;
use tingkat_shop::postcode::Postcode;
use tingkat_shop::state::Zone;

use crate::error::ColumnError;
use crate::record::Record;
use crate::rows::Row;
use crate::statement::{POSTCODE_LOAD, Statement};

impl Row for Postcode {
    const LOAD: Statement = POSTCODE_LOAD;
    const KEY: &'static str = "code";

    fn read(record: &Record) -> Result<Loaded<Self>, ColumnError> {
        let cities: Vec<String> = record.json("cities")?;
        if cities.is_empty() {
            return Err(ColumnError::new("cities", "is an empty list"));
        }
        Ok(Loaded::value(Self {
            code: record.parsed("code")?,
            cities,
            state_code: record.text("state_code")?,
            state_name: record.text("state_name")?,
            zone: record.named("zone", Zone::from_name)?,
        }))
    }
}
