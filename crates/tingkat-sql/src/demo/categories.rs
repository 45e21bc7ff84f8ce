//! The tree of categories, and which of them a product's name speaks of.
//!
//! `data/categories.csv` has one leaf per line with the words that lead to it. Longer phrases are
//! looked for first and use their words up: "tea towel" is linen and not tea. Weak words, such as a
//! motif or a material, count only where no other word does.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::names::slug;
use super::retail::records;

const CATEGORIES: &str = include_str!("../../data/categories.csv");

/// A product is in no more than this many.
const MOST: usize = 3;

/// Where a product belongs whose name says nothing.
const CATCH_ALL: &str = "More";

/// A row of `category`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct CategoryRow {
    pub id: String,
    pub parent_id: Option<String>,
    pub slug: String,
    pub name: String,
}

#[derive(Deserialize)]
struct Record {
    root: String,
    category: String,
    words: String,
    weak_words: String,
}

/// Two levels of categories, and the words that lead to the lower one.
pub(super) struct Categories {
    /// Roots before their leaves.
    rows: Vec<CategoryRow>,
    phrases: HashMap<Vec<String>, Leaf>,
    longest: usize,
}

#[derive(Clone, Copy)]
struct Leaf {
    /// Its place in `rows`.
    place: usize,
    is_weak: bool,
}

impl Categories {
    pub(super) fn read() -> Self {
        let mut categories = Self {
            rows: Vec::new(),
            phrases: HashMap::new(),
            longest: 0,
        };
        for record in records::<Record>(CATEGORIES) {
            let root = match categories.rows.iter().find(|row| row.name == record.root) {
                Some(root) => root.id.clone(),
                None => categories.add(&record.root, None),
            };
            categories.add(&record.category, Some(root));
            let place = categories.rows.len() - 1;
            categories.lead(
                &record.words,
                Leaf {
                    place,
                    is_weak: false,
                },
            );
            categories.lead(
                &record.weak_words,
                Leaf {
                    place,
                    is_weak: true,
                },
            );
        }
        categories.add(CATCH_ALL, None);
        categories
    }

    /// Adds a category and gives its id.
    fn add(&mut self, name: &str, parent_id: Option<String>) -> String {
        let id = format!("c{}", self.rows.len() + 1);
        self.rows.push(CategoryRow {
            id: id.clone(),
            parent_id,
            slug: slug(name),
            name: name.into(),
        });
        id
    }

    fn lead(&mut self, phrases: &str, leaf: Leaf) {
        for phrase in phrases.split('|').filter(|phrase| !phrase.is_empty()) {
            let words = words(phrase);
            self.longest = self.longest.max(words.len());
            self.phrases.insert(words, leaf);
        }
    }

    /// The categories of a product with this name, in the order of the table; at least one.
    pub(super) fn of(&self, name: &str) -> Vec<&CategoryRow> {
        let mut strong = BTreeSet::new();
        let mut weak = BTreeSet::new();
        // `None` where a longer phrase has used the word up.
        let mut words: Vec<Option<String>> = words(name).into_iter().map(Some).collect();
        for length in (1..=self.longest).rev() {
            for start in 0..words.len() {
                let Some(window) = words.get_mut(start..start + length) else {
                    break;
                };
                let phrase: Option<Vec<String>> = window.iter().cloned().collect();
                let leaf = phrase.and_then(|phrase| self.phrases.get(&phrase));
                if let Some(leaf) = leaf {
                    window.fill(None);
                    if leaf.is_weak { &mut weak } else { &mut strong }.insert(leaf.place);
                }
            }
        }
        let catch_all = self.rows.len().saturating_sub(1);
        let places = if strong.is_empty() { weak } else { strong };
        let places = if places.is_empty() {
            BTreeSet::from([catch_all])
        } else {
            places
        };
        places
            .into_iter()
            .take(MOST)
            .filter_map(|place| self.rows.get(place))
            .collect()
    }

    pub(super) fn into_rows(self) -> Vec<CategoryRow> {
        self.rows
    }
}

/// The words of a text in small letters, without the plural's s.
fn words(text: &str) -> Vec<String> {
    text.split(|character: char| !character.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let word = word.to_ascii_lowercase();
            match word.strip_suffix('s') {
                Some(singular) if singular.len() > 2 && !singular.ends_with('s') => singular.into(),
                _ => word,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(product: &str) -> Vec<String> {
        Categories::read()
            .of(product)
            .iter()
            .map(|row| row.name.clone())
            .collect()
    }

    #[test]
    fn a_longer_phrase_uses_its_words_up() {
        assert_eq!(names("SET/2 RED RETROSPOT TEA TOWELS"), ["Kitchen Linen"]);
        assert_eq!(names("PINK POLKADOT CUP"), ["Mugs & Cups"]);
        assert_eq!(names("WHITE EGG CUP"), ["Tableware"]);
    }

    #[test]
    fn a_motif_counts_only_alone() {
        assert_eq!(names("PINK HEART BRACELET"), ["Jewellery"]);
        assert_eq!(names("PINK HEART"), ["Decorations"]);
    }

    #[test]
    fn a_name_that_says_nothing_is_in_more() {
        assert_eq!(names("CLAM SHELL SMALL"), ["More"]);
    }

    #[test]
    fn the_tree_has_two_levels_and_no_name_twice() {
        let rows = Categories::read().into_rows();
        let roots: BTreeSet<&str> = rows
            .iter()
            .filter(|row| row.parent_id.is_none())
            .map(|row| row.id.as_str())
            .collect();
        assert!(
            rows.iter()
                .filter_map(|row| row.parent_id.as_deref())
                .all(|id| roots.contains(id))
        );
        let slugs: BTreeSet<&str> = rows.iter().map(|row| row.slug.as_str()).collect();
        assert_eq!(slugs.len(), rows.len());
    }

    /// A word that leads to two places leads to the later one only, and the table would lie.
    #[test]
    fn every_word_of_the_table_leads_to_one_place() {
        let mut seen = BTreeSet::new();
        for record in records::<Record>(CATEGORIES) {
            let all = [record.words.as_str(), record.weak_words.as_str()].join("|");
            for phrase in all.split('|').filter(|phrase| !phrase.is_empty()) {
                assert!(seen.insert(words(phrase)), "{phrase}");
            }
        }
    }
}
