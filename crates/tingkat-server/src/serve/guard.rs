//! Guards what the promise of freshness rests on: that the change log is there, whole, and short.
//!
//! It repairs nothing. Where a table reports no changes, what is read from it lives a minute at most.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tingkat::ports::Clock;
use tingkat::registry::AnyCache;
use tingkat::{Node, Policy};
use tingkat_health::{DataState, Observed};
use tingkat_sql::{Coherence, Compaction, Database};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Policies;
use crate::exit::{Code, Failure};

/// A database that did not answer is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// While a table reports nothing, it is looked after this often.
const WARY: Duration = Duration::from_secs(10);

/// Fresh for this long and usable for as long again, together with the time between two looks, is
/// less than a minute.
const SHORT_LIFE: Duration = Duration::from_secs(20);

/// At the start nobody waits longer for a database than this.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// What listings are read from, and followed.
const LISTED: &[&str] = &["product", "product_category", "category"];

/// What each entity is read from.
const READ_FROM: &[(&str, &[&str])] = &[
    (
        "product",
        &[
            "product",
            "product_category",
            "category",
            "product_image",
            "product_variant",
        ],
    ),
    ("product.sku", &["product", "product_variant"]),
    ("product.slug", &["product"]),
    ("product.list", LISTED),
    ("product.popular", LISTED),
    ("categories", &["category"]),
    ("category.products", LISTED),
    ("postcode", &["postcode", "state"]),
    ("postcodes", &["postcode", "state"]),
    ("states", &["state"]),
];

const BY_TIME_ALONE: &str =
    "freshness is by time alone, since there is no change log that could be followed";

/// The database as it is to be served: with its change log, or without one where that is allowed.
///
/// # Errors
/// When it answers and has no change log, and that is not allowed.
pub(super) async fn first_look(
    database: Database,
    may_be_uncoherent: bool,
) -> Result<Database, Failure> {
    let look = tokio::time::timeout(FIRST_LOOK, database.coherence()).await;
    match (look, may_be_uncoherent) {
        (Ok(Ok(Coherence::Missing)), false) => Err(refusal(&database).await),
        (Ok(Ok(Coherence::Whole)), true) | (_, false) => Ok(database),
        (Ok(Ok(found)), true) => {
            tracing::warn!("{found}; {BY_TIME_ALONE}");
            Ok(database.without_change_log())
        }
        (Ok(Err(error)), true) => {
            tracing::warn!("{error}; {BY_TIME_ALONE}");
            Ok(database.without_change_log())
        }
        (Err(_), true) => {
            tracing::warn!("the database does not answer; {BY_TIME_ALONE}");
            Ok(database.without_change_log())
        }
    }
}

/// Says what is missing, the store's tables as well.
async fn refusal(database: &Database) -> Failure {
    let mut line = Coherence::Missing.to_string();
    if let Err(error) = database.check().await {
        line = format!("{line}; {error}");
    }
    Failure::new(
        Code::Configuration,
        format!("{line}; or serve with --allow-uncoherent, where prices may be an hour old"),
    )
}

/// Watches over one database and the caches in front of it.
pub(super) struct Guard {
    pub(super) database: Database,
    pub(super) node: Node,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observed: Arc<watch::Sender<Observed>>,
    /// How entities are cached unless they live short; changes under way.
    pub(super) policies: watch::Receiver<Policies>,
    /// How often it looks while all is well.
    pub(super) interval: Duration,
    /// Whether it keeps the log short as well.
    pub(super) compacts: bool,
    /// Hears why the program can not go on, before it is stopped.
    pub(super) refused: oneshot::Sender<Failure>,
    pub(super) stop: CancellationToken,
}

impl Guard {
    /// Watches until the node stops.
    pub(super) async fn watch(self) {
        if self.database.change_log().is_none() {
            let reasons = vec![BY_TIME_ALONE.to_owned()];
            self.tell(DataState::Critical { reasons });
            let stop = self.stop.clone();
            let mut policies = self.policies.clone();
            while let Some(Ok(())) = stop.run_until_cancelled(policies.changed()).await {
                let new = policies.borrow_and_update().clone();
                for cache in self.node.registry().all() {
                    renew(&*cache, &new, |policy| cache.set_policy(policy));
                }
            }
            return;
        }
        let stop = self.stop.clone();
        let mut watch = Watch {
            policies: self.policies.clone(),
            guard: &self,
            was_there: false,
            usual: HashMap::new(),
            to_expire: HashSet::new(),
        };
        let refused = stop.run_until_cancelled(watch.go_on()).await;
        if let Some(failure) = refused {
            // Nobody hears it where the program ends already.
            let _ = self.refused.send(failure);
            stop.cancel();
        }
    }

