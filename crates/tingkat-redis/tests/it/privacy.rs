//! What may not reach Redis: an address is planted in a value, and every byte of the server is
//! looked through for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tingkat::cache::Builder;
use tingkat::ports::Loaded;
use tingkat::privacy::{Names, OnPrivate};
use tingkat::{Cache, Node, Options, Policy, Tier};
use tingkat_testkit::Redis;

use crate::nodes::node;
use crate::server::{bytes_of, keys};
use crate::stage::connected;

const PLANTED: &str = "siti@example.com.my";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parcel {
    code: String,
    card_count: u32,
    buyer: Buyer,
    /// What the type does not tell.
    notes: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Buyer {
    name: String,
    customer_email: Option<String>,
}

fn parcel() -> Parcel {
    let note = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    Parcel {
        code: "50450".to_owned(),
        card_count: 3,
        buyer: Buyer {
            name: "Siti".to_owned(),
            customer_email: Some(PLANTED.to_owned()),
        },
        notes: [note("E-Mail", PLANTED), note("gift", "yes")].into(),
    }
}

/// The same without what was planted.
fn rest() -> Parcel {
    let mut rest = parcel();
    rest.buyer.customer_email = None;
    rest.notes.remove("E-Mail");
    rest
}

fn parcels(node: &Node) -> Builder<String, Parcel> {
    let policy = Policy {
        // What is compressed could not be looked through.
        compress_above: usize::MAX,
        ..Policy::default()
    };
    Cache::builder("parcel")
        .node(node)
        .policy(policy)
        .load(|_| async { Ok(Loaded::value(parcel())) })
}

fn usual() -> Arc<Names> {
    Arc::new(Names::usual())
}

/// Every byte of the server's keys and values.
async fn holds(server: &Redis, text: &str) -> bool {
    let mut all = Vec::new();
    for key in keys(server, "*").await {
        all.extend_from_slice(key.as_bytes());
        all.extend_from_slice(&bytes_of(server, &key).await.unwrap_or_default());
    }
    all.windows(text.len())
        .any(|bytes| bytes == text.as_bytes())
}

/// A value as one node loads it, and as another finds it, with the tier that had it.
async fn through(
    server: &Redis,
    set: impl Fn(Builder<String, Parcel>) -> Builder<String, Parcel>,
) -> [(Parcel, Tier); 2] {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let node = node(connected(&server.url()).await).build();
        let cache = set(parcels(&node)).build();
        let answer = cache.look_up(&"k".to_owned(), Options::default()).await;
        let answer = answer.unwrap();
        seen.push((answer.value().unwrap().clone(), answer.trail().tier));
        node.shut_down(crate::stage::SOON).await;
    }
    seen.try_into().unwrap()
}

#[tokio::test]
async fn without_a_rule_what_was_planted_is_found() {
    let server = Redis::start().await.unwrap();
    let seen = through(&server, |cache| cache).await;
    assert_eq!(seen, [(parcel(), Tier::Source), (parcel(), Tier::Remote)]);
    assert!(holds(&server, PLANTED).await);
}

#[tokio::test]
async fn a_value_with_a_private_field_that_is_refused_is_answered_and_never_reaches_redis() {
    let server = Redis::start().await.unwrap();
    let refuse = |cache: Builder<_, _>| cache.privacy(&usual(), OnPrivate::Refuse);
    let seen = through(&server, refuse).await;
    assert_eq!(seen, [(parcel(), Tier::Source), (parcel(), Tier::Source)]);
    assert!(!holds(&server, PLANTED).await && !holds(&server, "Siti").await);
}

#[tokio::test]
async fn what_was_written_before_a_field_was_stripped_is_not_read() {
    let server = Redis::start().await.unwrap();
    through(&server, |cache| cache).await;
    let strip = |cache: Builder<_, _>| cache.privacy(&usual(), OnPrivate::Strip);
    let seen = through(&server, strip).await;
    assert_eq!(seen, [(rest(), Tier::Source), (rest(), Tier::Remote)]);
}

#[tokio::test]
async fn a_private_field_that_is_stripped_is_gone_for_every_node_and_the_rest_stays() {
    let server = Redis::start().await.unwrap();
    let strip = |cache: Builder<_, _>| cache.privacy(&usual(), OnPrivate::Strip);
    let seen = through(&server, strip).await;
    assert_eq!(seen, [(rest(), Tier::Source), (rest(), Tier::Remote)]);
    assert!(holds(&server, "Siti").await);
    assert!(!holds(&server, PLANTED).await && !holds(&server, "E-Mail").await);
}
