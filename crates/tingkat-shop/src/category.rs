//! Categories: a tree that products are sorted into.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tingkat::certificate::Dep;
use tingkat::entity::Entity;
use tingkat::error::GetError;
use tingkat::policy::Policy;
use tingkat::{Answer, Cache, Options};

use crate::all::All;
use crate::body::{self, KeptWith};
use crate::name::names;

names! {
    /// What a category is referred to by, for ever.
    CategoryId, "a category id", 64, "letters, digits, `-` or `_`",
        |character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
}

/// Categories that lie deeper are not shown; no menu of a shop does either.
const DEEPEST: usize = 32;

/// A category as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryRow {
    /// Its id.
    pub id: CategoryId,
    /// The one that it is under; nothing at the top.
    pub parent_id: Option<CategoryId>,
    /// Its page.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether it is shown, with what is under it.
    pub active: bool,
}

/// A category that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// The one that it is under; nothing at the top.
    pub parent_id: Option<CategoryId>,
    /// Its page.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// How many are above it.
    pub depth: usize,
    /// What it is answered with by itself.
    #[serde(skip)]
    pub body: KeptWith,
}

/// All categories that are shown, each followed by what is under it; brothers by their names. They
/// are cached as one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CategoryTree {
    categories: Vec<Category>,
    /// What it is answered with.
    #[serde(skip)]
    pub body: KeptWith,
}

/// What a category has in a body besides what is stored of it, the names of the members included:
/// `products`, `children`, `breadcrumb`.
const MORE_JSON: usize = 80;

/// What a list of them has around them.
const LIST_JSON: usize = 30;

impl CategoryTree {
    /// The tree of these categories. One whose parent is not shown is not shown either.
    pub fn new(rows: impl IntoIterator<Item = CategoryRow>) -> Self {
        let mut under: HashMap<Option<CategoryId>, Vec<CategoryRow>> = HashMap::new();
        for row in rows.into_iter().filter(|row| row.active) {
            under.entry(row.parent_id.clone()).or_default().push(row);
        }
        for brothers in under.values_mut() {
            // The last one is taken first.
            brothers.sort_by(|one, other| (&other.name, &other.id).cmp(&(&one.name, &one.id)));
        }
        let mut tree = Vec::new();
        let mut path = vec![under.remove(&None).unwrap_or_default()];
        while let Some(brothers) = path.last_mut() {
            let Some(row) = brothers.pop() else {
                path.pop();
                continue;
            };
            let depth = path.len() - 1;
            if depth < DEEPEST {
                path.push(under.remove(&Some(row.id.clone())).unwrap_or_default());
            }
            tree.push(Category {
                id: row.id,
                parent_id: row.parent_id,
                slug: row.slug,
                name: row.name,
                depth,
                body: KeptWith::default(),
            });
        }
        Self {
            categories: tree,
            body: KeptWith::default(),
        }
    }

    /// All of them, each followed by what is under it.
    pub fn all(&self) -> &[Category] {
        &self.categories
    }

    /// The category with an id.
    pub fn find(&self, id: &CategoryId) -> Option<&Category> {
        self.categories.iter().find(|category| category.id == *id)
    }

    /// The category whose page is called so.
    pub fn by_slug(&self, slug: &str) -> Option<&Category> {
        self.categories
            .iter()
            .find(|category| category.slug == slug)
    }

    /// What is right under a category, ordered by name.
    pub fn children(&self, id: &CategoryId) -> Vec<&Category> {
        let is_child = |child: &&Category| child.parent_id.as_ref() == Some(id);
        self.categories.iter().filter(is_child).collect()
    }

    /// The way to a category: from the top to itself.
    pub fn path(&self, id: &CategoryId) -> Vec<&Category> {
        let mut path: Vec<&Category> = Vec::new();
        let end = self
            .categories
            .iter()
            .position(|category| category.id == *id);
        let before = end
            .and_then(|end| self.categories.get(..=end))
            .unwrap_or_default();
        for category in before.iter().rev() {
            if path.last().is_none_or(|below| category.depth < below.depth) {
                path.push(category);
            }
        }
        path.reverse();
        path
    }

    /// How long its bodies may be: that of the tree, and those of its categories, each with the way to
    /// it and what is right under it.
    pub fn body_bytes(&self) -> (usize, Vec<usize>) {
        let each: Vec<usize> = self
            .categories
            .iter()
            .map(|category| body::json_bytes(category) + MORE_JSON)
            .collect();
        let mut ones = each.clone();
        let mut way: Vec<usize> = Vec::new();
        for (index, (category, bytes)) in self.categories.iter().zip(&each).enumerate() {
            way.truncate(category.depth);
            let parent = way.last().copied();
            way.push(index);
            let steps: usize = way.iter().filter_map(|step| each.get(*step)).sum();
            if let Some(one) = ones.get_mut(index) {
                *one += steps;
            }
            if let Some(one) = parent.and_then(|parent| ones.get_mut(parent)) {
                *one += bytes;
            }
        }
        (each.iter().sum::<usize>() + LIST_JSON, ones)
    }
}

impl Entity for CategoryTree {
    const NAME: &'static str = "categories";
    const SCHEMA: u32 = 1;
    type Key = All;

    fn policy() -> Policy {
        Policy {
            memory_bytes: 8 << 20,
            // One list needs one load; the other is for a refresh.
            max_loads: 2,
            ..Policy::default()
        }
    }

    /// The set that it enumerates, which every write to a category changes, and all categories, for
    /// an operator who forgets them.
    fn deps(&self) -> Vec<Dep> {
        vec![Dep::new("categories.tree"), Dep::of_entity("category")]
    }

