//! Many products by their ids, in the order of the ids: `GET /v1/products?ids=`, and for lists that are
//! too long for an address `POST /v1/products:batchGet`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as RequestBody;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;
use tingkat::Answer;
use tingkat::error::GetError;
use tingkat_shop::body::Body;
use tingkat_shop::product::{Product, ProductId, Tier};

use super::body::body;
use super::{TIER, keep, product_id, tier};
use crate::app::App;
use crate::cache_status::together;
use crate::demand::Demand;
use crate::json_body;
use crate::paging;
use crate::problem::{Code, Problem};
use crate::query::{self, Query};
use crate::reply::Reply;

/// Ids in one request.
const MOST: usize = 200;

/// Room for that many of the longest ids, twice as much white space, and a few repetitions.
pub(crate) const MOST_BYTES: usize = 64 << 10;

const MEMBERS: &str = "the body is such as {\"ids\":[\"1\",\"2\"]}";

/// Looks up products.
pub(super) async fn look_up(
    app: &App,
    ids: &[ProductId],
    tier: Tier,
    demand: Demand,
) -> Result<Reply<'static>, Problem> {
    let options = demand.settle(&app.node).await?;
    let answers = app.shop.products.many(ids, options).await;
    let answers = all_or_problem(answers)?;

    let now = app.wall_time();
    let mut items: Vec<&Body> = Vec::with_capacity(ids.len());
    let mut missing: Vec<&ProductId> = Vec::new();
    for (id, answer) in ids.iter().zip(&answers) {
        match answer.value() {
            Some(product) => items.push(body(&app.shop.products, product, tier, now)?),
            None => missing.push(id),
        }
    }
    let list = paging::listed(&items, "missing", &missing)?;
    let products = answers.iter().filter_map(Answer::value);
    let changes_at = products.filter_map(|product| product.changes_at(now)).min();
    // There is at least one id, so there is at least one trail.
    let trail = together(answers.iter().map(Answer::trail)).ok_or_else(Problem::internal)?;
    let keep = keep(app).until(changes_at, now);
    Ok(Reply::of_json(list, keep, trail))
}

/// The body of a request for many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<String>,
}

/// The products of `{"ids": ["a", "b"]}`; a look-up, though it is a POST.
pub(crate) async fn batch_get(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    mut headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, Problem> {
    app.tokens.check_look_up(&headers)?;
    let query = Query::parse(query.as_deref(), &[TIER])?;
    let tier = tier(&query)?;
    let Ids { ids } =
        json_body::read(&headers, body, MOST_BYTES, Code::IdsInvalid, MEMBERS).await?;
    if ids.is_empty() {
        let detail = "`ids` is an empty list; it has at least one id";
        return Err(Problem::new(Code::IdsEmpty, detail));
    }
    let ids = distinct(ids.iter().map(String::as_str))?;
    let demand = Demand::of(&headers)?;
    let reply = look_up(&app, &ids, tier, demand).await?;
    // "Not modified" is an answer to GET and HEAD (RFC 9110, 13.1.2).
    headers.remove(header::IF_NONE_MATCH);
    Ok(reply.to(&headers).await)
}

/// The ids of a list such as `a,b,c`.
pub(super) fn listed(list: &str) -> Result<Vec<ProductId>, Problem> {
    if list.is_empty() {
        return Err(Problem::new(
            Code::IdsEmpty,
            "`ids` is empty; give ids separated by commas, such as `ids=1,2,3`",
        ));
    }
    distinct(list.split(','))
}

/// Ids, each once, in the order in which they are first named.
pub(super) fn distinct<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
) -> Result<Vec<ProductId>, Problem> {
    let too_many = |found| {
        let detail = format!("`ids` has {found} ids; at most {MOST} are answered at a time");
        Problem::new(Code::IdsTooMany, detail).with("most", MOST)
    };
    query::distinct(texts, MOST, too_many, product_id)
}

fn all_or_problem(
    answers: Vec<Result<Answer<Product>, GetError>>,
) -> Result<Vec<Answer<Product>>, Problem> {
    let asked = answers.len();
    let mut good = Vec::with_capacity(asked);
    let mut problems: Vec<Problem> = Vec::new();
    for answer in answers {
        match answer {
            Ok(answer) => good.push(answer),
            Err(error) => problems.push(error.into()),
        }
    }
    let Some(first) = problems.first() else {
        return Ok(good);
    };
    let failed = problems.len();
    let code = first.code().name();
    let delays = problems.iter().filter_map(Problem::delay);
    let delay = delays.max().unwrap_or(Duration::from_secs(1));
    Err(Problem::new(
        Code::BatchIncomplete,
        format!("{failed} of {asked} products could not be looked up, the first of them: `{code}`"),
    )
    .with("failed", failed)
    .retry_after(delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &str) -> Vec<String> {
        listed(list)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn each_id_counts_once_in_the_order_asked() {
        assert_eq!(texts("3,1,3,2,1"), ["3", "1", "2"]);
    }

    #[test]
    fn a_list_has_a_length() {
        let list = |length| vec!["7"; length].join(",");
        assert_eq!(texts(&list(MOST)), ["7"]);
        assert_eq!(
            listed(&list(MOST + 1)).unwrap_err().code(),
            Code::IdsTooMany
        );
        assert_eq!(listed("").unwrap_err().code(), Code::IdsEmpty);
        assert_eq!(listed("1,,2").unwrap_err().code(), Code::ProductIdMalformed);
    }
}
