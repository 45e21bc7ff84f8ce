//! The ports of the lab over the crates that speak SQL and Redis. Neither knows the other.

use std::time::Duration;

use bytes::Bytes;
use tingkat_lab::probe::{ProbeError, ProbeErrorKind, Probing};
use tingkat_lab::verify::{
    RedisProbe, RedisServer, Rehearsal, StoreProbe, StoredCategory, StoredPostcode, StoredProduct,
};
use tingkat_lab::{ChangeProbe, RawRedis};
use tingkat_sql::{CheckError, CheckErrorKind};

/// The database.
pub(crate) struct Store(pub(crate) tingkat_sql::Probe);

/// Redis.
pub(crate) struct Keys(pub(crate) tingkat_redis::Probe);

fn store_error(error: CheckError) -> ProbeError {
    let kind = if error.kind() == CheckErrorKind::Unreachable {
        ProbeErrorKind::Unreachable
    } else {
        ProbeErrorKind::Refused
    };
    ProbeError::new(kind, error.to_string()).caused_by(error)
}

fn redis_error(error: tingkat_redis::ProbeError) -> ProbeError {
    let kind = if error.is_refused() {
        ProbeErrorKind::Refused
    } else {
        ProbeErrorKind::Unreachable
    };
    ProbeError::new(kind, error.to_string()).caused_by(error)
}

impl ChangeProbe for Store {
    fn stock<'a>(&'a self, product_id: &'a str) -> Probing<'a, Option<i64>> {
        Box::pin(async move {
            let ids = [product_id.to_owned()];
            let rows = self.0.products(&ids, 1).await.map_err(store_error)?;
            Ok(rows.first().map(|row| row.stock_quantity))
        })
    }

    fn set_stock<'a>(&'a self, product_id: &'a str, quantity: i64) -> Probing<'a, bool> {
        Box::pin(async move {
            let set = self.0.set_stock(product_id, quantity).await;
            set.map_err(store_error)
        })
    }
}

impl StoreProbe for Store {
    fn products<'a>(&'a self, ids: &'a [String], most: usize) -> Probing<'a, Vec<StoredProduct>> {
        Box::pin(async move {
            let rows = self.0.products(ids, most).await.map_err(store_error)?;
            let stored = rows.into_iter().map(|row| StoredProduct {
                id: row.id,
                sku: row.sku,
                slug: row.slug,
                name: row.name,
                regular_price: row.regular_price,
                member_price: row.member_price,
                stock_quantity: row.stock_quantity,
                shows: row.shows,
            });
            Ok(stored.collect())
        })
    }

    fn postcodes(&self, most: usize) -> Probing<'_, Vec<StoredPostcode>> {
        Box::pin(async move {
            let rows = self.0.postcodes(most).await.map_err(store_error)?;
            let stored = rows.into_iter().map(|row| StoredPostcode {
                code: row.code,
                state_code: row.state_code,
                cities: row.cities,
            });
            Ok(stored.collect())
        })
    }

    fn postcodes_among<'a>(&'a self, codes: &'a [String]) -> Probing<'a, Vec<String>> {
        Box::pin(async move { self.0.postcodes_among(codes).await.map_err(store_error) })
    }

    fn categories(&self, most: usize) -> Probing<'_, Vec<StoredCategory>> {
        Box::pin(async move {
            let rows = self.0.categories(most).await.map_err(store_error)?;
            let stored = rows.into_iter().map(|row| StoredCategory {
                id: row.id,
                slug: row.slug,
                name: row.name,
            });
            Ok(stored.collect())
        })
    }

    fn members<'a>(&'a self, category: &'a str) -> Probing<'a, Vec<String>> {
        Box::pin(async move { self.0.members(category).await.map_err(store_error) })
    }

    fn create_product<'a>(&'a self, id: &'a str) -> Probing<'a, ()> {
        Box::pin(async move {
            if self.0.create_product(id).await.map_err(store_error)? {
                return Ok(());
            }
            let what = "the store has no product that a scratch product could be like";
            Err(ProbeError::new(ProbeErrorKind::Refused, what))
        })
    }

    fn remove_products<'a>(&'a self, id_begin: &'a str) -> Probing<'a, u64> {
        Box::pin(async move {
            let removed = self.0.remove_products(id_begin).await;
            Ok(removed.map_err(store_error)? as u64)
        })
    }

    fn wrong_tables(&self) -> Probing<'_, Vec<String>> {
        Box::pin(async move { self.0.wrong_tables().await.map_err(store_error) })
    }

    fn wrong_log(&self) -> Probing<'_, Vec<String>> {
        Box::pin(async move { self.0.wrong_log().await.map_err(store_error) })
    }

    fn rehearse(&self) -> Probing<'_, Option<Rehearsal>> {
        Box::pin(async move {
            let rehearsed = self.0.rehearse().await.map_err(store_error)?;
            Ok(rehearsed.map(|rehearsed| Rehearsal {
                tried: rehearsed.tried,
                wrong: rehearsed.wrong,
                refused: rehearsed.refused,
            }))
        })
    }

    fn changes_of<'a>(&'a self, dep: &'a str) -> Probing<'a, u64> {
        Box::pin(async move { self.0.changes_of(dep).await.map_err(store_error) })
    }

    fn compact(&self) -> Probing<'_, bool> {
        Box::pin(async move { self.0.compact().await.map_err(store_error) })
    }

    fn next_position(&self) -> Probing<'_, u64> {
        Box::pin(async move { self.0.next_position().await.map_err(store_error) })
    }
}

