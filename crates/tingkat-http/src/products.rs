//! `GET /v1/products/{id}` and `GET /v1/products?sku=`, `?slug=`, `?ids=`: one product, or many; and
//! `GET /v1/products` with filters or without: those on sale, page by page.
//!
//! A product has the same bytes whichever way it is asked for. A batch with a product that could
//! not be looked up is a problem: a list without it would say that it does not exist.

mod batch;
mod body;
pub(crate) mod listing;
mod patch;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use tingkat::entity::Entity as _;
use tingkat::{Answer, Trail};
use tingkat_shop::category::CategoryId;
use tingkat_shop::product::{Product, ProductId, Sku, Slug, Tier};

use crate::app::App;
use crate::demand::Demand;
use crate::paging;
use crate::problem::{Code, Problem, shortened};
use crate::query::{Query, named};
use crate::reply::{Keep, Reply};

pub(crate) use batch::{MOST_BYTES as BATCH_BYTES, batch_get};
pub(crate) use patch::{MOST_BYTES as PATCH_BYTES, patch};

/// The ways to name products; a request uses one of them, or none for a listing.
const SELECTORS: &[&str] = &["ids", "sku", "slug"];

/// Who is to pay the `price`.
const TIER: &str = "tier";

const PARAMETERS: &[&str] = &[
    "ids", "sku", "slug", "category", "featured", "promoted", "sort", "limit", "cursor", TIER,
];

/// The product with an id.
pub(crate) async fn by_id(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &[TIER])?;
    let tier = tier(&query)?;
    let id = product_id(&text)?;
    let options = Demand::of(&headers)?.settle(&app.node).await?;
    let answer = app.shop.products.by_id(&id, options).await?;
    Ok(one(&app, &answer, tier, "id", &text)?.to(&headers).await)
}

/// The product with a sku or a slug, or those with some ids, or those of a listing.
pub(crate) async fn find(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), PARAMETERS)?;
    let demand = Demand::of(&headers)?;
    let tier = tier(&query)?;
    let answer;
    let reply = match query.one_of(SELECTORS, TIER)? {
        None => {
            let category = query.get("category").map(category_id).transpose()?;
            listing::look_up(&app, category, &query, tier, demand).await
        }
        Some(("sku", text)) => {
            let sku: Sku = named(text, Code::SkuMalformed)?;
            let options = demand.settle(&app.node).await?;
            answer = app.shop.products.by_sku(&sku, options).await?;
            one(&app, &answer, tier, "sku", text)
        }
        Some(("slug", text)) => {
            let slug: Slug = named(text, Code::SlugMalformed)?;
            let options = demand.settle(&app.node).await?;
            answer = app.shop.products.by_slug(&slug, options).await?;
            one(&app, &answer, tier, "slug", text)
        }
        Some((_, text)) => batch::look_up(&app, &batch::listed(text)?, tier, demand).await,
    };
    Ok(reply?.to(&headers).await)
}

fn one<'a>(
    app: &App,
    answer: &'a Answer<Product>,
    tier: Tier,
    by: &str,
    name: &str,
) -> Result<Reply<'a>, Problem> {
    let trail = answer.trail();
    if let Some(product) = answer.value() {
        shown(app, product, tier, trail)
    } else {
        let detail = format!("no product has the {by} {name:?}");
        let problem = Problem::new(Code::ProductUnknown, detail);
        Ok(Reply::absent_problem(&problem, Keep::REVALIDATE, trail))
    }
}

pub(crate) fn shown<'a>(
    app: &App,
    product: &'a Product,
    tier: Tier,
    trail: Trail,
) -> Result<Reply<'a>, Problem> {
    // Without a promotion all times are one.
    let now = match product.promotion {
        Some(_) => app.wall_time(),
        None => Timestamp::UNIX_EPOCH,
    };
    let keep = keep(app).until(product.changes_at(now), now);
    let body = body::body(&app.shop.products, product, tier, now)?;
    Ok(Reply::kept(body, keep, trail))
}

/// For how long others may keep a product, and every list of some.
fn keep(app: &App) -> Keep {
    app.keeps.of(Product::NAME)
}

/// The parameter `tier`.
fn tier(query: &Query<'_>) -> Result<Tier, Problem> {
    match query.get(TIER) {
        None | Some("guest") => Ok(Tier::Guest),
        Some("member") => Ok(Tier::Member),
        Some(other) => Err(paging::malformed(
            TIER,
            format!(
                "found {:?}; `tier` is `guest` or `member`",
                shortened(other)
            ),
        )),
    }
}

fn product_id(text: &str) -> Result<ProductId, Problem> {
    named(text, Code::ProductIdMalformed)
}

pub(crate) fn category_id(text: &str) -> Result<CategoryId, Problem> {
    named(text, Code::CategoryIdMalformed)
}
