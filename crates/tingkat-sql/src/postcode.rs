//! Loading postcodes.

use tingkat::ports::Loaded;
use tingkat_shop::postcode::{Postcode, PostcodeIndex};
use tingkat_shop::state::Zone;

use crate::error::ColumnError;
use crate::record::Record;
use crate::rows::{Row, Whole};
use crate::statement::{POSTCODE_LIST, POSTCODE_LOAD, Statement};

impl Row for Postcode {
    const LOAD: Statement = POSTCODE_LOAD;
    const KEY: &'static str = "code";

    fn read(record: &Record) -> Result<Loaded<Self>, ColumnError> {
        read(record).map(Loaded::value)
    }
}

impl Whole for PostcodeIndex {
    const LOAD: Statement = POSTCODE_LIST;

    fn read(records: &[Record]) -> Result<Self, ColumnError> {
        let postcodes: Vec<Postcode> = records.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self::new(postcodes))
    }
}

fn read(record: &Record) -> Result<Postcode, ColumnError> {
    let cities: Vec<String> = record.json("cities")?;
    if cities.is_empty() {
        return Err(ColumnError::new("cities", "is an empty list"));
    }
    Ok(Postcode {
        code: record.parsed("code")?,
        cities,
        state_code: record.text("state_code")?,
        state_name: record.text("state_name")?,
        zone: record.named("zone", Zone::from_name)?,
    })
}
