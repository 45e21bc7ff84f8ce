//! The parts of the certificate, as the engine puts them together.

#[path = "../../src/certificate/dep.rs"]
pub mod dep;
#[path = "../../src/certificate/incarnation.rs"]
pub mod incarnation;
#[path = "../../src/certificate/knowledge.rs"]
pub mod knowledge;
#[path = "../../src/certificate/known.rs"]
mod known;
#[path = "../../src/certificate/moment.rs"]
mod moment;
#[path = "../../src/certificate/position.rs"]
pub mod position;
#[path = "../../src/certificate/publication.rs"]
pub mod publication;
#[path = "../../src/certificate/strays.rs"]
mod strays;
#[path = "../../src/certificate/xids.rs"]
mod xids;

pub use dep::{Change, ChangeKind, Dep};
pub use incarnation::{Certificate, Incarnation};
pub(crate) use knowledge::{Evidence, Knowledge, Verdict, Watched};
pub use position::Position;
