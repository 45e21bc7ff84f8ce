//! J. Tags, patterns, entities, everything.

use tingkat::Tier;
use tingkat::certificate::{ChangeKind, Dep};
use tingkat::error::ChangeErrorKind;
use tingkat_testkit::fakes::{Mood, Versioned};

use crate::stage::{Plan, Shop, Stage, hop, key};

/// Postcodes carry their state and their region, as the store's do.
fn tags(value: &Versioned) -> Vec<Dep> {
    let region = value.key.get(..2).unwrap_or_default();
    let state = if region == "50" { "KUL" } else { "SGR" };
    vec![
        Dep::new(format!("state:{state}")),
        Dep::new(format!("region:{region}")),
    ]
}

const CODES: [&str; 4] = ["50000", "50480", "40000", "47500"];

fn postcodes(stage: &Stage) -> Plan<'_> {
    for code in CODES {
        stage.database.write("product", code, 1);
    }
    stage.plan().deps(tags)
}

/// Which of the codes a node would answer without asking the source.
async fn cached(shop: &Shop) -> Vec<&'static str> {
    let mut cached = Vec::new();
    for code in CODES {
        if shop.cache.has(&code.to_owned()).await {
            cached.push(code);
        }
    }
    cached
}

async fn warm(shop: &Shop) {
    for code in CODES {
        assert!(shop.version_of(code).await.is_some());
        hop(2).await;
    }
    assert_eq!(cached(shop).await, CODES);
}

/// Scenarios 116, 126.
#[tokio::test(start_paused = true)]
async fn forgetting_a_tag_forgets_all_that_have_it_and_nothing_else() {
    let stage = Stage::new();
    let shop = postcodes(&stage).open().await;
    warm(&shop).await;
    shop.cache.forget_tag("state:KUL").await.unwrap();
    assert_eq!(cached(&shop).await, ["40000", "47500"]);
    warm(&shop).await;
    shop.cache.forget_tag("region:40").await.unwrap();
    assert_eq!(
        cached(&shop).await,
        ["50000", "50480", "47500"],
        "any of its tags"
    );
}

/// Scenario 117.
#[tokio::test(start_paused = true)]
async fn an_unknown_or_empty_tag_forgets_nothing() {
    let stage = Stage::new();
    let shop = postcodes(&stage).open().await;
    warm(&shop).await;
    shop.cache.forget_tag("").await.unwrap();
    shop.cache.forget_tag("state:XXX").await.unwrap();
    assert_eq!(cached(&shop).await, CODES);
    for tag in ["region:50", "region:47"] {
        shop.cache.forget_tag(tag).await.unwrap();
    }
    assert_eq!(cached(&shop).await, ["40000"]);
}

/// Scenario 118.
#[tokio::test(start_paused = true)]
async fn what_is_loaded_after_a_tag_was_forgotten_is_valid() {
    let stage = Stage::new();
    let (a, b) = (
        postcodes(&stage).open().await,
        postcodes(&stage).open().await,
    );
    warm(&a).await;
    a.cache.forget_tag("state:KUL").await.unwrap();
    warm(&a).await;
    hop(150).await;
    assert_eq!(cached(&a).await, CODES);
    assert_eq!(cached(&b).await, CODES);
}

/// Scenario 120.
#[tokio::test(start_paused = true)]
async fn a_tag_can_be_expired_instead_and_its_values_stand_in() {
    let stage = Stage::new();
    let shop = postcodes(&stage).open().await;
    warm(&shop).await;
    stage.source.switch.set(Mood::Failing);
    let code = "50000".to_owned();
    shop.cache.expire_tag("state:KUL").await.unwrap();
    assert_eq!(cached(&shop).await, ["40000", "47500"]);
    let answer = shop
        .cache
        .look_up(&code, tingkat::Options::default())
        .await
        .unwrap();
    assert!(answer.trail().stale);
    shop.cache.forget_tag("state:KUL").await.unwrap();
    assert!(shop.cache.get(&code).await.is_err());
}

/// Scenario 121.
#[tokio::test(start_paused = true)]
async fn a_forgotten_tag_reaches_what_only_redis_has() {
    let stage = Stage::new();
    let (a, b) = (
        postcodes(&stage).open().await,
        postcodes(&stage).open().await,
    );
    warm(&a).await;
    a.cache.forget_tag("state:KUL").await.unwrap();
    hop(101).await;
    assert_eq!(stage.redis.cells().len(), 4, "it is there, and refused");
    assert_eq!(cached(&b).await, ["40000", "47500"]);
    let answer = b
        .cache
        .look_up(&"50000".to_owned(), tingkat::Options::default())
        .await;
    assert_eq!(answer.unwrap().trail().tier, Tier::Source);
}

