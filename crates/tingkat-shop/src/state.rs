//! The states and federal territories of Malaysia.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::error::GetError;
use tingkat::policy::Policy;
use tingkat::{Answer, Cache, Options};

use crate::all::All;
use crate::body::{self, Kept};

/// Which side of the South China Sea; shipping costs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Zone {
    /// Peninsular Malaysia.
    West,
    /// Sabah, Sarawak and Labuan.
    East,
}

impl Zone {
    /// As in data and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::West => "west",
            Self::East => "east",
        }
    }

    /// Reads what [`name`](Self::name) gives.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::West, Self::East]
            .into_iter()
            .find(|zone| zone.name() == name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A state or federal territory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Three letters: `SGR`.
    pub code: String,
    /// The full name.
    pub name: String,
    /// Its side of the sea.
    pub zone: Zone,
}

/// The list of all states, ordered by code; it is cached as one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateList {
    /// The states.
    pub states: Vec<State>,
    /// What it is answered with.
    #[serde(skip)]
    pub body: Kept,
}

impl StateList {
    /// How long its body may be.
    pub fn body_bytes(&self) -> usize {
        body::json_bytes(self) + MORE_JSON
    }
}

impl From<Vec<State>> for StateList {
    fn from(states: Vec<State>) -> Self {
        Self {
            states,
            body: Kept::default(),
        }
    }
}

/// What the body of the list has around the states.
const MORE_JSON: usize = 30;

impl Entity for StateList {
    const NAME: &'static str = "states";
    const SCHEMA: u32 = 1;
    type Key = All;

    fn policy() -> Policy {
        Policy {
            // One list needs one load; the other is for a refresh.
            max_loads: 2,
            ..super::postcode::policy()
        }
    }

    /// The rows of the states that it shows, and the set that it enumerates: a new state has no row
    /// here yet.
    fn deps(&self) -> Vec<Dep> {
        let rows = self
            .states
            .iter()
            .map(|state| Dep::of_key("state", &state.code));
        rows.chain([Dep::new("states.list")]).collect()
    }

    fn memory_size(&self) -> usize {
        let texts: usize = self
            .states
            .iter()
            .map(|state| state.code.capacity() + state.name.capacity())
            .sum();
        size_of::<Self>()
            + self.states.capacity() * size_of::<State>()
            + texts
            + body::charge(self.body_bytes())
    }
}

/// Look-ups of states.
#[derive(Clone, Debug)]
pub struct States {
    list: Cache<All, StateList>,
}

impl States {
    pub(crate) const fn new(list: Cache<All, StateList>) -> Self {
        Self { list }
    }

    /// All states, ordered by code.
    ///
    /// # Errors
    /// As [`Cache::look_up`].
    pub async fn all(&self, options: Options) -> Result<Answer<StateList>, GetError> {
        let answer = self.list.look_up(&All, options).await?;
        Ok(answer.or_else(|| Arc::new(Vec::new().into())))
    }
}
