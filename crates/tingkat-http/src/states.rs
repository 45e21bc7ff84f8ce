//! `GET /v1/states`: the states and federal territories, ordered by code.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use tingkat_shop::state::{self, Zone};

use crate::app::App;
use crate::demand::Demand;
use crate::paging::Page;
use crate::problem::Problem;
use crate::query;
use crate::reply::{Keep, Reply};

#[derive(Serialize)]
struct Item<'a> {
    code: &'a str,
    name: &'a str,
    zone: Zone,
}

/// All states.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let options = Demand::of(&headers)?.settle(&app.node).await?;
    let answer = app.shop.states.all(options).await?;
    let states = answer
        .value()
        .map(|list| list.0.as_slice())
        .unwrap_or_default();
    let body = Page::whole(states.iter().map(item).collect());
    Ok(Reply::found(&body, Keep::Day, answer.trail())?.to(&headers))
}

fn item(state: &state::State) -> Item<'_> {
    Item {
        code: &state.code,
        name: &state.name,
        zone: state.zone,
    }
}
