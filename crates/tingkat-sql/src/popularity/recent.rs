//! A ranking that was counted a moment ago: who warms asks for products, their skus and their slugs, which
//! are one and the same count.

use std::time::Duration;

use tingkat::clock::SystemClock;
use tingkat::error::SourceError;
use tingkat::ports::{Clock as _, Tick};
use tokio::sync::Mutex;

use super::ProductRankRow;

/// It is counted anew after this long.
const LIFE: Duration = Duration::from_secs(10);

/// The last ranking of products.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Option<Counted>>);

struct Counted {
    at: Tick,
    most: usize,
    ranking: Vec<ProductRankRow>,
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

impl Recent {
    /// The first `most` of the last ranking, or else of one that `counts`. Who comes meanwhile waits for
    /// the same.
    pub(super) async fn products(
        &self,
        most: usize,
        counts: impl Future<Output = Result<Vec<ProductRankRow>, SourceError>>,
    ) -> Result<Vec<ProductRankRow>, SourceError> {
        let mut last = self.0.lock().await;
        let now = SystemClock.now();
        let known = last.as_ref();
        let known = known.filter(|it| it.most >= most && now.since(it.at) < LIFE);
        if let Some(known) = known {
            return Ok(known.ranking.iter().take(most).cloned().collect());
        }
        // Whatever comes of it, what was known is too old.
        *last = None;
        let ranking = counts.await?;
        *last = Some(Counted {
            at: SystemClock.now(),
            most,
            ranking: ranking.clone(),
        });
        Ok(ranking)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::columns::Json;

    fn ranking(count: usize) -> Vec<ProductRankRow> {
        let row = |n: usize| ProductRankRow {
            key: n.to_string(),
            score: 1,
            sku: String::new(),
            slug: String::new(),
            variant_skus: Json(Vec::new()),
        };
        (0..count).map(row).collect()
    }

    #[tokio::test]
    async fn it_is_counted_once_unless_more_is_wanted_or_it_failed() {
        let (recent, counts) = (Recent::default(), Cell::new(0));
        let ask = async |most: usize| {
            let count = async {
                counts.set(counts.get() + 1);
                Ok(ranking(most))
            };
            recent.products(most, count).await.unwrap().len()
        };
        assert_eq!((ask(5).await, ask(3).await, ask(5).await), (5, 3, 5));
        assert_eq!(counts.get(), 1);
        assert_eq!((ask(9).await, counts.get()), (9, 2));
        let fails = async { Err(SourceError::transient("no database")) };
        assert!(recent.products(20, fails).await.is_err());
        assert_eq!((ask(9).await, counts.get()), (9, 3));
    }
}
