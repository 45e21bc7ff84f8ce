//! `PATCH /v1/products/{id}`: stock and prices, written through to the database.
//!
//! The answer is the product as it is after the write, with the token of the write. Where the
//! product can not be read back at the moment it is 204, because the write is done all the same.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use tingkat::Options;
use tingkat::ports::Written;
use tingkat_shop::money::{Currency, Money};
use tingkat_shop::product::ProductId;
use tingkat_shop::write::{ProductPatch, StockChange, WriteError, WriteErrorKind};

use super::{one, product_id};
use crate::app::App;
use crate::demand::{POSITION, position};
use crate::problem::{Code, Problem, shortened};
use crate::query;
use crate::tokens::Scope;

/// A patch has five members.
const MOST_BYTES: usize = 4 << 10;

const MEMBERS: &str = "a patch has `stock` or `stock_delta` as a whole number, `regular_price` and \
                       `member_price` such as {\"amount\":255,\"currency\":\"MYR\"}, and `version`";

/// What a request may change. A member is there or it is not; it is never null.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, deserialize_with = "given")]
    stock: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    stock_delta: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    regular_price: Option<Object<Price>>,
    #[serde(default, deserialize_with = "given")]
    member_price: Option<Object<Price>>,
    #[serde(default, deserialize_with = "given")]
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

/// An object and nothing else: an array would be taken for the members in their order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        from.deserialize_map(Members(PhantomData)).map(Self)
    }
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
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
    let reply = found.and_then(|answer| one(app, &answer, "id", text).ok());
    match reply {
        // Conditions of the request are about what it reads, and this one writes.
        Some(reply) => reply.to(&HeaderMap::new()),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<ProductPatch, Problem> {
    check_media_type(headers)?;
    let Ok(bytes) = to_bytes(body, MOST_BYTES).await else {
        let detail = format!(
            "the body is larger than the {MOST_BYTES} bytes that are read of a patch, or broke off"
        );
        return Err(Problem::new(Code::BodyTooLarge, detail).with("most_bytes", MOST_BYTES));
    };
    let Object(document): Object<Document> = serde_json::from_slice(&bytes).map_err(|error| {
        let found = shortened(&error.to_string());
        match error.classify() {
            Category::Data => Problem::new(Code::PatchInvalid, format!("{found}; {MEMBERS}")),
            Category::Syntax | Category::Eof | Category::Io => {
                Problem::new(Code::BodyMalformed, format!("{found}; {MEMBERS}"))
            }
        }
    })?;
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

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE);
    let text = given.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let text = text.unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_json = ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known));
    if is_json {
        return Ok(());
    }
    let found = shortened(essence);
    let detail = format!("found {found:?}; the body is `application/json`");
    Err(Problem::new(Code::MediaTypeUnknown, detail))
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
