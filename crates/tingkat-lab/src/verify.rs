//! Whether an installation keeps its promises: checks in groups, each judged by what a client gets,
//! and by the database and Redis as they are read past the service.
//!
//! Nothing is taken for passed that was not seen. What can not be looked at is skipped and says why.

mod categories;
mod check;
mod checks;
mod configuration;
mod each;
mod end;
mod failure;
mod freshness;
mod health;
mod limits;
mod node;
mod ports;
mod postcodes;
mod products;
mod redis_tier;
mod report;
mod run;
mod scene;
mod stampede;
mod store;
mod told;
mod warming;

pub use check::{Check, Group};
pub use checks::CHECKS;
pub use node::Node;
pub use ports::{
    RedisProbe, RedisServer, Rehearsal, StoreProbe, StoredCategory, StoredPostcode, StoredProduct,
};
pub use report::{Judged, Report, Status};
pub use run::{clean_up, run};
pub use scene::{Failing, Lack, Scene};
pub use told::{Format, line, short, summary};
