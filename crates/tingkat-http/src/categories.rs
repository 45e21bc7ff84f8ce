//! `GET /v1/categories`: the tree, or one by its slug. `GET /v1/categories/{id}`: one of them, with the
//! way to it and what is right under it.

use std::iter::Peekable;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use tingkat::entity::Entity as _;
use tingkat::{Answer, Options, Trail};
use tingkat_shop::Body;
use tingkat_shop::category::{Category, CategoryCount, CategoryId, CategoryTree};

use crate::app::App;
use crate::cache_status::together;
use crate::demand::Demand;
use crate::paging::Page;
use crate::problem::{Code, Problem};
use crate::products::category_id;
use crate::query::{self, Query};
use crate::reply::{Keep, Reply, json};

const PARAMETERS: &[&str] = &["slug"];

/// A category in the tree.
#[derive(Serialize)]
struct Branch<'a> {
    #[serde(flatten)]
    category: Counted<'a>,
    children: Vec<Branch<'a>>,
}

/// A category and how many products are on sale in it and what is under it.
#[derive(Serialize)]
struct Counted<'a> {
    id: &'a CategoryId,
    parent_id: Option<&'a CategoryId>,
    slug: &'a str,
    name: &'a str,
    products: u64,
}

/// A step on the way to a category.
#[derive(Serialize)]
struct Step<'a> {
    id: &'a CategoryId,
    slug: &'a str,
    name: &'a str,
}

impl<'a> Step<'a> {
    fn of(category: &'a Category) -> Self {
        let Category { id, slug, name, .. } = category;
        Self { id, slug, name }
    }
}

/// A category by itself.
#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    category: Counted<'a>,
    /// From the top to the category itself.
    breadcrumb: Vec<Step<'a>>,
    children: Vec<Counted<'a>>,
}

/// The whole tree, or the category with a slug.
pub(crate) async fn find(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), PARAMETERS)?;
    let options = Demand::of(&headers)?.settle(&app.node).await?;
    let answer = app.shop.categories.tree(options).await?;
    let Some(tree) = answer.value() else {
        return Err(Problem::internal());
    };
    let reply = match query.get("slug") {
        Some(slug) => match tree.by_slug(slug) {
            Some(category) => one(&app, tree, category, answer.trail(), options).await?,
            None => unknown("slug", slug, answer.trail()),
        },
        None => whole(&app, tree, answer.trail(), options).await?,
    };
    Ok(reply.to(&headers).await)
}

/// The category with an id.
pub(crate) async fn by_id(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let id = category_id(&text)?;
    let options = Demand::of(&headers)?.settle(&app.node).await?;
    let answer = app.shop.categories.tree(options).await?;
    let category = answer
        .value()
        .and_then(|tree| Some((tree, tree.find(&id)?)));
    let reply = match category {
        Some((tree, category)) => one(&app, tree, category, answer.trail(), options).await?,
        None => unknown("id", &text, answer.trail()),
    };
    Ok(reply.to(&headers).await)
}

/// It is known that there is no such category.
pub(crate) fn unknown(by: &str, name: &str, trail: Trail) -> Reply<'static> {
    let detail = format!("no category that is shown has the {by} {name:?}");
    let problem = Problem::new(Code::CategoryUnknown, detail);
    Reply::absent_problem(&problem, Keep::REVALIDATE, trail)
}

/// How many products each of some categories has, and how that is known.
struct Counts<'a> {
    categories: Vec<&'a Category>,
    numbers: Vec<u64>,
    trail: Trail,
}

impl<'a> Counts<'a> {
    async fn look_up(
        app: &App,
        categories: impl Iterator<Item = &'a Category>,
        trail: Trail,
        options: Options,
    ) -> Result<Self, Problem> {
        let categories: Vec<&Category> = categories.collect();
        let ids = categories.iter().map(|category| category.id.clone());
        let ids: Vec<CategoryId> = ids.collect();
        let answers = app.shop.categories.counts(&ids, options).await?;
        let trails = answers.iter().map(Answer::trail);
        let trail = together(trails.chain([trail])).unwrap_or(trail);
        let number = |answer: &Answer<CategoryCount>| answer.value().map_or(0, |count| count.0);
        Ok(Self {
            categories,
            numbers: answers.iter().map(number).collect(),
            trail,
        })
    }

