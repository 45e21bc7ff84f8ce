//! Which keys are warmed, and in which order: what memory held when the last node stopped, what is
//! popular by the store's own data, what customers look up, what stands on the first pages, and what
//! stands for the rest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use tingkat::error::SourceError;
use tingkat::warm::Order;
use tingkat_shop::Popularity;

use super::accesses::Accesses;

/// How little the place in a ranking matters: κ of reciprocal rank fusion (Cormack, Clarke, Büttcher:
/// Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods, SIGIR 2009).
const EASE: f64 = 60.0;

/// Of the places that are left for what is wanted, one in so many is for the first pages.
const FRONT: usize = 4;

/// Keys by entity.
pub(crate) type Keys = BTreeMap<String, Vec<String>>;

/// All that is known of what is wanted.
pub(crate) struct Orders {
    popularity: Arc<dyn Popularity>,
    accesses: Arc<Accesses>,
    remembered: Mutex<Keys>,
}

impl Orders {
    /// Of a store and its customers.
    pub(crate) fn new(popularity: Arc<dyn Popularity>, accesses: Arc<Accesses>) -> Self {
        Self {
            popularity,
            accesses,
            remembered: Mutex::default(),
        }
    }

    /// From now on these come first.
    pub(crate) fn remember(&self, keys: Keys) {
        *self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// What stands on the first pages. Who can not tell warms without it.
    async fn front(&self, entity: &str, most: usize) -> Vec<String> {
        let front = self.popularity.front(entity, most).await;
        front.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                entity,
                "it can not be told what stands on the first pages"
            );
            Vec::new()
        })
    }

    fn remembered(&self, entity: &str) -> Vec<String> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered.get(entity).cloned().unwrap_or_default()
    }
}

impl Order for Orders {
    fn top<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, SourceError>> {
        Box::pin(async move {
            let counted = self.popularity.top(entity, most).await;
            let remembered = self.remembered(entity);
            let accessed = self.accesses.top(entity, most);
            let scored = match counted {
                Ok(scored) => scored,
                // Something is better than nothing.
                Err(error) if !remembered.is_empty() || !accessed.is_empty() => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, entity, "it can not be counted what is popular");
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            let (popular, others): (Vec<_>, Vec<_>) =
                scored.into_iter().partition(|scored| scored.score > 0);
            let keys = |scored: Vec<tingkat_shop::Scored>| {
                let keys = scored.into_iter().map(|scored| scored.key);
                keys.collect::<Vec<String>>()
            };
            let wanted = fused(&[keys(popular), accessed]);
            let front = self.front(entity, most).await;
            // What the last node held says nothing of what was ordered since.
            let mut remembered = remembered.into_iter();
            let first: Vec<String> = remembered.by_ref().take(most.div_ceil(2)).collect();
            let places = most - first.len();
            let for_front = if front.is_empty() { 0 } else { places / FRONT };
            let mut order = Places::new(most);
            order.fill(first, most);
            let mut wanted = wanted.into_iter();
            order.fill(wanted.by_ref(), places - for_front);
            let mut front = front.into_iter();
            order.fill(front.by_ref(), for_front);
            for rest in [
                wanted.collect(),
                front.collect(),
                remembered.collect(),
                keys(others),
            ] {
                order.fill::<Vec<String>>(rest, most);
            }
            Ok(order.keys)
        })
    }
}

/// Places that are given away, each to another key.
struct Places {
    keys: Vec<String>,
    seen: HashSet<String>,
    most: usize,
}

impl Places {
    fn new(most: usize) -> Self {
        Self {
            keys: Vec::new(),
            seen: HashSet::new(),
            most,
        }
    }

    /// Gives up to `count` more of them to the first of these keys that have none.
    fn fill<I: IntoIterator<Item = String>>(&mut self, keys: I, count: usize) {
        let end = self.keys.len().saturating_add(count).min(self.most);
        let mut keys = keys.into_iter();
        while self.keys.len() < end
            && let Some(key) = keys.next()
        {
            if self.seen.insert(key.clone()) {
                self.keys.push(key);
            }
        }
    }
}

