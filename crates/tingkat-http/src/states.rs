//! `GET /v1/states`: the states and federal territories, ordered by code.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use tingkat::entity::Entity as _;
use tingkat_shop::state::{self, StateList, Zone};

use crate::app::App;
use crate::demand::Demand;
use crate::paging::Page;
use crate::problem::Problem;
use crate::query;
use crate::reply::{Reply, json};

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
    let Some(StateList { states, body }) = answer.value() else {
        return Err(Problem::internal());
    };
    let body = body.or_make(|| json(&Page::whole(states.iter().map(item).collect())))?;
    let reply = Reply::kept(body, app.keeps.of(StateList::NAME), answer.trail());
    Ok(reply.to(&headers).await)
}

fn item(state: &state::State) -> Item<'_> {
    Item {
        code: &state.code,
        name: &state.name,
        zone: state.zone,
    }
}
