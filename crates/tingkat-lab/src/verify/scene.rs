//! What there is to judge, and by what: nodes, probes, and what may be done to them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use secrecy::SecretString;
use serde_json::Value;
use tingkat_faults::Control;

use super::end::{End, skipped};
use super::node::Node;
use super::ports::{RedisProbe, StoreProbe, StoredProduct};

/// Something that may not be there, with the reason why.
pub type Lack<T> = Result<T, String>;

/// Products are tried out in numbers like this.
const SOME: usize = 24;

/// An installation, and the ways to look at it.
pub struct Scene {
    /// What its scratch rows are called after: a few letters and digits that no other run has.
    pub run: String,
    /// The nodes under judgement.
    pub nodes: Vec<Node>,
    /// Whether they were started for this run, so that nobody else asks them.
    pub are_ours: bool,
    /// A further node of this run beside nodes that were there before.
    pub helper: Lack<Node>,
    /// A node of this run whose Redis is behind a proxy.
    pub failing: Lack<Failing>,
    /// The database by another path.
    pub store: Lack<Arc<dyn StoreProbe>>,
    /// Redis by another path.
    pub redis: Lack<Arc<dyn RedisProbe>>,
    /// What keys of this run begin with.
    pub scratch_prefix: String,
    /// What the keys of the first node begin with, if that is known.
    pub prefix: Lack<String>,
    /// What is wrong with the configuration.
    pub problems: Lack<Vec<String>>,
    /// Nothing may be written.
    pub is_read_only: bool,
    /// What no answer may show, each with what it is.
    pub secrets: Vec<(String, SecretString)>,
    /// Whether the configuration here has a schedule by which the nodes warm.
    pub has_schedule: bool,
    /// What a request may spend on Redis.
    pub budget: Duration,
    pub(crate) made: Made,
}

/// A node whose Redis can be taken away from it.
pub struct Failing {
    /// The node. Its keys begin with the scratch prefix.
    pub node: Node,
    /// What is between it and Redis.
    pub proxy: Control,
}

/// What was written so far.
#[derive(Debug, Default)]
pub(crate) struct Made {
    products: AtomicUsize,
    has_keys: AtomicBool,
}

impl Scene {
    /// Nodes that anybody could ask, and nothing else.
    pub fn new(run: impl Into<String>, nodes: Vec<Node>) -> Self {
        let unknown = || "no configuration is given".to_owned();
        let run = run.into();
        Self {
            scratch_prefix: format!("verify:{run}:"),
            run,
            nodes,
            are_ours: false,
            helper: Err(unknown()),
            failing: Err(unknown()),
            store: Err(unknown()),
            redis: Err(unknown()),
            prefix: Err(unknown()),
            problems: Err(unknown()),
            is_read_only: false,
            secrets: Vec::new(),
            has_schedule: false,
            budget: Duration::from_millis(50),
            made: Made::default(),
        }
    }

    /// Waits, for so long at most, until every node has reached what it needs, or knows that it can not.
    pub async fn settles(&self, within: Duration) {
        let nodes = self.everywhere().into_iter();
        let nodes = nodes.chain(self.failing.as_ref().ok().map(|it| &it.node));
        join_all(nodes.map(|node| node.settles(within))).await;
    }

    /// The node that is asked what all of them have to tell alike.
    pub(crate) fn first(&self) -> Result<&Node, End> {
        let first = self.nodes.first();
        first.ok_or_else(|| End::Skipped("there is no node".to_owned()))
    }

    /// The nodes under judgement, and those of this run.
    pub(crate) fn everywhere(&self) -> Vec<&Node> {
        self.nodes.iter().chain(self.helper.as_ref()).collect()
    }

    pub(crate) fn store(&self) -> Result<&dyn StoreProbe, End> {
        match &self.store {
            Ok(store) => Ok(&**store),
            Err(why) => skipped(format!("the database is not read: {why}")),
        }
    }