/// Scenario 121. The operator's call of one entity reaches the tags of another.
#[tokio::test(start_paused = true)]
async fn a_tag_is_forgotten_in_every_entity() {
    let stage = Stage::new();
    let one = postcodes(&stage).open().await;
    let two = postcodes(&stage).name("other").open().await;
    for shop in [&one, &two] {
        shop.version_of("50000").await;
        hop(2).await;
    }
    one.node
        .forget_tag("state:KUL", ChangeKind::Forget)
        .await
        .unwrap();
    hop(101).await;
    assert!(cached(&two).await.is_empty());
}

/// Scenario 123.
#[tokio::test(start_paused = true)]
async fn an_entity_can_be_expired_and_cleared() {
    let stage = Stage::new();
    let shop = postcodes(&stage).open().await;
    warm(&shop).await;
    stage.source.switch.set(Mood::Failing);
    shop.cache.expire_all().await.unwrap();
    assert!(cached(&shop).await.is_empty());
    let code = "50000".to_owned();
    assert!(shop.cache.peek_stale(&code).is_some());
    shop.cache.clear().await.unwrap();
    assert!(shop.cache.peek_stale(&code).is_none());
    assert!(shop.cache.get(&code).await.is_err());
}

/// Scenario 124. Prefixes that share a Redis, in stores of their own.
#[tokio::test(start_paused = true)]
async fn clearing_under_one_prefix_leaves_another_alone() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let elsewhere = Stage::new();
    let other = elsewhere
        .plan()
        .tune(|node| node.prefix("other:"))
        .open_over(stage.redis.handle(), elsewhere.database.log());
    hop(2).await;
    shop.version().await;
    other.version().await;
    hop(5).await;
    shop.cache.clear().await.unwrap();
    hop(150).await;
    assert_eq!(other.look().await.trail().tier, Tier::Memory);
    assert_eq!(stage.redis.cells().len(), 2);
}

/// Scenario 125. What was forgotten stays forgotten, whatever else is forgotten afterwards.
#[tokio::test(start_paused = true)]
async fn forgetting_a_tag_does_not_forget_that_it_was_forgotten() {
    let stage = Stage::new();
    let (a, b) = (
        postcodes(&stage).open().await,
        postcodes(&stage).open().await,
    );
    warm(&a).await;
    let old = stage.redis.dump();
    for _ in 0..20 {
        a.cache.forget_tag("state:KUL").await.unwrap();
        a.cache.forget_tag("region:40").await.unwrap();
    }
    hop(101).await;
    stage.redis.load(old);
    assert_eq!(cached(&b).await, ["47500"]);
}

/// Scenario 127. Where a remote tier is used without a log, nothing but a key can be forgotten.
#[tokio::test(start_paused = true)]
async fn without_a_log_forgetting_more_than_a_key_is_refused_clearly() {
    let stage = Stage::new();
    let shop = stage.plan().without_log().open().await;
    let errors = [
        shop.cache.forget_tag("tag").await.unwrap_err(),
        shop.cache.expire_tag("tag").await.unwrap_err(),
        shop.cache.forget_pattern("5*").await.unwrap_err(),
        shop.cache.clear().await.unwrap_err(),
        shop.cache.expire_all().await.unwrap_err(),
        shop.node.forget_everything().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ChangeErrorKind::NeedsLog);
    }
    shop.cache.forget(&key()).await.unwrap();
}

/// Scenario 127. With memory alone all of it works in one process.
#[tokio::test(start_paused = true)]
async fn in_one_process_tags_need_no_log() {
    let stage = Stage::new();
    let shop = postcodes(&stage).without_log().without_redis().open().await;
    warm(&shop).await;
    shop.cache.forget_tag("state:KUL").await.unwrap();
    assert_eq!(cached(&shop).await, ["40000", "47500"]);
    shop.cache.forget_pattern("47*").await.unwrap();
    assert_eq!(cached(&shop).await, ["40000"]);
    shop.cache.clear().await.unwrap();
    assert!(cached(&shop).await.is_empty());
}