/// One ranking of several, whose scores can not be compared.
fn fused(rankings: &[Vec<String>]) -> Vec<String> {
    let mut scores: HashMap<&str, f64> = HashMap::new();
    for ranking in rankings {
        for (place, key) in ranking.iter().enumerate() {
            let place = f64::from(u32::try_from(place).unwrap_or(u32::MAX));
            *scores.entry(key).or_default() += 1.0 / (EASE + place);
        }
    }
    let mut keys: Vec<(&str, f64)> = scores.into_iter().collect();
    keys.sort_by(|one, two| two.1.total_cmp(&one.1).then_with(|| one.0.cmp(two.0)));
    keys.into_iter().map(|(key, _)| key.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use tingkat_shop::Scored;

    use super::*;

    /// A store whose products have these scores; it fails for others.
    struct Store(Vec<(&'static str, u64)>);

    impl Popularity for Store {
        fn top<'a>(
            &'a self,
            entity: &'a str,
            most: usize,
        ) -> BoxFuture<'a, Result<Vec<Scored>, SourceError>> {
            let scored = |(key, score): &(&str, u64)| Scored {
                key: (*key).to_owned(),
                score: *score,
            };
            let answer = match entity {
                "product" => Ok(self.0.iter().take(most).map(scored).collect()),
                _ => Err(SourceError::transient("no such table")),
            };
            Box::pin(std::future::ready(answer))
        }
    }

    fn orders(scores: &[(&'static str, u64)]) -> Orders {
        let store = Arc::new(Store(scores.to_vec()));
        Orders::new(store, Arc::new(Accesses::new(10)))
    }

    #[tokio::test]
    async fn what_memory_held_comes_first_and_what_stands_for_the_rest_last() {
        let orders = orders(&[("a", 9), ("b", 5), ("featured", 0)]);
        let product = async || orders.top("product", 10).await.unwrap();
        assert_eq!(product().await, ["a", "b", "featured"]);
        let remembered = ["z", "b"].map(str::to_owned).to_vec();
        orders.remember(Keys::from([("product".to_owned(), remembered)]));
        assert_eq!(product().await, ["z", "b", "a", "featured"]);
        assert_eq!(orders.top("product", 2).await.unwrap(), ["z", "a"]);
        orders.remember(Keys::new());
        assert_eq!(product().await, ["a", "b", "featured"]);
    }

    #[tokio::test]
    async fn what_memory_held_takes_no_more_than_half_of_the_places_from_what_is_ordered() {
        let orders = orders(&[("a", 9), ("b", 5), ("c", 4), ("featured", 0)]);
        let held: Vec<String> = (0..10).map(|n| format!("m{n}")).collect();
        orders.remember(Keys::from([("product".to_owned(), held)]));
        let top = async |most| orders.top("product", most).await.unwrap();
        assert_eq!(top(4).await, ["m0", "m1", "a", "b"]);
        assert_eq!(top(5).await, ["m0", "m1", "m2", "a", "b"]);
        // Places that no order takes are for the rest of them.
        let ten = "m0 m1 m2 m3 m4 a b c m5 m6";
        assert_eq!(top(10).await.join(" "), ten);
    }

    #[tokio::test]
    async fn an_entity_that_can_not_be_counted_is_an_error_unless_something_is_known() {
        let orders = orders(&[]);
        assert!(orders.top("basket", 10).await.is_err());
        let remembered = vec!["7".to_owned()];
        orders.remember(Keys::from([("basket".to_owned(), remembered)]));
        assert_eq!(orders.top("basket", 10).await.unwrap(), ["7"]);
    }

    /// A store with a long tail of orders and a front page.
    struct Shop;

    impl Popularity for Shop {
        fn top<'a>(
            &'a self,
            _entity: &'a str,
            most: usize,
        ) -> BoxFuture<'a, Result<Vec<Scored>, SourceError>> {
            let scored = |n: u64| Scored {
                key: format!("p{n}"),
                score: 100 - n,
            };
            let top = (0..20).map(scored).take(most).collect();
            Box::pin(std::future::ready(Ok(top)))
        }

        fn front<'a>(
            &'a self,
            entity: &'a str,
            most: usize,
        ) -> BoxFuture<'a, Result<Vec<String>, SourceError>> {
            let front = match entity {
                "product" => Ok(["p0", "f1", "f2", "f3"].map(str::to_owned).to_vec()),
                _ => Err(SourceError::transient("no such page")),
            };
            let front = front.map(|keys| keys.into_iter().take(most).collect());
            Box::pin(std::future::ready(front))
        }
    }

    #[tokio::test]
    async fn a_quarter_of_the_places_is_for_what_stands_on_the_first_pages() {
        let orders = Orders::new(Arc::new(Shop), Arc::new(Accesses::new(10)));
        let top = async |entity: &'static str, most| orders.top(entity, most).await.unwrap();
        assert_eq!(top("product", 8).await.join(" "), "p0 p1 p2 p3 p4 p5 f1 f2");
        assert_eq!(top("product", 3).await.join(" "), "p0 p1 p2");
        // Who can not tell what stands there warms without it.
        assert_eq!(top("states", 4).await.join(" "), "p0 p1 p2 p3");
        orders.remember(Keys::from([(
            "product".to_owned(),
            vec!["m".to_owned(); 1],
        )]));
        assert_eq!(
            top("product", 9).await.join(" "),
            "m p0 p1 p2 p3 p4 p5 f1 f2"
        );
    }

    #[test]
    fn what_is_high_in_both_rankings_is_above_what_is_in_one() {
        let ranking = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let rankings: [Vec<String>; 2] = [ranking(&["a", "b", "c"]), ranking(&["c", "d", "a"])];
        assert_eq!(fused(&rankings), ["a", "c", "b", "d"]);
        assert_eq!(fused(&[Vec::new(), ranking(&["x", "y"])]), ["x", "y"]);
    }
}
