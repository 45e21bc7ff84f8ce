//! What customers see first, whatever is popular: the first pages of lists, and what is on them.

use std::collections::{BTreeMap, HashSet};

use tingkat::error::SourceError;
use tingkat::key::Key;
use tingkat_shop::category::CategoryTree;
use tingkat_shop::popularity::Scored;
use tingkat_shop::product::listing::{ListingKey, Popular, Sort, Sorted};

use crate::category::CategoryListRow;
use crate::columns::Columns as _;
use crate::database::Database;
use crate::listing::PageRow;
use crate::postcode::PostcodeRow;
use crate::record::Record;
use crate::rows::{Row, Whole as _, wrong_column};
use crate::statement::{CATEGORY_LIST, POSTCODE_LIST, Statement};

/// What stands on a page unless more is asked for.
const PAGE: usize = 50;

/// Pages that one statement loads.
const PAGES: usize = 8;

/// Categories whose pages are warmed: those at the top of the tree first, then those with the most products.
const MOST_CATEGORIES: usize = 100;

/// Categories at the top whose first products are warmed.
const MOST_TOPS: usize = 12;

const FILTERS: [&str; 3] = ["", "featured=true&", "promoted=true&"];

fn page(filter: &str, sort: Sort) -> String {
    format!("{filter}sort={}", sort.name())
}

fn of_category(id: &str, sort: Sort) -> String {
    page(&format!("category={id}&"), sort)
}

/// The first pages by orders that rows decide: those of all products and of what stands on the front page
/// first.
pub(super) async fn sorted(database: &Database) -> Result<Vec<Scored>, SourceError> {
    let mut pages = FILTERS.map(|filter| page(filter, Sort::Newest)).to_vec();
    let others = [Sort::Price, Sort::PriceDescending, Sort::Name];
    pages.extend(others.map(|sort| page("", sort)));
    let categories = categories(database).await?;
    pages.extend(categories.iter().map(|id| of_category(id, Sort::Newest)));
    Ok(wanted(pages))
}

/// The first pages by popularity.
pub(super) async fn popular(database: &Database) -> Result<Vec<Scored>, SourceError> {
    let mut pages = FILTERS
        .map(|filter| page(filter, Sort::Popularity))
        .to_vec();
    let categories = categories(database).await?;
    pages.extend(
        categories
            .iter()
            .map(|id| of_category(id, Sort::Popularity)),
    );
    Ok(wanted(pages))
}

/// As they are ranked.
fn wanted(keys: Vec<String>) -> Vec<Scored> {
    let scored = |key| Scored { key, score: 1 };
    keys.into_iter().map(scored).collect()
}

/// Categories by how near to the top they are seen.
async fn categories(database: &Database) -> Result<Vec<String>, SourceError> {
    let ranked = database.categories(MOST_CATEGORIES).await?;
    let mut seen = HashSet::new();
    let all = tops(database).await?;
    let all = all.into_iter().chain(ranked.into_iter().map(|it| it.key));
    let mut all: Vec<String> = all.filter(|id| seen.insert(id.clone())).collect();
    all.truncate(MOST_CATEGORIES);
    Ok(all)
}

/// The categories at the top of the tree, in its order.
async fn tops(database: &Database) -> Result<Vec<String>, SourceError> {
    let fetched = database.fetch(&CATEGORY_LIST, None).await?;
    let rows = fetched.records.iter().map(CategoryListRow::read).collect();
    let tree = Result::and_then(rows, CategoryTree::read);
    let tree = tree.map_err(|error| wrong_column(&CATEGORY_LIST.file(), &error))?;
    let tops = tree.all().iter().filter(|it| it.parent_id.is_none());
    Ok(tops.map(|it| it.id.as_str().to_owned()).collect())
}

/// The products of the first pages: the page of the shop, what is featured, promoted and popular, the other
/// orders, and the categories at the top.
pub(super) async fn products(database: &Database) -> Result<Vec<String>, SourceError> {
    let all = |filter: &str, sort| page(filter, sort);
    let popular = on_pages::<Popular>(database, &[all("", Sort::Popularity)]).await?;
    let mut pages = FILTERS.map(|filter| all(filter, Sort::Newest)).to_vec();
    let tops = tops(database).await?;
    let tops = tops.iter().take(MOST_TOPS);
    pages.extend(tops.map(|id| of_category(id, Sort::Newest)));
    pages.extend([Sort::Price, Sort::PriceDescending, Sort::Name].map(|sort| all("", sort)));
    let sorted = on_pages::<Sorted>(database, &pages).await?;
    let mut seen = HashSet::new();
    let ids = popular.into_iter().chain(sorted);
    Ok(ids.filter(|id| seen.insert(id.clone())).collect())
}

/// What stands on these pages, page after page.
async fn on_pages<L: Row<Key = ListingKey, Columns = PageRow>>(
    database: &Database,
    pages: &[String],
) -> Result<Vec<String>, SourceError> {
    let mut ids = Vec::new();
    for pages in pages.chunks(PAGES) {
        // Those of a category whose id can not be asked for are left out.
        let keys = pages.iter().filter_map(|page| ListingKey::parse(page).ok());
        let arguments = keys.map(|key| L::argument(&key, database.weights()));
        let arguments: Result<Vec<String>, _> = arguments.collect();
        let arguments = arguments.map_err(|error| SourceError::fatal(error.to_string()))?;
        let fetched = database.fetch(&L::LOAD, Some(&arguments)).await?;
        let mut found = read(&L::LOAD, &fetched.records)?;
        for page in pages {
            let on_page = found.remove(page).unwrap_or_default();
            ids.extend(on_page.into_iter().take(PAGE));
        }
    }
    Ok(ids)
}

/// The products by page.
fn read(
    statement: &Statement,
    records: &[Record],
) -> Result<BTreeMap<String, Vec<String>>, SourceError> {
    let mut pages = BTreeMap::new();
    for record in records {
        let row = PageRow::read(record);
        let row = row.map_err(|error| wrong_column(&statement.file(), &error))?;
        let ids = row.items.0.into_iter().map(|(.., id)| id);
        pages.insert(row.key, ids.collect());
    }
    Ok(pages)
}

/// The postcodes of the first page of each state, state after state.
pub(super) async fn postcodes(database: &Database) -> Result<Vec<String>, SourceError> {
    let fetched = database.fetch(&POSTCODE_LIST, None).await?;
    let rows: Result<Vec<PostcodeRow>, _> = fetched.records.iter().map(PostcodeRow::read).collect();
    let rows = rows.map_err(|error| wrong_column(&POSTCODE_LIST.file(), &error))?;
    let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let codes = states.entry(row.state_code).or_default();
        codes.push(row.code.as_str().to_owned());
    }
    let first = states.into_values().flat_map(|mut codes| {
        codes.sort_unstable();
        codes.into_iter().take(PAGE)
    });
    Ok(first.collect())
}
