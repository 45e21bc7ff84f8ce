//! Loading postcodes.

use tingkat::ports::Loaded;
use tingkat_shop::body::Kept;
use tingkat_shop::postcode::{Code, Postcode, PostcodeIndex};
use tingkat_shop::state::Zone;

use crate::columns::{Json, columns};
use crate::error::ColumnError;
use crate::rows::{Row, Whole};
use crate::statement::{POSTCODE_LIST, POSTCODE_LOAD, Statement};

columns! {
    /// Where a postcode is.
    pub(crate) struct PostcodeRow {
        code: Code,
        cities: Json<Vec<String>>,
        state_code: String,
        state_name: String,
        zone: Zone,
    }
}

impl Row for Postcode {
    const LOAD: Statement = POSTCODE_LOAD;
    const KEY: &'static str = "code";
    type Columns = PostcodeRow;

    fn read(row: PostcodeRow) -> Result<Loaded<Self>, ColumnError> {
        read(row).map(Loaded::value)
    }
}

impl Whole for PostcodeIndex {
    const LOAD: Statement = POSTCODE_LIST;
    type Columns = PostcodeRow;

    fn read(rows: Vec<PostcodeRow>) -> Result<Self, ColumnError> {
        let postcodes: Vec<Postcode> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self::new(postcodes))
    }
}

fn read(row: PostcodeRow) -> Result<Postcode, ColumnError> {
    let Json(cities) = row.cities;
    if cities.is_empty() {
        return Err(ColumnError::new("cities", "is an empty list"));
    }
    Ok(Postcode {
        code: row.code,
        cities,
        state_code: row.state_code,
        state_name: row.state_name,
        zone: row.zone,
        body: Kept::default(),
    })
}
