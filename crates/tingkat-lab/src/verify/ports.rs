//! What verify asks the store and Redis past the service, beyond what every part of the lab does.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::probe::{ChangeProbe, Probing, RawRedis};

/// A product as its row is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns")]
pub struct StoredProduct {
    pub id: String,
    pub sku: String,
    pub slug: String,
    pub name: String,
    pub regular_price: i64,
    pub member_price: i64,
    pub stock_quantity: i64,
    /// What else its page has to show, by the names there; times are microseconds since 1970.
    pub shows: Value,
}

/// A postcode as its rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns")]
pub struct StoredPostcode {
    pub code: String,
    pub state_code: String,
    pub cities: Vec<String>,
}

/// A category that is under no other and is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns")]
pub struct StoredCategory {
    pub id: String,
    pub slug: String,
    pub name: String,
}

/// What came of changes that were made and undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// How many were made.
    pub tried: usize,
    /// Which of them were not told as they should be.
    pub wrong: Vec<String>,
    /// Which could not be made, and why.
    pub refused: Vec<String>,
}

/// The store, by connections that the service does not use.
pub trait StoreProbe: ChangeProbe {
    /// These products, or some on sale.
    fn products<'a>(&'a self, ids: &'a [String], most: usize) -> Probing<'a, Vec<StoredProduct>>;

    /// Some postcodes.
    fn postcodes(&self, most: usize) -> Probing<'_, Vec<StoredPostcode>>;

    /// Which of these codes there are.
    fn postcodes_among<'a>(&'a self, codes: &'a [String]) -> Probing<'a, Vec<String>>;

    /// Some categories.
    fn categories(&self, most: usize) -> Probing<'_, Vec<StoredCategory>>;

    /// The ids of what is on sale in a category that is under no other, or under it.
    fn members<'a>(&'a self, category: &'a str) -> Probing<'a, Vec<String>>;

    /// Commits a product that no listing shows.
    fn create_product<'a>(&'a self, id: &'a str) -> Probing<'a, ()>;

    /// Removes the products whose ids begin so, and tells how many there were.
    fn remove_products<'a>(&'a self, id_begin: &'a str) -> Probing<'a, u64>;

    /// What is wrong with the store's tables and the statements that read them.
    fn wrong_tables(&self) -> Probing<'_, Vec<String>>;

    /// What is wrong with the change log.
    fn wrong_log(&self) -> Probing<'_, Vec<String>>;

    /// Makes a change in each table and undoes it; nothing of a database for which that is not done.
    fn rehearse(&self) -> Probing<'_, Option<Rehearsal>>;

    /// How many rows the log has of a dep.
    fn changes_of<'a>(&'a self, dep: &'a str) -> Probing<'a, u64>;

    /// Folds old changes; false where another session is at it.
    fn compact(&self) -> Probing<'_, bool>;

    /// Which number the next writing transaction gets, or a later one.
    fn next_position(&self) -> Probing<'_, u64>;
}

/// A server as it describes itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisServer {
    /// Where it is.
    pub place: String,
    /// Its release as numbers.
    pub version: String,
    /// Whether it is Valkey.
    pub is_valkey: bool,
    /// What it evicts when it is full.
    pub maxmemory_policy: String,
    /// When it is full; 0 for never, nothing where it does not say.
    pub maxmemory: Option<u64>,
}

/// Redis, by connections that the service does not use.
pub trait RedisProbe: RawRedis {
    /// Writes bytes under a key that goes by itself after this long.
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes, life: Duration) -> Probing<'a, ()>;

    /// At most `most` keys that begin with a prefix and have `part` after it, in any order.
    fn keys_with<'a>(
        &'a self,
        prefix: &'a str,
        part: &'a str,
        most: usize,
    ) -> Probing<'a, Vec<String>>;

    /// Goes through a lease on a key as a load does: taken, refused to another, filled by its holder
    /// alone. What went otherwise, if anything did.
    fn lease<'a>(&'a self, key: &'a str) -> Probing<'a, Option<String>>;

    /// Whether anybody answers.
    fn answers(&self) -> Probing<'_, bool>;

    /// The keys that begin with one text and end with another, at most `most`.
    fn keys_between<'a>(
        &'a self,
        begin: &'a str,
        end: &'a str,
        most: usize,
    ) -> Probing<'a, Vec<String>>;

    /// What each server says of itself.
    fn servers(&self) -> Probing<'_, Vec<RedisServer>>;

    /// Whether a server answers who does not log in; nothing where no login is configured.
    fn serves_strangers(&self) -> Probing<'_, Option<bool>>;

    /// Whether a server answers who speaks without TLS; nothing where TLS is not configured.
    fn serves_plain(&self) -> Probing<'_, Option<bool>>;
}