    /// The categories as they were asked for, each with its number.
    fn counted(&self) -> impl Iterator<Item = Counted<'a>> {
        let numbers = self.numbers.iter();
        self.categories
            .iter()
            .zip(numbers)
            .map(|(category, products)| Counted {
                id: &category.id,
                parent_id: category.parent_id.as_ref(),
                slug: &category.slug,
                name: &category.name,
                products: *products,
            })
    }
}

async fn whole(
    app: &App,
    tree: &CategoryTree,
    trail: Trail,
    options: Options,
) -> Result<Reply<'static>, Problem> {
    let counts = Counts::look_up(app, tree.all().iter(), trail, options).await?;
    let body = tree
        .body
        .or_make(&counts.numbers, || whole_body(tree, &counts))?;
    Ok(shown(app, body, counts.trail))
}

fn whole_body(tree: &CategoryTree, counts: &Counts<'_>) -> Result<Bytes, Problem> {
    let depths = tree.all().iter().map(|category| category.depth);
    let mut rest = depths.zip(counts.counted()).peekable();
    json(&Page::whole(branches(&mut rest, 0)))
}

/// The categories of a depth that come next, each with what follows under it.
fn branches<'a>(
    rest: &mut Peekable<impl Iterator<Item = (usize, Counted<'a>)>>,
    depth: usize,
) -> Vec<Branch<'a>> {
    let mut brothers = Vec::new();
    while let Some((_, category)) = rest.next_if(|(of, _)| *of == depth) {
        brothers.push(Branch {
            category,
            children: branches(rest, depth + 1),
        });
    }
    brothers
}

async fn one(
    app: &App,
    tree: &CategoryTree,
    category: &Category,
    trail: Trail,
    options: Options,
) -> Result<Reply<'static>, Problem> {
    let children = tree.children(&category.id);
    let counted = [category].into_iter().chain(children);
    let counts = Counts::look_up(app, counted, trail, options).await?;
    let body = category
        .body
        .or_make(&counts.numbers, || one_body(tree, &counts))?;
    Ok(shown(app, body, counts.trail))
}

/// The first of the counted is shown, the others are under it.
fn one_body(tree: &CategoryTree, counts: &Counts<'_>) -> Result<Bytes, Problem> {
    let mut counted = counts.counted();
    let category = counted.next().ok_or_else(Problem::internal)?;
    let path = tree.path(category.id).into_iter();
    json(&One {
        category,
        breadcrumb: path.map(Step::of).collect(),
        children: counted.collect(),
    })
}

fn shown(app: &App, body: Arc<Body>, trail: Trail) -> Reply<'static> {
    Reply::shared(body, app.keeps.of(CategoryTree::NAME), trail)
}

#[cfg(test)]
mod tests {
    use tingkat_shop::category::CategoryRow;

    use super::*;

    fn row(id: &str, parent_id: Option<&str>) -> CategoryRow {
        CategoryRow {
            id: id.parse().unwrap(),
            parent_id: parent_id.map(|id| id.parse().unwrap()),
            slug: format!("slug-{id}"),
            name: format!("\"name\" of {id}"),
            active: true,
        }
    }

    /// The longest that a number of products may be.
    fn counts<'a>(categories: impl Iterator<Item = &'a Category>) -> Counts<'a> {
        let categories: Vec<_> = categories.collect();
        Counts {
            numbers: vec![u64::MAX; categories.len()],
            categories,
            trail: Trail {
                tier: tingkat::Tier::Memory,
                stale: false,
                collapsed: false,
                stored: false,
                age: std::time::Duration::ZERO,
                searched_remote: false,
            },
        }
    }

    #[test]
    fn an_entry_is_charged_for_a_little_more_than_its_bodies_have() {
        let rows = [
            row("1", None),
            row("2", Some("1")),
            row("3", Some("2")),
            row("4", Some("2")),
            row("5", None),
        ];
        for count in 0..=rows.len() {
            let tree = CategoryTree::new(rows[..count].to_vec());
            let (whole_may, ones_may) = tree.body_bytes();
            let has = whole_body(&tree, &counts(tree.all().iter())).unwrap().len();
            let slack = 40 + 60 * count;
            assert!(
                has <= whole_may && whole_may <= has + slack,
                "{has}, charged {whole_may}"
            );
            for (category, may) in tree.all().iter().zip(ones_may) {
                let children = tree.children(&category.id);
                let counts = counts([category].into_iter().chain(children));
                let has = one_body(&tree, &counts).unwrap().len();
                let slack = 300 + 100 * tree.path(&category.id).len();
                assert!(has <= may && may <= has + slack, "{has}, charged {may}");
            }
        }
    }
}
