//! `PATCH /v1/products/{id}`: stock and prices, written through to the database.
//!
//! The answer is the product as it is after the write, with the token of the write. Where the
//! product can not be read back at the moment it is 204, because the write is done all the same.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tingkat::Options;
use tingkat::ports::Written;
use tingkat_shop::money::{Currency, Money};
use tingkat_shop::product::{ProductId, Tier};
use tingkat_shop::write::{ProductPatch, StockChange, WriteError, WriteErrorKind};

use super::{one, product_id};
use crate::app::App;
use crate::demand::{POSITION, position};
use crate::json_body::{self, Object};
use crate::problem::{Code, Problem};
use crate::query;
use crate::tokens::Scope;

/// A patch has five members.
pub(crate) const MOST_BYTES: usize = 4 << 10;

const MEMBERS: &str = "a patch has `stock` or `stock_delta` as a whole number, `regular_price` and \
                       `member_price` such as {\"amount\":255,\"currency\":\"MYR\"}, and `version`";

/// What a request may change. A member is there or it is not; it is never null.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, deserialize_with = "json_body::given")]
    stock: Option<i64>,
    #[serde(default, deserialize_with = "json_body::given")]
    stock_delta: Option<i64>,
    #[serde(default, deserialize_with = "json_body::given")]
    regular_price: Option<Object<Price>>,
    #[serde(default, deserialize_with = "json_body::given")]
    member_price: Option<Object<Price>>,
    #[serde(default, deserialize_with = "json_body::given")]
    version: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    amount: i64,
    currency: Currency,
}

impl From<Price> for Money {
    fn from(price: Price) -> Self {
        Self {
            amount: price.amount,
            currency: price.currency,
        }
    }
}

/// Writes what the body names.
pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // First of all, so that nobody learns anything without one.
    app.tokens.check(&headers, Scope::Write)?;
    query::none(query.as_deref())?;
    let id = product_id(&text)?;
    let Some(writes) = &app.writes else {
        let detail = "the source of this server is not written";
        return Err(Problem::new(Code::WritesUnsupported, detail));
    };
    let patch = read(&headers, body).await?;
    let saved = writes.write(&id, &patch).await;
    let saved = saved.map_err(|error| problem(&error, &text))?;
    let mut response = read_back(&app, &id, &text, saved.written).await;
    if let Some(written) = saved.written {
        response.headers_mut().insert(POSITION, position(written));
    }
    Ok(response)
}

/// The product after the write. A failure to read it is not a failure to write it: a client that
/// was told of one would write again.
async fn read_back(app: &App, id: &ProductId, text: &str, written: Option<Written>) -> Response {
    let options = match written {
        Some(_) => Options::default(),
        None => Options::default().reload(),
    };
    let looked_up = app.shop.products.by_id(id, options).await;
    let found = looked_up.ok().filter(|answer| answer.value().is_some());
    let found = found.as_ref();
    let reply = found.and_then(|answer| one(app, answer, Tier::Guest, "id", text).ok());
    match reply {
        // Conditions of the request are about what it reads, and this one writes.
        Some(reply) => reply.to(&HeaderMap::new()).await,
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<ProductPatch, Problem> {
    let document: Document =
        json_body::read(headers, body, MOST_BYTES, Code::PatchInvalid, MEMBERS).await?;
    let stock = match (document.stock, document.stock_delta) {
        (Some(_), Some(_)) => {
            let detail = format!("found `stock` and `stock_delta` together; {MEMBERS}");
            return Err(Problem::new(Code::PatchInvalid, detail));
        }
        (Some(quantity), None) => Some(StockChange::Set(quantity)),
        (None, Some(delta)) => Some(StockChange::Adjust(delta)),
        (None, None) => None,
    };
    Ok(ProductPatch {
        stock,
        regular_price: document.regular_price.map(|Object(price)| price.into()),
        member_price: document.member_price.map(|Object(price)| price.into()),
        version: document.version,
    })
}

fn problem(error: &WriteError, id: &str) -> Problem {
    let kind = error.kind();
    let said = kind.to_string();
    match kind {
        WriteErrorKind::Empty => Problem::new(Code::PatchInvalid, format!("{said}; {MEMBERS}")),
        WriteErrorKind::Negative
        | WriteErrorKind::MemberAboveRegular
        | WriteErrorKind::Currency { .. } => Problem::new(Code::PatchInvalid, said),
        WriteErrorKind::Unknown => Problem::new(
            Code::ProductUnknown,
            format!("no product has the id {id:?}"),
        ),
        WriteErrorKind::Conflict { current } => {
            Problem::new(Code::VersionConflict, said).with("current_version", current)
        }
        WriteErrorKind::StockOutOfRange { stock } => {
            Problem::new(Code::StockOutOfRange, said).with("stock_quantity", stock)
        }
        WriteErrorKind::Unavailable => {
            Problem::new(Code::WriteUnavailable, said).retry_after(crate::problem::SOON)
        }
        WriteErrorKind::Unsure => Problem::new(Code::WriteUnsure, said),
        WriteErrorKind::Refused => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "the database refused a write");
            Problem::new(Code::WriteRefused, said)
        }
        // The list of the store may grow; until its new kind has a code here, it is a bug.
        _ => Problem::internal(),
    }
}
