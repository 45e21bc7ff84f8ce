//! Loading the list of states.

use tingkat_shop::state::{State, StateList, Zone};

use crate::error::ColumnError;
use crate::record::Record;
use crate::rows::Whole;
use crate::statement::{STATE_LIST, Statement};

impl Whole for StateList {
    const LOAD: Statement = STATE_LIST;

    fn read(records: &[Record]) -> Result<Self, ColumnError> {
        records.iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

fn read(record: &Record) -> Result<State, ColumnError> {
    Ok(State {
        code: record.text("code")?,
        name: record.text("name")?,
        zone: record.named("zone", Zone::from_name)?,
    })
}
