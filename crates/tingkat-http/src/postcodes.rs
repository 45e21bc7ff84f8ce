//! `GET /v1/postcodes/{code}`: whether a postcode exists, and where it is.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use tingkat::Trail;
use tingkat_shop::postcode::{self, Postcode};
use tingkat_shop::state::Zone;

use crate::app::App;
use crate::demand::Demand;
use crate::problem::{Code, Problem};
use crate::query;
use crate::reply::{Keep, Reply};

/// A known postcode; both shapes are one in the interface.
#[derive(Serialize)]
struct Located<'a> {
    valid: bool,
    formatted: &'a str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    state_code: &'a str,
    state_name: &'a str,
    city: &'a str,
    cities: &'a [String],
    zone: Zone,
}

/// The shape of [`Located`], with what only an unknown postcode has.
#[derive(Serialize)]
struct Unknown<'a> {
    valid: bool,
    formatted: &'a str,
    location: (),
    error: String,
    suggestions: [&'a str; 0],
}

/// The location of a postcode; white space in the path is ignored.
pub(crate) async fn locate(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let code: postcode::Code = text.parse().map_err(|error: postcode::CodeError| {
        Problem::new(Code::PostcodeMalformed, error.to_string())
    })?;
    let options = Demand::of(&headers)?.settle(&app.node).await?;
    let answer = app.shop.postcodes.locate(&code, options).await?;
    let reply = match answer.value() {
        Some(postcode) => found(postcode, answer.trail()),
        None => absent(code, answer.trail()),
    };
    Ok(reply?.to(&headers))
}

fn found(postcode: &Postcode, trail: Trail) -> Result<Reply, Problem> {
    let body = Located {
        valid: true,
        formatted: postcode.code.as_str(),
        location: Location {
            state_code: &postcode.state_code,
            state_name: &postcode.state_name,
            city: postcode.city(),
            cities: &postcode.cities,
            zone: postcode.zone,
        },
    };
    Reply::found(&body, Keep::Day, trail)
}

fn absent(code: postcode::Code, trail: Trail) -> Result<Reply, Problem> {
    let body = Unknown {
        valid: false,
        formatted: code.as_str(),
        location: (),
        error: format!("no place in Malaysia has the postcode {code}"),
        suggestions: [],
    };
    Reply::absent(&body, Keep::Minute, trail)
}