    fn tell(&self, data: DataState) {
        let is_new = self.observed.borrow().data != data;
        if !is_new {
            return;
        }
        match &data {
            DataState::Critical { reasons } => {
                tracing::error!("data is at risk: {}", reasons.join("; "));
            }
            DataState::Whole => tracing::info!("the change log is whole"),
            DataState::Unknown => {}
        }
        self.observed.send_modify(|observed| observed.data = data);
    }
}

struct Watch<'a> {
    guard: &'a Guard,
    policies: watch::Receiver<Policies>,
    /// The log was there once, so that its loss is no reason to stop.
    was_there: bool,
    /// The policies of entities that live short at the moment.
    usual: HashMap<&'static str, Arc<Policy>>,
    /// Entities of which something may have been loaded too long ago, or at the wrong time.
    to_expire: HashSet<&'static str>,
}

impl Watch<'_> {
    /// Watches until there is a reason to stop the program.
    async fn go_on(&mut self) -> Failure {
        loop {
            let pause = match self.look().await {
                Ok(pause) => pause,
                Err(failure) => return failure,
            };
            self.rest(pause).await;
        }
    }

    /// Waits, and obeys whoever changes policies meanwhile.
    async fn rest(&mut self, pause: Duration) {
        let mut sleep = self.guard.clock.sleep(pause);
        loop {
            tokio::select! {
                () = &mut sleep => return,
                Ok(()) = self.policies.changed() => self.renew(),
            }
        }
    }

    /// Takes over new policies; what lives short goes on to, and has the new one afterwards.
    fn renew(&mut self) {
        let new = self.policies.borrow_and_update().clone();
        for cache in self.guard.node.registry().all() {
            let usual = self.usual.get_mut(cache.name());
            renew(&*cache, &new, |policy| match usual {
                Some(usual) => {
                    cache.set_policy(short(&policy));
                    *usual = Arc::new(policy);
                }
                None => cache.set_policy(policy),
            });
        }
    }

    /// Looks once; when to look again.
    async fn look(&mut self) -> Result<Duration, Failure> {
        let database = &self.guard.database;
        let (data, tables) = match database.coherence().await {
            Ok(Coherence::Missing) if !self.was_there => return Err(refusal(database).await),
            Ok(Coherence::Whole) => (DataState::Whole, Vec::new()),
            Ok(Coherence::Incomplete(reasons)) => {
                // Which tables report nothing is not known: as long as it is not, lives stay as short
                // as they are, and are looked at again soon.
                let Ok(report) = database.check_triggers().await else {
                    self.was_there = true;
                    self.let_go().await;
                    self.guard.tell(DataState::Critical { reasons });
                    return Ok(RETRY);
                };
                (DataState::Critical { reasons }, report.missing)
            }
            Ok(other) => {
                let reasons = vec![other.to_string()];
                (DataState::Critical { reasons }, Vec::new())
            }
            // That it is not reached is told by others; until then everything stays as it is.
            Err(error) => {
                tracing::debug!("failed to look at the change log: {error}");
                self.let_go().await;
                return Ok(RETRY);
            }
        };
        self.was_there = true;
        self.trust_all_but(&tables);
        self.let_go().await;
        self.guard.tell(data);
        if self.guard.compacts {
            self.compact().await;
        }
        let is_calm = self.usual.is_empty() && self.to_expire.is_empty();
        let pause = if is_calm { Duration::MAX } else { WARY };
        Ok(pause.min(self.guard.interval))
    }

    /// Shortens the lives of what is read from tables that report nothing, and restores the others.
    fn trust_all_but(&mut self, tables: &[String]) {
        for cache in self.guard.node.registry().all() {
            let own = self.guard.database.queries().tables_of(cache.name());
            let is_at_risk = reads(cache.name(), own, tables);
            if is_at_risk && !self.usual.contains_key(cache.name()) {
                let usual = cache.policy();
                cache.set_policy(short(&usual));
                self.usual.insert(cache.name(), usual);
                // What was loaded when lives were long.
                self.to_expire.insert(cache.name());
            }
            if !is_at_risk && let Some(usual) = self.usual.remove(cache.name()) {
                cache.set_policy(Policy::clone(&usual));
                // What changed unnoticed before the triggers came back.
                self.to_expire.insert(cache.name());
            }
        }
    }

    /// Lets go of what has lived its short life, and refuses what must not live on.
    async fn let_go(&mut self) {
        for cache in self.guard.node.registry().all() {
            if self.usual.contains_key(cache.name()) {
                cache.sweep();
            }
            if self.to_expire.contains(cache.name()) {
                match cache.expire_all().await {
                    Ok(()) => drop(self.to_expire.remove(cache.name())),
                    Err(error) => tracing::debug!(
                        entity = cache.name(),
                        "failed to end the lives of entries: {error}"
                    ),
                }
            }
        }
    }

    async fn compact(&self) {
        match self.guard.database.compact().await {
            Ok(Compaction::Folded(rows)) => tracing::debug!(rows, "the change log is compacted"),
            Ok(_) => {}
            // The log grows until it succeeds; the next node may.
            Err(error) => tracing::warn!("failed to compact the change log: {error}"),
        }
    }
}