    fn memory_size(&self) -> usize {
        let texts = |category: &Category| {
            let parent = category.parent_id.as_ref();
            category.id.as_str().len()
                + parent.map_or(0, |parent| parent.as_str().len())
                + category.slug.capacity()
                + category.name.capacity()
        };
        let texts: usize = self.categories.iter().map(texts).sum();
        let (whole, ones) = self.body_bytes();
        // Each is kept with the counts that it shows: of the tree all, of a category its own and those
        // right under it.
        let numbers = 3 * self.categories.len() * size_of::<u64>();
        let bodies: usize = ones.into_iter().chain([whole]).map(body::charge).sum();
        size_of::<Self>()
            + self.categories.capacity() * size_of::<Category>()
            + texts
            + numbers
            + bodies
    }
}

/// How many products are on sale in a category and what is under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryCount(pub u64);

impl Entity for CategoryCount {
    const NAME: &'static str = "category.products";
    const SCHEMA: u32 = 1;
    type Key = CategoryId;

    fn policy() -> Policy {
        Policy {
            fresh_for: Duration::from_hours(1),
            memory_bytes: 4 << 20,
            max_loads: 2,
            ..Policy::default()
        }
    }

    fn deps(&self) -> Vec<Dep> {
        of_listing()
    }

    fn memory_size(&self) -> usize {
        size_of::<Self>()
    }
}

/// What everything depends on that enumerates products on sale: which there are, and how the
/// categories lie.
pub(crate) fn of_listing() -> Vec<Dep> {
    vec![Dep::new("products.list"), Dep::new("categories.tree")]
}

/// What something depends on besides that enumerates the products of categories: who is in them.
/// Their rows are there as tags, by which an operator forgets.
pub fn of_members(categories: &[String]) -> impl Iterator<Item = Dep> {
    let deps = |id: &String| ["category.members", "category"].map(|entity| Dep::of_key(entity, id));
    categories.iter().flat_map(deps)
}

/// Look-ups of categories.
#[derive(Clone, Debug)]
pub struct Categories {
    tree: Cache<All, CategoryTree>,
    counts: Cache<CategoryId, CategoryCount>,
}

impl Categories {
    pub(crate) const fn new(
        tree: Cache<All, CategoryTree>,
        counts: Cache<CategoryId, CategoryCount>,
    ) -> Self {
        Self { tree, counts }
    }

    /// All categories that are shown.
    ///
    /// # Errors
    /// As [`Cache::look_up`].
    pub async fn tree(&self, options: Options) -> Result<Answer<CategoryTree>, GetError> {
        let answer = self.tree.look_up(&All, options).await?;
        Ok(answer.or_else(|| Arc::new(CategoryTree::default())))
    }

    /// How many products are on sale in each of these and what is under it, in their order.
    ///
    /// # Errors
    /// As [`Cache::look_up`], if one of them can not be had.
    pub async fn counts(
        &self,
        ids: &[CategoryId],
        options: Options,
    ) -> Result<Vec<Answer<CategoryCount>>, GetError> {
        let answers = self.counts.look_up_many(ids, options).await;
        answers.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, parent_id: &str, name: &str) -> CategoryRow {
        CategoryRow {
            id: id.parse().unwrap(),
            parent_id: (!parent_id.is_empty()).then(|| parent_id.parse().unwrap()),
            slug: format!("slug-{id}"),
            name: name.into(),
            active: true,
        }
    }

    fn rows() -> Vec<CategoryRow> {
        vec![
            row("3", "1", "Cups"),
            row("4", "2", "Lamps"),
            row("2", "", "Home"),
            row("1", "", "Kitchen"),
            row("5", "3", "Big cups"),
            row("6", "1", "Bowls"),
        ]
    }

    fn ids<'a>(categories: impl IntoIterator<Item = &'a Category>) -> Vec<&'a str> {
        let ids = categories.into_iter().map(|category| category.id.as_str());
        ids.collect()
    }

    #[test]
    fn each_category_is_followed_by_what_is_under_it() {
        let tree = CategoryTree::new(rows());
        assert_eq!(ids(tree.all()), ["2", "4", "1", "6", "3", "5"]);
        let depths: Vec<usize> = tree.all().iter().map(|category| category.depth).collect();
        assert_eq!(depths, [0, 1, 0, 1, 1, 2]);
        assert_eq!(ids(tree.children(&"1".parse().unwrap())), ["6", "3"]);
        assert_eq!(ids(tree.path(&"5".parse().unwrap())), ["1", "3", "5"]);
        assert_eq!(ids(tree.path(&"2".parse().unwrap())), ["2"]);
        assert_eq!(ids(tree.path(&"9".parse().unwrap())), [""; 0]);
        assert_eq!(ids(tree.by_slug("slug-6")), ["6"]);
    }

    #[test]
    fn what_is_under_a_hidden_category_is_hidden() {
        let mut rows = rows();
        for row in &mut rows {
            row.active = row.id.as_str() != "3";
        }
        // A parent that is not there, and two that are each other's.
        rows.extend([
            row("7", "99", "Lost"),
            row("8", "9", "A"),
            row("9", "8", "B"),
        ]);
        assert_eq!(ids(CategoryTree::new(rows).all()), ["2", "4", "1", "6"]);
    }

    #[test]
    fn a_tree_that_is_too_deep_is_cut() {
        let chain = (0..100).map(|depth: usize| {
            let parent = depth
                .checked_sub(1)
                .map_or(String::new(), |id| id.to_string());
            row(&depth.to_string(), &parent, "any")
        });
        let tree = CategoryTree::new(chain);
        assert_eq!(tree.all().len(), DEEPEST + 1);
    }
}
