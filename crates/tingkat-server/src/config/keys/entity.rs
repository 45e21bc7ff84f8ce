//! The keys of each entity. Their defaults are the entities' own policies.

use std::time::Duration;

use tingkat::entity::Entity;
use tingkat::policy::{Placement, Policy};
use tingkat::privacy::{Names, PrivateField, fields_of};
use tingkat_shop::category::{CategoryCount, CategoryTree};
use tingkat_shop::postcode::{Postcode, PostcodeIndex};
use tingkat_shop::product::listing::{Popular, Sorted};
use tingkat_shop::product::{Product, SkuOwner, SlugOwner};
use tingkat_shop::state::StateList;

use super::Key;
use crate::config::kind::{Kind, Value};

/// An entity in the configuration, in the program, and its policy.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) policy: fn() -> Policy,
    /// For how long caches on the way to clients may keep an answer about it, if it has answers.
    pub(crate) max_age: Option<Duration>,
    /// Its private fields.
    pub(crate) private: fn(&Names) -> Vec<PrivateField>,
}

/// Every entity of the store.
pub(crate) const ENTITIES: &[Known] = &[
    shown::<Product>("product", NO_TIME),
    known::<SkuOwner>("product_sku"),
    known::<SlugOwner>("product_slug"),
    known::<Sorted>("product_list"),
    known::<Popular>("product_popular"),
    shown::<CategoryTree>("categories", NO_TIME),
    known::<CategoryCount>("category_products"),
    shown::<Postcode>("postcode", DAY),
    known::<PostcodeIndex>("postcodes"),
    shown::<StateList>("states", DAY),
];

const fn known<E: Entity>(section: &'static str) -> Known {
    Known {
        section,
        name: E::NAME,
        policy: E::policy,
        max_age: None,
        private: fields_of::<E>,
    }
}

const fn shown<E: Entity>(section: &'static str, max_age: Duration) -> Known {
    Known {
        max_age: Some(max_age),
        ..known::<E>(section)
    }
}

/// One policy's key: its name, what it takes, where the default is, and what it is for.
struct Row {
    name: &'static str,
    kind: Kind,
    of: fn(&Policy) -> Value,
    sentence: &'static str,
    reloads: bool,
}

const NO_TIME: Duration = Duration::ZERO;
const MS: Duration = Duration::from_millis(1);
const YEAR: Duration = Duration::from_hours(24 * 365);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

const fn row(
    name: &'static str,
    kind: Kind,
    of: fn(&Policy) -> Value,
    sentence: &'static str,
) -> Row {
    Row {
        name,
        kind,
        of,
        sentence,
        reloads: true,
    }
}

const fn time(least: Duration, most: Duration) -> Kind {
    Kind::Time { least, most }
}

const fn number(least: u64, most: u64) -> Kind {
    Kind::Integer { least, most }
}

