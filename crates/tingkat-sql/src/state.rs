//! Loading the list of states.

use tingkat_shop::state::{State, StateList, Zone};

use crate::columns::columns;
use crate::error::ColumnError;
use crate::rows::Whole;
use crate::statement::{STATE_LIST, Statement};

columns! {
    /// A state.
    pub(crate) struct StateRow {
        code: String,
        name: String,
        zone: Zone,
    }
}

impl Whole for StateList {
    const LOAD: Statement = STATE_LIST;
    type Columns = StateRow;

    fn read(rows: Vec<StateRow>) -> Result<Self, ColumnError> {
        let state = |row: StateRow| State {
            code: row.code,
            name: row.name,
            zone: row.zone,
        };
        Ok(rows.into_iter().map(state).collect::<Vec<_>>().into())
    }
}