    pub(crate) fn redis(&self) -> Result<&dyn RedisProbe, End> {
        match &self.redis {
            Ok(redis) => Ok(&**redis),
            Err(why) => skipped(format!("Redis is not read: {why}")),
        }
    }

    pub(crate) fn failing(&self) -> Result<&Failing, End> {
        match &self.failing {
            Ok(failing) => Ok(failing),
            Err(why) => skipped(format!("no node is started for this: {why}")),
        }
    }

    /// A node of this run that writes into Redis, and one that reads what it wrote.
    pub(crate) fn pair(&self) -> Result<(&Node, &Node), End> {
        let reader = &self.failing()?.node;
        if self.are_ours {
            return Ok((self.first()?, reader));
        }
        match &self.helper {
            Ok(helper) => Ok((helper, reader)),
            Err(why) => skipped(format!("no node is started for this: {why}")),
        }
    }

    /// Only where something may be written.
    pub(crate) fn may_write(&self) -> Result<(), End> {
        if self.is_read_only {
            return skipped("it writes, and --read-only was asked for");
        }
        Ok(())
    }

    /// A new product that nobody has seen.
    pub(crate) async fn scratch_product(&self) -> Result<StoredProduct, End> {
        self.may_write()?;
        let store = self.store()?;
        let number = self.made.products.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}{number}", self.scratch_ids());
        store.create_product(&id).await?;
        let rows = store.products(std::slice::from_ref(&id), 1).await?;
        rows.into_iter()
            .next()
            .ok_or_else(|| End::Failed(format!("the product {id} was committed, and is not there")))
    }

    /// What the ids of scratch products begin with.
    pub(crate) fn scratch_ids(&self) -> String {
        format!("tingkat-verify-{}-", self.run)
    }

    /// The ids of all scratch products so far.
    pub(crate) fn scratch_products(&self) -> Vec<String> {
        let count = self.made.products.load(Ordering::Relaxed);
        let begin = self.scratch_ids();
        (0..count)
            .map(|number| format!("{begin}{number}"))
            .collect()
    }

    /// A key of this run in Redis.
    pub(crate) fn scratch_key(&self, name: &str) -> String {
        self.expect_keys();
        format!("{}{name}", self.scratch_prefix)
    }

    /// Expects keys of this run, which nodes write that are started for it.
    pub fn expect_keys(&self) {
        self.made.has_keys.store(true, Ordering::Relaxed);
    }

    /// Whether there may be keys that are to be removed.
    pub(crate) fn has_keys(&self) -> bool {
        let are_ours = self.are_ours || self.helper.is_ok() || self.failing.is_ok();
        are_ours || self.made.has_keys.load(Ordering::Relaxed)
    }

    /// The ids of some products.
    pub(crate) async fn some_products(&self) -> Result<Vec<String>, End> {
        let ids: Vec<String> = if let Ok(store) = &self.store {
            let rows = store.products(&[], SOME).await?;
            rows.into_iter().map(|row| row.id).collect()
        } else {
            let path = format!("/v1/products?limit={SOME}");
            ids(&self.first()?.json(&path).await?)
        };
        if ids.is_empty() {
            return skipped("the store has no product on sale");
        }
        Ok(ids)
    }
}

/// The ids of the items of a page.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    let items = page.get("items").and_then(Value::as_array);
    let ids = items.into_iter().flatten();
    let ids = ids.filter_map(|item| item.get("id")?.as_str());
    ids.map(str::to_owned).collect()
}

/// A text of an object.
pub(crate) fn text<'a>(object: &'a Value, at: &str) -> &'a str {
    object.pointer(at).and_then(Value::as_str).unwrap_or("")
}

/// A number of an object.
pub(crate) fn number(object: &Value, at: &str) -> Option<i64> {
    object.pointer(at).and_then(Value::as_i64)
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene")
            .field("run", &self.run)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failing")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
