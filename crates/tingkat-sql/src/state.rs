//! Loading the list of states.

use futures::future::BoxFuture;
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Loaded, Source, Wanted};
use tingkat_shop::state::{AllStates, State, StateList, Zone};

use crate::database::Database;
use crate::error::ColumnError;
use crate::record::Record;
use crate::statement::STATE_LIST;

/// The source of the one list.
#[derive(Debug)]
pub(crate) struct StateRows {
    database: Database,
}

impl StateRows {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

impl Source<AllStates, StateList> for StateRows {
    fn certifies(&self) -> bool {
        self.database.certifies()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<AllStates, StateList>],
    ) -> BoxFuture<'a, Result<Batch<StateList>, SourceError>> {
        Box::pin(async move {
            let fetched = self.database.fetch(&STATE_LIST, None).await?;
            let states = fetched.records.iter().map(read).collect::<Result<_, _>>();
            let states = StateList(states.map_err(|error| {
                SourceError::fatal(format!("{}.sql: {error}", STATE_LIST.name))
            })?);
            let loaded = wanted
                .iter()
                .map(|_| Loaded::value(states.clone()))
                .collect();
            Ok(Batch {
                certificate: fetched.certificate,
                loaded,
            })
        })
    }
}

fn read(record: &Record) -> Result<State, ColumnError> {
    Ok(State {
        code: record.text("code")?,
        name: record.text("name")?,
        zone: record.named("zone", Zone::from_name)?,
    })
}