impl RawRedis for Keys {
    fn keys<'a>(&'a self, prefix: &'a str, most: usize) -> Probing<'a, Vec<String>> {
        Box::pin(async move { self.0.keys(prefix, most).await.map_err(redis_error) })
    }

    fn get<'a>(&'a self, key: &'a str) -> Probing<'a, Option<Bytes>> {
        Box::pin(async move { self.0.get(key).await.map_err(redis_error) })
    }

    fn set<'a>(&'a self, key: &'a str, bytes: Bytes) -> Probing<'a, ()> {
        Box::pin(async move { self.0.set(key, &bytes).await.map_err(redis_error) })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> Probing<'a, ()> {
        Box::pin(async move { self.0.remove(keys).await.map_err(redis_error) })
    }
}

impl RedisProbe for Keys {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes, life: Duration) -> Probing<'a, ()> {
        Box::pin(async move { self.0.put(key, bytes, life).await.map_err(redis_error) })
    }

    fn keys_with<'a>(
        &'a self,
        prefix: &'a str,
        part: &'a str,
        most: usize,
    ) -> Probing<'a, Vec<String>> {
        Box::pin(async move {
            let keys = self.0.keys_with(prefix, part, most).await;
            keys.map_err(redis_error)
        })
    }

    fn lease<'a>(&'a self, key: &'a str) -> Probing<'a, Option<String>> {
        Box::pin(async move { self.0.lease(key).await.map_err(redis_error) })
    }

    fn answers(&self) -> Probing<'_, bool> {
        Box::pin(async move { Ok(self.0.ping().await.is_ok()) })
    }

    fn keys_between<'a>(
        &'a self,
        begin: &'a str,
        end: &'a str,
        most: usize,
    ) -> Probing<'a, Vec<String>> {
        Box::pin(async move {
            let keys = self.0.keys_between(begin, end, most).await;
            keys.map_err(redis_error)
        })
    }

    fn servers(&self) -> Probing<'_, Vec<RedisServer>> {
        Box::pin(async move {
            let servers = self.0.servers().await.map_err(redis_error)?;
            let told = servers.into_iter().map(|server| RedisServer {
                place: server.place,
                version: server.version,
                is_valkey: server.is_valkey,
                maxmemory_policy: server.maxmemory_policy,
                maxmemory: server.maxmemory,
            });
            Ok(told.collect())
        })
    }

    fn serves_strangers(&self) -> Probing<'_, Option<bool>> {
        Box::pin(async move { self.0.serves_strangers().await.map_err(redis_error) })
    }

    fn serves_plain(&self) -> Probing<'_, Option<bool>> {
        Box::pin(async move { self.0.serves_plain().await.map_err(redis_error) })
    }
}