const ROWS: &[Row] = &[
    row(
        "fresh_for",
        time(MS, YEAR),
        |it| Value::Time(it.fresh_for),
        "A value this young needs no refresh",
    ),
    row(
        "stale_for",
        time(NO_TIME, YEAR),
        |it| Value::Time(it.stale_for),
        "After that it may stand in for a database that fails, for this long",
    ),
    row(
        "absent_for",
        time(NO_TIME, YEAR),
        |it| Value::Time(it.absent_for),
        "For how long \"there is no such thing\" is believed",
    ),
    row(
        "jitter",
        Kind::Share { most: 1.0 },
        |it| Value::Share(it.jitter),
        "The share by which `fresh_for` is shortened at random, so that values do not end together",
    ),
    row(
        "early_refresh",
        Kind::Share { most: 100.0 },
        |it| Value::Share(it.early_refresh),
        "How eagerly a value is refreshed before its end; 0 switches it off",
    ),
    row(
        "soft_deadline",
        time(MS, HOUR),
        |it| Value::Time(it.soft_deadline),
        "After this long a stale value is answered, if there is one, and the load goes on",
    ),
    row(
        "hard_deadline",
        time(MS, HOUR),
        |it| Value::Time(it.hard_deadline),
        "After this long a load is given up",
    ),
    row(
        "retry_after",
        time(MS, HOUR),
        |it| Value::Time(it.retry_after),
        "How long the database is left alone after a failure while a stale value serves",
    ),
    row(
        "max_value_bytes",
        Kind::Size {
            least: 64,
            most: 64 << 20,
        },
        |it| Value::Size(it.max_value_bytes as u64),
        "A larger value does not enter the memory tier",
    ),
    Row {
        reloads: false,
        ..row(
            "memory_bytes",
            Kind::Size {
                least: 64 << 10,
                most: 1 << 44,
            },
            |it| Value::Size(it.memory_bytes),
            "The memory tier's size",
        )
    },
    row(
        "compress_above",
        Kind::Size {
            least: 64,
            most: 64 << 20,
        },
        |it| Value::Size(it.compress_above as u64),
        "Larger values are compressed in Redis",
    ),
    row(
        "placement",
        Kind::Choice(&["both", "memory", "redis", "nowhere"]),
        |it| Value::Text(placement(it.placement).to_owned()),
        "Which tiers hold it",
    ),
    row(
        "strict",
        Kind::Flag,
        |it| Value::Flag(it.strict),
        "Never answer what is not known to be current",
    ),
    row(
        "max_loads",
        number(1, 10_000),
        |it| Value::Integer(it.max_loads as u64),
        "Loads that run at a time",
    ),
    row(
        "max_queue",
        number(1, 10_000_000),
        |it| Value::Integer(it.max_queue as u64),
        "Keys that wait for a load at a time; one more is refused",
    ),
    row(
        "max_batch",
        number(1, 10_000),
        |it| Value::Integer(it.max_batch as u64),
        "Keys in one load",
    ),
    row(
        "batch_window",
        time(NO_TIME, Duration::from_secs(1)),
        |it| Value::Time(it.batch_window),
        "How long the first key of a batch waits for company",
    ),
    Row {
        reloads: false,
        ..row(
            "privacy",
            Kind::Choice(&["refuse", "strip"]),
            |_| Value::Text("refuse".to_owned()),
            "What is done if it has a field of `privacy.fields`: the start is refused unless `placement` keeps it out of Redis, or the field is taken out of what is loaded",
        )
    },
    row(
        "mode",
        Kind::Choice(&["cache", "shadow", "bypass"]),
        |_| Value::Text("cache".to_owned()),
        "`shadow` answers from the database and counts differences; `bypass` leaves the tiers alone",
    ),
];

const fn placement(placement: Placement) -> &'static str {
    match placement {
        Placement::Both => "both",
        Placement::Memory => "memory",
        Placement::Remote => "redis",
        Placement::Nowhere => "nowhere",
    }
}

pub(super) fn keys() -> impl Iterator<Item = Key> {
    ENTITIES.iter().flat_map(keys_of)
}

/// The keys of one entity's policy.
pub(super) fn keys_of(entity: &Known) -> impl Iterator<Item = Key> {
    let (section, policy) = (entity.section, (entity.policy)());
    let max_age = entity.max_age.map(move |usual| Key {
        path: format!("entity.{section}.max_age"),
        kind: time(NO_TIME, YEAR),
        default: Some(Value::Time(usual).shown()),
        sentence: "For how long browsers and caches before the service may keep an answer, in whole seconds and never past its next change by itself; 0 lets them ask each time whether it changed. Of `product`, `categories`, `postcode`, `states` and entities of your own",
        reloads: false,
        variable: None,
    });
    let policy = ROWS.iter().map(move |row| Key {
        path: format!("entity.{section}.{}", row.name),
        kind: row.kind,
        default: Some((row.of)(&policy).shown()),
        sentence: row.sentence,
        reloads: row.reloads,
        variable: None,
    });
    policy.chain(max_age).chain(objectives(section))
}

/// What is expected of one entity; health tells when it is not met.
fn objectives(section: &str) -> [Key; 2] {
    let hit_ratio = match section {
        "product" => "0.6",
        "postcode" => "0.8",
        _ => "0.5",
    };
    let key = |name: &str, kind, default: &str, sentence| Key {
        path: format!("entity.{section}.objective.{name}"),
        kind,
        default: Some(default.to_owned()),
        sentence,
        reloads: true,
        variable: None,
    };
    [
        key(
            "hit_ratio",
            Kind::Share { most: 1.0 },
            hit_ratio,
            "The share of look-ups that a tier should answer; health tells when it is less",
        ),
        key(
            "p99",
            time(MS, HOUR),
            "10ms",
            "What 99 of 100 look-ups should be faster than",
        ),
    ]
}
