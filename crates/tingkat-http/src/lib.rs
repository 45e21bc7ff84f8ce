//! The HTTP face of the store: routes, problem documents and the server under them.
//!
//! Start at [`mod@router`]: it is the table of contents. Knows the store and its caches; sees
//! neither Redis nor SQL, and decides nothing about freshness: it only tells what the caches said.

pub mod app;
mod changes;
pub mod edge;
pub mod limits;
pub mod metrics;
pub mod problem;
pub mod router;
pub mod serve;
pub mod tls;
pub mod tokens;

mod cache_status;
mod caches;
mod categories;
mod demand;
mod docs;
mod documents;
mod encoding;
mod etag;
mod forget;
mod health;
mod heartbeat;
mod hits;
mod home;
mod json_body;
mod keeps;
mod openapi;
mod page;
mod paging;
mod postcodes;
mod probes;
mod problems;
mod products;
mod query;
mod reply;
mod states;
mod warm;

pub use app::App;
pub use changes::Changes;
pub use edge::{Edge, Ids};
pub use heartbeat::Heartbeat;
pub use keeps::Keeps;
pub use limits::Limits;
pub use metrics::Metrics;
pub use openapi::openapi;
pub use problem::{Code, Problem};
pub use router::{Face, face, router};
pub use serve::{Connections, Listener, Routes, serve};
pub use tls::{Tls, TlsError, Validity};
pub use tokens::{Scope, Tokens, TokensError};