/// Hands the new policy of a cache over. The room in memory is given once, when it is built.
fn renew(cache: &dyn AnyCache, new: &Policies, take: impl FnOnce(Policy)) {
    new.set_mode(cache);
    if let Some(policy) = new.policy(cache.name()) {
        take(Policy {
            memory_bytes: cache.policy().memory_bytes,
            ..policy.clone()
        });
    }
}

fn short(usual: &Policy) -> Policy {
    Policy {
        fresh_for: usual.fresh_for.min(SHORT_LIFE),
        stale_for: usual.stale_for.min(SHORT_LIFE),
        absent_for: usual.absent_for.min(SHORT_LIFE),
        ..usual.clone()
    }
}

/// Whether one of these tables is read for an entity; `own` are those of an entity of the operator's.
fn reads(entity: &str, own: Option<&[String]>, tables: &[String]) -> bool {
    let known = READ_FROM.iter().find(|(name, _)| *name == entity);
    tables.iter().any(|table| {
        let is_ours = READ_FROM.iter().any(|(_, from)| from.contains(&&**table));
        match (own, known) {
            (Some(own), _) => own.iter().any(|own| own == bare(table)),
            // A table of somebody's own schema may be read for anything.
            (None, Some((_, from))) => !is_ours || from.contains(&&**table),
            (None, None) => true,
        }
    })
}

/// The name of a table without its schema; what the configuration names has no points or quotes in it.
fn bare(table: &str) -> &str {
    let name = table.rsplit('.').next().unwrap_or(table);
    name.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_risk(table: &str) -> Vec<&'static str> {
        let tables = [table.to_owned()];
        let names = READ_FROM.iter().map(|(name, _)| *name);
        names.filter(|name| reads(name, None, &tables)).collect()
    }

    #[test]
    fn a_table_puts_at_risk_what_is_read_from_it() {
        assert_eq!(at_risk("product_image"), ["product"]);
        assert_eq!(
            at_risk("product_category"),
            [
                "product",
                "product.list",
                "product.popular",
                "category.products"
            ]
        );
        assert_eq!(at_risk("product_variant"), ["product", "product.sku"]);
        assert_eq!(at_risk("state"), ["postcode", "postcodes", "states"]);
        assert_eq!(at_risk("Products").len(), READ_FROM.len());
        assert!(reads("basket", None, &["state".to_owned()]));
        assert!(!reads("product", None, &[]));
    }

    #[test]
    fn an_entity_of_the_operator_is_read_from_the_tables_that_he_names() {
        let own = ["shipping_rate".to_owned(), "Zones".to_owned()];
        for (table, is_at_risk) in [
            ("shipping_rate", true),
            ("shop.shipping_rate", true),
            ("shop.\"Zones\"", true),
            ("product", false),
            ("shipping", false),
        ] {
            let tables = ["state".to_owned(), table.to_owned()];
            assert_eq!(
                reads("shipping_rate", Some(&own), &tables),
                is_at_risk,
                "{table}"
            );
        }
    }

    #[test]
    fn a_short_life_ends_within_a_minute() {
        let policy = short(&Policy::default());
        let most = policy.fresh_for + policy.stale_for + WARY;
        assert!(most < Duration::from_mins(1));
        let brief = Policy {
            fresh_for: Duration::from_secs(1),
            ..Policy::default()
        };
        assert_eq!(short(&brief).fresh_for, brief.fresh_for);
    }
}
