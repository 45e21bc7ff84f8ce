//! Which keys are warmed, and in which order: what memory held when the last node stopped, what is
//! popular by the store's own data, what customers look up, and what stands for the rest.

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
            // What the last node held says nothing of what was ordered since.
            let mut remembered = remembered.into_iter();
            let first: Vec<String> = remembered.by_ref().take(most.div_ceil(2)).collect();
            let all = first.into_iter().chain(wanted);
            let all = all.chain(remembered).chain(keys(others));
            let mut seen = HashSet::new();
            Ok(all
                .filter(|key| seen.insert(key.clone()))
                .take(most)
                .collect())
        })
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

    #[test]
    fn what_is_high_in_both_rankings_is_above_what_is_in_one() {
        let ranking = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let rankings: [Vec<String>; 2] = [ranking(&["a", "b", "c"]), ranking(&["c", "d", "a"])];
        assert_eq!(fused(&rankings), ["a", "c", "b", "d"]);
        assert_eq!(fused(&[Vec::new(), ranking(&["x", "y"])]), ["x", "y"]);
    }
}
