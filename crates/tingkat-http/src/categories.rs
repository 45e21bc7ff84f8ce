//! `GET /v1/categories`: the tree, or one by its slug. `GET /v1/categories/{id}`: one of them, with the
//! way to it and what is right under it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use tingkat::entity::Entity as _;
use tingkat::{Answer, Options, Trail};
use tingkat_shop::category::{Category, CategoryId, CategoryTree};

use crate::app::App;
use crate::cache_status::together;
use crate::demand::Demand;
use crate::paging::Page;
use crate::problem::{Code, Problem};
use crate::products::category_id;
use crate::query::{self, Query};
use crate::reply::{Keep, Reply};

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
    of: HashMap<&'a CategoryId, u64>,
    trail: Trail,
}

impl<'a> Counts<'a> {
    async fn look_up(
        app: &App,
        categories: impl Iterator<Item = &'a Category>,
        trail: Trail,
        options: Options,
    ) -> Result<Self, Problem> {
        let (ids, keys): (Vec<&CategoryId>, Vec<CategoryId>) = categories
            .map(|category| (&category.id, category.id.clone()))
            .unzip();
        let answers = app.shop.categories.counts(&keys, options).await?;
        let counts = answers
            .iter()
            .map(|answer| answer.value().map_or(0, |count| count.0));
        let trails = answers.iter().map(Answer::trail);
        Ok(Self {
            of: ids.into_iter().zip(counts).collect(),
            trail: together(trails.chain([trail])).unwrap_or(trail),
        })
    }

    fn counted(&self, category: &'a Category) -> Counted<'a> {
        Counted {
            id: &category.id,
            parent_id: category.parent_id.as_ref(),
            slug: &category.slug,
            name: &category.name,
            products: self.of.get(&category.id).copied().unwrap_or_default(),
        }
    }
}

async fn whole(
    app: &App,
    tree: &CategoryTree,
    trail: Trail,
    options: Options,
) -> Result<Reply<'static>, Problem> {
    let counts = Counts::look_up(app, tree.all().iter(), trail, options).await?;
    let body = Page::whole(branches(&mut tree.all().iter().peekable(), 0, &counts));
    Reply::found(&body, app.keeps.of(CategoryTree::NAME), counts.trail)
}

/// The categories of a depth that come next, each with what follows under it.
fn branches<'a>(
    rest: &mut std::iter::Peekable<std::slice::Iter<'a, Category>>,
    depth: usize,
    counts: &Counts<'a>,
) -> Vec<Branch<'a>> {
    let mut brothers = Vec::new();
    while let Some(category) = rest.next_if(|category| category.depth == depth) {
        brothers.push(Branch {
            category: counts.counted(category),
            children: branches(rest, depth + 1, counts),
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
    let counted = children.iter().copied().chain([category]);
    let counts = Counts::look_up(app, counted, trail, options).await?;
    let path = tree.path(&category.id).into_iter();
    let body = One {
        category: counts.counted(category),
        breadcrumb: path.map(Step::of).collect(),
        children: children.iter().map(|child| counts.counted(child)).collect(),
    };
    Reply::found(&body, app.keeps.of(CategoryTree::NAME), counts.trail)
}
