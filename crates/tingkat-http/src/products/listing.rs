//! The products on sale that pass some filters, in an order, page by page.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tingkat::{Answer, Options, Trail};
use tingkat_shop::body::Body;
use tingkat_shop::category::CategoryId;
use tingkat_shop::product::Tier;
use tingkat_shop::product::listing::{Cursor, Filter, Sort};

use super::body::body;
use super::{TIER, category_id, keep, tier};
use crate::app::App;
use crate::cache_status::together;
use crate::categories;
use crate::demand::Demand;
use crate::paging;
use crate::problem::{Code, Problem, shortened};
use crate::query::Query;
use crate::reply::Reply;

/// What the listing of a category can be asked beside its id.
const PARAMETERS: &[&str] = &["featured", "promoted", "sort", "limit", "cursor", TIER];

/// The products on sale in a category and what is under it.
pub(crate) async fn of_category(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), PARAMETERS)?;
    let category = Some(category_id(&text)?);
    let tier = tier(&query)?;
    let demand = Demand::of(&headers)?;
    let reply = look_up(&app, category, &query, tier, demand).await?;
    Ok(reply.to(&headers).await)
}

pub(super) async fn look_up(
    app: &App,
    category: Option<CategoryId>,
    query: &Query<'_>,
    tier: Tier,
    demand: Demand,
) -> Result<Reply<'static>, Problem> {
    let filter = Filter {
        category,
        featured: flag(query, "featured")?,
        promoted: flag(query, "promoted")?,
    };
    let after: Option<Cursor> = paging::cursor(query)?;
    let sort = sort(query, after.as_ref())?;
    let limit = paging::limit(query)?;
    let options = demand.settle(&app.node).await?;
    let of_category = match &filter.category {
        Some(id) => match shown(app, id, options).await? {
            Ok(trail) => Some(trail),
            Err(unknown) => return Ok(unknown),
        },
        None => None,
    };
    let products = &app.shop.products;
    let page = products.list(&filter, sort, after.as_ref(), limit, options);
    let page = page.await?;
    let now = app.wall_time();
    let products = page.items.iter().filter_map(Answer::value);
    let bodies = products
        .clone()
        .map(|product| body(&app.shop.products, product, tier, now));
    let bodies: Vec<&Body> = bodies.collect::<Result<_, _>>()?;
    let next = page.next.as_ref().map(ToString::to_string);
    let list = paging::listed(&bodies, "next", &next)?;
    let changes_at = products.filter_map(|product| product.changes_at(now)).min();
    let trails = page.items.iter().map(Answer::trail);
    let trail = together(trails.chain([page.trail]).chain(of_category)).unwrap_or(page.trail);
    let keep = keep(app).until(changes_at, now);
    Ok(Reply::of_json(list, keep, trail))
}

/// How it is known that a category is shown, or the answer that there is none.
async fn shown(
    app: &App,
    id: &CategoryId,
    options: Options,
) -> Result<Result<Trail, Reply<'static>>, Problem> {
    let tree = app.shop.categories.tree(options).await?;
    let is_shown = tree.value().is_some_and(|tree| tree.find(id).is_some());
    Ok(if is_shown {
        Ok(tree.trail())
    } else {
        Err(categories::unknown("id", id.as_str(), tree.trail()))
    })
}

fn flag(query: &Query<'_>, name: &'static str) -> Result<Option<bool>, Problem> {
    let read = |text: &str| {
        text.parse().map_err(|_| {
            let found = shortened(text);
            let detail = format!("found {found:?}; `{name}` is `true` or `false`");
            paging::malformed(name, detail)
        })
    };
    query.get(name).map(read).transpose()
}

/// The parameter `sort`, or the order of the page before.
fn sort(query: &Query<'_>, after: Option<&Cursor>) -> Result<Sort, Problem> {
    let given = match query.get("sort") {
        None => None,
        Some(text) => Some(Sort::from_name(text).ok_or_else(|| {
            let known: Vec<&str> = Sort::NAMES.iter().map(|(_, name)| *name).collect();
            let found = shortened(text);
            let detail = format!("found {found:?}; `sort` is one of {}", known.join(", "));
            paging::malformed("sort", detail)
        })?),
    };
    let of_cursor = after.map(Cursor::sort);
    if let (Some(given), Some(of_cursor)) = (given, of_cursor)
        && given != of_cursor
    {
        let detail = format!(
            "found a cursor of the order `{}` with `sort={}`",
            of_cursor.name(),
            given.name()
        );
        return Err(Problem::new(Code::CursorMalformed, detail));
    }
    Ok(given.or(of_cursor).unwrap_or_default())
}
