//! What an entry has seen of the change log (its certificate), and the deps that name what it shows.
//!
//! A position is a set of transactions, told as PostgreSQL's snapshots tell it. A log with plain
//! ascending ids is the case without transactions under way, so the engine knows one type only.

mod dep;
mod incarnation;
mod knowledge;
mod known;
mod moment;
#[cfg(test)]
mod oracle;
mod position;
mod publication;
mod strays;
#[cfg(test)]
mod tests;
mod xids;

pub use dep::{Change, ChangeKind, Dep};
pub use incarnation::{Certificate, Incarnation, IncarnationError};
pub use knowledge::Refusal;
pub(crate) use knowledge::{Evidence, Knowledge, MOST_DEPS, Verdict, Watched};
pub use position::{Position, PositionError};
pub(crate) use publication::Observed;
