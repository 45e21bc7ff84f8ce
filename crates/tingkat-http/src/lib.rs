//! The HTTP face of the store: routes, problem documents and the server under them.
//!
//! Start at [`mod@router`]: it is the table of contents. Knows the store and its caches; sees
//! neither Redis nor SQL, and decides nothing about freshness: it only tells what the caches said.

pub mod app;
mod changes;
pub mod edge;
pub mod limits;
pub mod problem;
pub mod router;
pub mod serve;
pub mod tls;
pub mod tokens;

mod cache_status;
mod caches;
mod categories;
mod demand;
mod documents;
mod encoding;
mod etag;
mod forget;
mod hits;
mod home;
mod json_body;
mod keeps;
mod page;
mod paging;
mod postcodes;
mod probes;
mod problems;
mod products;
mod query;
mod reply;
mod states;

pub use app::App;
pub use changes::Changes;
pub use edge::{Edge, Ids};
pub use keeps::Keeps;
pub use limits::Limits;
pub use problem::{Code, Problem};
pub use router::router;
pub use serve::{serve, serve_tls};
pub use tls::{Tls, TlsError};
pub use tokens::{Scope, Tokens, TokensError};
