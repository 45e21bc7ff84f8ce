//! `GET /v1/products/{id}` and `GET /v1/products?sku=`, `?slug=`, `?ids=`: one product, or many.
//!
//! A product has the same bytes whichever way it is asked for. A batch with a product that could
//! not be looked up is a problem: a list without it would say that it does not exist.

mod batch;
mod body;
mod patch;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tingkat::Answer;
use tingkat_shop::product::{NameError, Product, ProductId, Sku, Slug};

use crate::app::App;
use crate::demand::Demand;
use crate::problem::{Code, Problem};
use crate::query::{self, Query};
use crate::reply::{Keep, Reply};

pub(crate) use patch::patch;

/// The ways to name products; a request uses one.
const SELECTORS: &[&str] = &["ids", "sku", "slug"];

/// The product with an id.
pub(crate) async fn by_id(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let id = product_id(&text)?;
    let options = Demand::of(&headers)?.settle(&app.node).await?;
    let answer = app.shop.products.by_id(&id, options).await?;
    Ok(one(&app, &answer, "id", &text)?.to(&headers))
}

/// The product with a sku or a slug, or those with some ids.
pub(crate) async fn find(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), SELECTORS)?;
    let demand = Demand::of(&headers)?;
    let reply = match query.only()? {
        ("sku", text) => {
            let sku: Sku = named(text, Code::SkuMalformed)?;
            let options = demand.settle(&app.node).await?;
            let answer = app.shop.products.by_sku(&sku, options).await?;
            one(&app, &answer, "sku", text)
        }
        ("slug", text) => {
            let slug: Slug = named(text, Code::SlugMalformed)?;
            let options = demand.settle(&app.node).await?;
            let answer = app.shop.products.by_slug(&slug, options).await?;
            one(&app, &answer, "slug", text)
        }
        (_, text) => batch::look_up(&app, text, demand).await,
    };
    Ok(reply?.to(&headers))
}

fn one(app: &App, answer: &Answer<Product>, by: &str, name: &str) -> Result<Reply, Problem> {
    let trail = answer.trail();
    if let Some(product) = answer.value() {
        let body = body::Body::new(product, app.wall_time());
        Reply::found(&body, Keep::Revalidate, trail)
    } else {
        let detail = format!("no product has the {by} {name:?}");
        let problem = Problem::new(Code::ProductUnknown, detail);
        Ok(Reply::absent_problem(&problem, Keep::Revalidate, trail))
    }
}

fn product_id(text: &str) -> Result<ProductId, Problem> {
    named(text, Code::ProductIdMalformed)
}

fn named<N: std::str::FromStr<Err = NameError>>(text: &str, code: Code) -> Result<N, Problem> {
    text.parse()
        .map_err(|error: NameError| Problem::new(code, error.to_string()))
}
