//! Fields that may not reach Redis: an entity that has one is refused at the start, or loses it.

use tingkat_testkit::{Redis, eventually};

use crate::program::{Folder, PATIENCE, Program};

/// A product of the demo store with a promotion, and what its promotion is called in Redis.
const FIELD: &str = "promotion";

fn program(redis: &Redis, folder: &Folder) -> Program {
    Program::serve(folder)
        .with("REDIS_URL", redis.url())
        .with("TINGKAT__PRIVACY__MORE_FIELDS", FIELD)
        // What is compressed could not be looked through.
        .with("TINGKAT__ENTITY__PRODUCT__COMPRESS_ABOVE", "64MiB")
}

/// Every byte of a server's products.
async fn products(redis: &Redis) -> Vec<u8> {
    let keys = redis.cmd(&["KEYS", "*c:product.*"]).await.unwrap();
    let mut all = Vec::new();
    for key in keys.items() {
        let value = redis.cmd(&["GET", &key.text().unwrap()]).await.unwrap();
        if let tingkat_testkit::redis::Reply::Bulk(bytes) = value {
            all.extend_from_slice(&bytes);
        }
    }
    all
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|found| found == text.as_bytes())
}

#[tokio::test]
async fn an_entity_with_a_private_field_is_refused_before_anything_is_created() {
    let redis = Redis::start().await.unwrap();
    let folder = Folder::new();
    let ended = program(&redis, &folder).run().await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert_eq!(
        ended.stderr,
        "tingkat: TINGKAT__PRIVACY__MORE_FIELDS: product has the field promotion, which may not reach Redis\n  \
         help: entity.product.privacy = \"strip\" takes it out, entity.product.placement = \"memory\" keeps the entity out of Redis\n"
    );
    assert_eq!(folder.names(), [""; 0]);
}

#[tokio::test]
async fn a_stripped_field_is_in_no_answer_and_not_in_redis_and_is_told() {
    let redis = Redis::start().await.unwrap();
    let strip = program(&redis, &Folder::new()).with("TINGKAT__ENTITY__PRODUCT__PRIVACY", "strip");
    let node = strip.listening().await;
    node.sees("redis", "up").await;
    let (_, ready) = node.readiness().await;
    let told = serde_json::json!([{"entity": "product", "policy": "strip", "fields": [FIELD], "values": 0}]);
    assert_eq!(ready["privacy"], told);
    node.says("privacy: product keeps promotion out of redis (strip)")
        .await;

    let product = node.get("/v1/products/1").await.json().unwrap();
    assert_eq!(product["id"], "1");
    assert_eq!(product[FIELD], serde_json::Value::Null);
    let stored = eventually(PATIENCE, async || {
        let bytes = products(&redis).await;
        has(&bytes, product["name"].as_str().unwrap()).then_some(bytes)
    });
    assert!(!has(&stored.await.unwrap(), FIELD));
}

#[tokio::test]
async fn an_entity_that_stays_in_memory_keeps_its_field_and_never_reaches_redis() {
    let redis = Redis::start().await.unwrap();
    let memory =
        program(&redis, &Folder::new()).with("TINGKAT__ENTITY__PRODUCT__PLACEMENT", "memory");
    let node = memory.listening().await;
    node.sees("redis", "up").await;
    assert_eq!(node.readiness().await.1["privacy"][0]["policy"], "refuse");
    assert_eq!(node.get("/v1/products/1").await.status, 200);
    // Another entity shows that what is loaded is in Redis by now.
    assert_eq!(node.get("/v1/postcodes/50450").await.status, 200);
    eventually(PATIENCE, async || {
        let keys = redis.cmd(&["KEYS", "*c:postcode.*"]).await.unwrap();
        !keys.items().is_empty()
    })
    .await
    .unwrap();
    assert!(products(&redis).await.is_empty());
}
