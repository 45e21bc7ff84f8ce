//! `GET /v1/postcodes/{code}`: whether a postcode exists, and where it is. `GET /v1/postcodes`: those
//! of a state, a zone or a city, or those that begin so.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use tingkat::entity::Entity as _;
use tingkat::{Answer, Options, Trail};
use tingkat_shop::body::Body;
use tingkat_shop::postcode::{self, Filter, Postcode};
use tingkat_shop::state::Zone;

use crate::app::App;
use crate::cache_status::together;
use crate::demand::Demand;
use crate::paging;
use crate::problem::{Code, Problem, shortened};
use crate::query::{self, Query};
use crate::reply::{Keep, Reply, json};

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
        Some(postcode) => found(&app, postcode, answer.trail()),
        None => absent(&app, code, options, answer.trail()).await,
    };
    Ok(reply?.to(&headers).await)
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
    let postcodes = page.items.iter().filter_map(Answer::value);
    let bodies: Vec<&Body> = postcodes.map(body).collect::<Result<_, _>>()?;
    let list = paging::listed(&bodies, "next", &page.next)?;
    Ok(Reply::of_json(list, keep(&app), trail).to(&headers).await)
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

pub(crate) fn found<'a>(
    app: &App,
    postcode: &'a Postcode,
    trail: Trail,
) -> Result<Reply<'a>, Problem> {
    Ok(Reply::kept(body(postcode)?, keep(app), trail))
}

fn keep(app: &App) -> Keep {
    app.keeps.of(Postcode::NAME)
}

fn body(postcode: &Postcode) -> Result<&Body, Problem> {
    postcode.body.or_make(|| json(&located(postcode)))
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
) -> Result<Reply<'static>, Problem> {
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
    Reply::absent(&body, Keep::MINUTE.at_most(keep(app)), trail)
}

#[cfg(test)]
mod tests {
    use tingkat_shop::body::Kept;

    use super::*;

    #[test]
    fn an_entry_is_charged_for_a_little_more_than_its_body_has() {
        for cities in [&[][..], &["Kuching"], &["\"\u{1}", "Kota Samarahan", "é"]] {
            let postcode = Postcode {
                code: "93350".parse().unwrap(),
                cities: cities.iter().map(|&city| city.into()).collect(),
                state_code: "SWK".into(),
                state_name: "Sarawak".into(),
                zone: Zone::East,
                body: Kept::default(),
            };
            let (has, may) = (
                body(&postcode).unwrap().bytes().len(),
                postcode.body_bytes(),
            );
            assert!(has <= may && may <= has + 60, "{has} bytes, charged {may}");
        }
    }
}
