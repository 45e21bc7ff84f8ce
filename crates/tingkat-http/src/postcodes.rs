//! `GET /v1/postcodes/{code}`: whether a postcode exists, and where it is. `GET /v1/postcodes`: those
//! of a state, a zone or a city, or those that begin so.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use tingkat::{Answer, Options, Trail};
use tingkat_shop::postcode::{self, Filter, Postcode};
use tingkat_shop::state::Zone;

use crate::app::App;
use crate::cache_status::together;
use crate::demand::Demand;
use crate::paging;
use crate::problem::{Code, Problem, shortened};
use crate::query::{self, Query};
use crate::reply::{Keep, Reply};

/// The filters of the list, and its pages.
const PARAMETERS: &[&str] = &["state", "zone", "city", "q", "limit", "cursor"];

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
    /// Codes that exist and may have been meant.
    suggestions: Vec<&'a str>,
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
        None => absent(&app, code, options, answer.trail()).await,
    };
    Ok(reply?.to(&headers))
}

/// The postcodes that pass every filter, ordered by code.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), PARAMETERS)?;
    let filter = filter(&query)?;
    let (limit, after) = (paging::limit(&query)?, paging::cursor(&query)?);
    let options = Demand::of(&headers)?.settle(&app.node).await?;
    let page = app.shop.postcodes.page(&filter, after, limit, options);
    let page = page.await?;
    let trails = page.items.iter().map(Answer::trail);
    let trail = together(trails.chain([page.trail])).unwrap_or(page.trail);
    let body = paging::Page {
        items: page
            .items
            .iter()
            .filter_map(|answer| answer.value().map(located))
            .collect(),
        next: page.next,
    };
    Ok(Reply::found(&body, Keep::Day, trail)?.to(&headers))
}

fn filter(query: &Query<'_>) -> Result<Filter, Problem> {
    let zone = |text: &str| {
        Zone::from_name(&text.to_ascii_lowercase()).ok_or_else(|| {
            let detail = format!("found {:?}; `zone` is `west` or `east`", shortened(text));
            paging::malformed("zone", detail)
        })
    };
    let text = |name: &'static str| match query.get(name).map(str::trim) {
        Some("") => Err(paging::malformed(
            name,
            format!("`{name}` is empty; leave it out for all"),
        )),
        text => Ok(text.map(ToOwned::to_owned)),
    };
    Ok(Filter {
        state: text("state")?,
        zone: query.get("zone").map(zone).transpose()?,
        city: text("city")?,
        beginning: text("q")?,
    })
}

fn found(postcode: &Postcode, trail: Trail) -> Result<Reply, Problem> {
    Reply::found(&located(postcode), Keep::Day, trail)
}

fn located(postcode: &Postcode) -> Located<'_> {
    Located {
        valid: true,
        formatted: postcode.code.as_str(),
        location: Location {
            state_code: &postcode.state_code,
            state_name: &postcode.state_name,
            city: postcode.city(),
            cities: &postcode.cities,
            zone: postcode.zone,
        },
    }
}

async fn absent(
    app: &App,
    code: postcode::Code,
    options: Options,
    trail: Trail,
) -> Result<Reply, Problem> {
    // That the postcode is unknown is known; a guess is worth no error.
    let suggestions = app.shop.postcodes.suggest(code, options).await;
    let suggestions = suggestions.unwrap_or_default();
    let body = Unknown {
        valid: false,
        formatted: code.as_str(),
        location: (),
        error: format!("no place in Malaysia has the postcode {code}"),
        suggestions: suggestions.iter().map(postcode::Code::as_str).collect(),
    };
    Reply::absent(&body, Keep::Minute, trail)
}
