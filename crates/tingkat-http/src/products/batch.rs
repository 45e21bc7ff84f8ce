//! Many products by their ids, in the order of the ids.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use tingkat::Answer;
use tingkat::error::GetError;
use tingkat_shop::product::{Product, ProductId};

use super::body::Body;
use super::product_id;
use crate::app::App;
use crate::cache_status::together;
use crate::demand::Demand;
use crate::problem::{Code, Problem};
use crate::reply::{Keep, Reply};

/// Ids in one request.
const MOST: usize = 200;

#[derive(Serialize)]
struct Batch<'a> {
    items: Vec<Body<'a>>,
    missing: Vec<&'a ProductId>,
}

/// Looks up the products of a list such as `a,b,c`.
pub(super) async fn look_up(app: &App, list: &str, demand: Demand) -> Result<Reply, Problem> {
    let ids = ids(list)?;
    let options = demand.settle(&app.node).await?;
    let answers = app.shop.products.many(&ids, options).await;
    let answers = all_or_problem(answers)?;

    let now = app.wall_time();
    let mut batch = Batch {
        items: Vec::with_capacity(ids.len()),
        missing: Vec::new(),
    };
    for (id, answer) in ids.iter().zip(&answers) {
        match answer.value() {
            Some(product) => batch.items.push(Body::new(product, now)),
            None => batch.missing.push(id),
        }
    }
    // There is at least one id, so there is at least one trail.
    let trail = together(answers.iter().map(Answer::trail)).ok_or_else(Problem::internal)?;
    Reply::found(&batch, Keep::Revalidate, trail)
}

/// The ids of a list, each once, in the order in which they are first named.
fn ids(list: &str) -> Result<Vec<ProductId>, Problem> {
    if list.is_empty() {
        return Err(Problem::new(
            Code::IdsEmpty,
            "`ids` is empty; give ids separated by commas, such as `ids=1,2,3`",
        ));
    }
    let found = list.split(',').count();
    if found > MOST {
        return Err(Problem::new(
            Code::IdsTooMany,
            format!("`ids` has {found} ids; at most {MOST} are answered at a time"),
        )
        .with("most", MOST));
    }
    let mut seen = HashSet::with_capacity(found);
    let mut ids = Vec::with_capacity(found);
    for text in list.split(',') {
        if seen.insert(text) {
            ids.push(product_id(text)?);
        }
    }
    Ok(ids)
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
        ids(list).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_id_counts_once_in_the_order_asked() {
        assert_eq!(texts("3,1,3,2,1"), ["3", "1", "2"]);
    }

    #[test]
    fn a_list_has_a_length() {
        let list = |length| vec!["7"; length].join(",");
        assert_eq!(texts(&list(MOST)), ["7"]);
        assert_eq!(ids(&list(MOST + 1)).unwrap_err().code(), Code::IdsTooMany);
        assert_eq!(ids("").unwrap_err().code(), Code::IdsEmpty);
        assert_eq!(ids("1,,2").unwrap_err().code(), Code::ProductIdMalformed);
    }
}
