//! Products by id for a storefront, cached aside by hand: memory is asked first, then Redis, then
//! `PostgreSQL`, and what `PostgreSQL` says is kept in both for a time. See `../README.md` for what it
//! does not do.
//!
//! `DATABASE_URL`, `REDIS_URL` and `PORT` say where; `QUERY` names the file with the statement.

mod product;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use moka::future::Cache;
use redis::AsyncCommands as _;
use redis::aio::ConnectionManager;
use serde_json::json;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row as _};

use product::{Product, Shown};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a product is kept in this process, and in Redis.
const MEMORY_LIFE: Duration = Duration::from_mins(1);
const REDIS_LIFE_S: u64 = 300;

/// More than the demo store has.
const MOST_PRODUCTS: u64 = 100_000;

const IDS: &str = "SELECT id FROM product WHERE status = 'active' ORDER BY updated_at DESC, id";

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A product that is kept; nothing if there is none.
type Kept = Option<Arc<Product>>;

#[derive(Clone)]
struct Products {
    memory: Cache<String, Kept>,
    redis: ConnectionManager,
    database: PgPool,
    statement: Arc<str>,
}

impl Products {
    /// A product, and who had it. Callers who miss the same key at the same time wait for one of
    /// them, as moka offers it.
    async fn get(&self, id: &str) -> Result<(Kept, &'static str)> {
        if let Some(kept) = self.memory.get(id).await {
            return Ok((kept, "memory; hit"));
        }
        let mut by = "memory; hit";
        let load = async {
            let (kept, who) = self.beyond_memory(id).await?;
            by = who;
            Ok::<_, Box<dyn Error + Send + Sync>>(kept)
        };
        let kept = self.memory.try_get_with_by_ref(id, load).await;
        let kept = kept.map_err(|error| error.to_string())?;
        Ok((kept, by))
    }

    async fn beyond_memory(&self, id: &str) -> Result<(Kept, &'static str)> {
        let key = format!("peer:rust:product:{id}");
        let mut redis = self.redis.clone();
        // Without Redis the database answers.
        let cell: Option<Vec<u8>> = redis.get(&key).await.unwrap_or_default();
        if let Some(cell) = cell {
            let product: Option<Product> = serde_json::from_slice(&cell)?;
            return Ok((product.map(Arc::new), "memory; fwd=uri-miss, redis; hit"));
        }
        let statement = AssertSqlSafe(&*self.statement);
        let row = sqlx::query(statement).bind([id].as_slice());
        let row = row.fetch_optional(&self.database).await?;
        let product = row.as_ref().map(Product::from_row).transpose()?;
        // What does not exist is kept as well, so that nobody can ask the database for it all day.
        let cell = serde_json::to_vec(&product)?;
        tokio::spawn(async move {
            let _: redis::RedisResult<()> = redis.set_ex(key, cell, REDIS_LIFE_S).await;
        });
        let way = "memory; fwd=uri-miss, redis; fwd=uri-miss, source; fwd=uri-miss; stored";
        Ok((product.map(Arc::new), way))
    }
}

async fn one(State(products): State<Products>, Path(id): Path<String>) -> Response {
    match products.get(&id).await {
        Ok((Some(product), by)) => {
            ([(CACHE_STATUS, by)], Json(Shown::now(&product))).into_response()
        }
        Ok((None, by)) => {
            let body = Json(json!({ "title": "Not found" }));
            (StatusCode::NOT_FOUND, [(CACHE_STATUS, by)], body).into_response()
        }
        Err(error) => failed(&*error),
    }
}

async fn list(State(products): State<Products>) -> Response {
    let rows = sqlx::query(IDS).fetch_all(&products.database).await;
    let ids = rows.and_then(|rows| {
        let ids = rows.iter().map(|row| row.try_get::<String, _>(0));
        ids.collect::<std::result::Result<Vec<_>, _>>()
    });
    match ids {
        Ok(ids) => {
            let items: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
            Json(json!({ "items": items, "next": null })).into_response()
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn Error) -> Response {
    eprintln!("{error}");
    let body = Json(json!({ "title": "Internal error" }));
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}

const CACHE_STATUS: header::HeaderName = header::HeaderName::from_static("cache-status");

#[tokio::main]
async fn main() -> Result<()> {
    let variable = |name| std::env::var(name).map_err(|error| format!("{name}: {error}"));
    let database = PgPoolOptions::new().max_connections(10);
    let client = redis::Client::open(variable("REDIS_URL")?)?;
    let products = Products {
        memory: Cache::builder()
            .max_capacity(MOST_PRODUCTS)
            .time_to_live(MEMORY_LIFE)
            .build(),
        redis: ConnectionManager::new(client).await?,
        database: database.connect(&variable("DATABASE_URL")?).await?,
        statement: std::fs::read_to_string(variable("QUERY")?)?.into(),
    };
    let routes = Router::new()
        .route("/v1/products", get(list))
        .route("/v1/products/{id}", get(one))
        .with_state(products);
    let port: u16 = variable("PORT")?.parse()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, routes).await?;
    Ok(())
}