/// Patterns: a `*` at either end, on the keys of the entity.
#[tokio::test(start_paused = true)]
async fn a_pattern_forgets_the_keys_that_match() {
    for (pattern, left) in [
        ("50*", &["40000", "47500"][..]),
        ("*00", &["50480"][..]),
        ("*04*", &["50000", "40000", "47500"][..]),
        ("50000", &["50480", "40000", "47500"][..]),
        ("*", &[][..]),
        ("9*", &CODES[..]),
    ] {
        let stage = Stage::new();
        let (a, b) = (
            postcodes(&stage).open().await,
            postcodes(&stage).open().await,
        );
        warm(&a).await;
        a.cache.forget_pattern(pattern).await.unwrap();
        assert_eq!(cached(&a).await, left, "{pattern}");
        hop(101).await;
        assert_eq!(cached(&b).await, left, "{pattern} on another node");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pattern_with_a_star_in_the_middle_is_refused() {
    let stage = Stage::new();
    let shop = stage.node().await;
    for pattern in ["5*0", "", "**5**", "*5*0"] {
        let error = shop.cache.forget_pattern(pattern).await.unwrap_err();
        assert_eq!(error.kind(), ChangeErrorKind::Pattern, "{pattern}");
    }
}

/// A pattern of one entity does not reach another, whatever its keys are.
#[tokio::test(start_paused = true)]
async fn a_pattern_stays_within_its_entity() {
    let stage = Stage::new();
    let one = postcodes(&stage).open().await;
    let two = postcodes(&stage).name("other").open().await;
    warm(&one).await;
    stage.database.write("other", "50000", 1);
    two.version_of("50000").await;
    for pattern in ["50*", "*00", "*"] {
        one.cache.forget_pattern(pattern).await.unwrap();
    }
    hop(101).await;
    assert_eq!(cached(&two).await, ["50000"]);
}

/// More than 64 patterns become a change of their entity: colder, never staler.
#[tokio::test(start_paused = true)]
async fn more_patterns_than_are_kept_clear_the_entity() {
    let stage = Stage::new();
    let shop = postcodes(&stage).open().await;
    for n in 0..64 {
        shop.cache.forget_pattern(&format!("x{n}*")).await.unwrap();
    }
    warm(&shop).await;
    shop.cache.forget_pattern("y*").await.unwrap();
    assert!(cached(&shop).await.is_empty(), "the 65th stands for all");
    warm(&shop).await;
    shop.cache.forget_pattern("50*").await.unwrap();
    assert!(!cached(&shop).await.contains(&"50000"));
}

#[tokio::test(start_paused = true)]
async fn everything_can_be_forgotten_at_once() {
    let stage = Stage::new();
    let one = stage.node().await;
    let two = stage.plan().name("category").open().await;
    for shop in [&one, &two] {
        shop.version().await;
    }
    one.node.forget_everything().await.unwrap();
    hop(101).await;
    assert_eq!((one.in_memory(), two.in_memory()), (None, None));
    assert_eq!(two.look().await.trail().tier, Tier::Source);
}

/// When the log can not be written, nothing is forgotten and the caller is told.
#[tokio::test(start_paused = true)]
async fn a_change_that_can_not_be_logged_is_an_error_and_changes_nothing() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    shop.log.switch.set(Mood::Failing);
    assert_eq!(
        shop.cache.forget(&key()).await.unwrap_err().kind(),
        ChangeErrorKind::Log
    );
    assert_eq!(
        shop.cache.forget_tag("t").await.unwrap_err().kind(),
        ChangeErrorKind::Log
    );
    assert_eq!(shop.in_memory(), Some(1));
    assert_eq!(shop.events.count("Forgot"), 0);
}

/// Scenario 117. Many tags are forgotten or expired in one transaction; an empty one is none.
#[tokio::test(start_paused = true)]
async fn many_tags_go_in_one_transaction() {
    let stage = Stage::new();
    let (shop, other) = (
        postcodes(&stage).open().await,
        postcodes(&stage).open().await,
    );
    warm(&shop).await;
    warm(&other).await;
    let tags = |names: &[&str]| -> Vec<String> { names.iter().map(|&it| it.into()).collect() };
    let before = stage.database.certificate().position.xmax();
    let two = tags(&["region:40", "", "region:47"]);
    shop.node
        .forget_tags(&two, ChangeKind::Forget)
        .await
        .unwrap();
    assert_eq!(stage.database.certificate().position.xmax(), before + 1);
    assert_eq!(cached(&shop).await, ["50000", "50480"]);
    hop(101).await;
    assert_eq!(cached(&other).await, ["50000", "50480"]);
    assert_eq!(shop.events.count("Forgot"), 2);
    let one = tags(&["state:KUL"]);
    shop.node
        .forget_tags(&one, ChangeKind::Expire)
        .await
        .unwrap();
    assert!(cached(&shop).await.is_empty());
    assert!(shop.cache.peek_stale(&"50000".to_owned()).is_some());
    shop.log.switch.set(Mood::Failing);
    let refused = shop.node.forget_tags(&two, ChangeKind::Forget).await;
    assert_eq!(refused.unwrap_err().kind(), ChangeErrorKind::Log);
    let without_log = stage.plan().without_log().open().await;
    for nothing in [tags(&[]), tags(&[""])] {
        let node = &without_log.node;
        node.forget_tags(&nothing, ChangeKind::Forget)
            .await
            .unwrap();
    }
    let refused = without_log.node.forget_tags(&two, ChangeKind::Forget).await;
    assert_eq!(refused.unwrap_err().kind(), ChangeErrorKind::NeedsLog);
}
