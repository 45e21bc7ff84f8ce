//! The domain of an online store: what is sold, what it costs, where it is delivered.
//!
//! One file per entity. Knows the cache, and neither SQL nor Redis nor HTTP.

pub mod all;
pub mod body;
pub mod category;
pub mod document;
pub mod facts;
mod fold;
pub mod money;
pub mod name;
pub mod page;
pub mod popularity;
pub mod postcode;
pub mod product;
pub mod shop;
pub mod state;
pub mod write;

pub use all::All;
pub use body::{Body, Kept};
pub use category::{Categories, CategoryId, CategoryTree};
pub use document::{Document, DocumentKey, DocumentSource, Documents};
pub use facts::{Fact, Facts};
pub use money::{Currency, Money};
pub use page::Page;
pub use popularity::{Popularity, Scored, Weights};
pub use postcode::{Code, Postcode, Postcodes};
pub use product::{Product, ProductId, Products, Sku, Slug};
pub use shop::{Shop, Sources};
pub use state::{State, States, Zone};
pub use write::{ProductPatch, ProductWriter, ProductWrites, Saved, WriteError, WriteErrorKind};
