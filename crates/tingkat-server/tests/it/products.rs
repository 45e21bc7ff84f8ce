//! Every product of the store, over HTTP, by each of its names.

use std::sync::Arc;

use tingkat_lab::Target;
use tingkat_testkit::eventually;
use tokio::task::JoinSet;

use crate::crowd::Crowd;
use crate::day::on_one_day;
use crate::program::{Folder, Node, PATIENCE, Program};
use crate::question::Question;
use crate::truth::{Listed, products};
use crate::wire::get;

/// Ids in one request.
const MOST_IDS: usize = 200;

#[tokio::test]
async fn every_product_has_its_price_to_the_sen_by_id_by_sku_and_by_slug() {
    let node = Node::alone().await;
    let products = products();
    assert_eq!(products.len(), 1_958);
    let by_id = products.iter().map(Question::product_by_id).collect();
    let by_id = Crowd::ask(&node.target, by_id).finished().await;
    assert_eq!(by_id.right().len(), products.len());

    let by_sku = products.iter().map(Question::product_by_sku).collect();
    let by_sku = Crowd::ask(&node.target, by_sku).finished().await;
    assert_eq!(by_sku.right().len(), products.len());

    let mut by_slug = Vec::new();
    for answer in by_id.right() {
        let body = answer.json().unwrap();
        let place: usize = body["id"].as_str().unwrap().parse().unwrap();
        let slug = body["slug"].as_str().unwrap();
        by_slug.push(Question::product_by_slug(slug, &products[place - 1]));
    }
    let by_slug = Crowd::ask(&node.target, by_slug).finished().await;
    assert_eq!(by_slug.right().len(), products.len());
}

#[tokio::test]
async fn a_product_has_the_same_bytes_by_every_route() {
    let node = Node::alone().await;
    on_one_day(async || {
        let mut batches = JoinSet::new();
        for some in products().chunks(MOST_IDS) {
            batches.spawn(is_the_same_by_every_route(
                Arc::clone(&node.target),
                some.to_vec(),
            ));
        }
        batches.join_all().await;
    })
    .await;
}

async fn is_the_same_by_every_route(target: Arc<Target>, products: Vec<Listed>) {
    let mut bodies = Vec::new();
    for product in &products {
        let by_id = body(&target, &format!("/v1/products/{}", product.id)).await;
        for name in [
            format!("sku={}", product.sku),
            format!("slug={}", slug(&by_id)),
        ] {
            let by_name = body(&target, &format!("/v1/products?{name}")).await;
            assert_eq!(by_name, by_id, "{name}");
        }
        bodies.push(by_id);
    }
    let ids: Vec<&str> = products.iter().map(|it| it.id.as_str()).collect();
    let batch = body(&target, &format!("/v1/products?ids={}", ids.join(","))).await;
    let together = format!(r#"{{"items":[{}],"missing":[]}}"#, bodies.join(","));
    assert_eq!(batch, together);
}

/// The caches are told what is popular, as many as is configured and no more.
#[tokio::test]
async fn what_is_popular_is_kept_as_configured() {
    for (keep, products) in [("25", 25), ("0", 0)] {
        let node = Program::serve(&Folder::new())
            .with("TINGKAT__POPULARITY__KEEP", keep)
            .listening()
            .await;
        let favourites = async |entity: &str| {
            let cache = get(&node, &format!("/v1/caches/{entity}"), "").await.body;
            cache["favourites"].as_u64().unwrap()
        };
        let counted = eventually(PATIENCE, async || favourites("product").await == products);
        counted.await.unwrap();
        if products > 0 {
            eventually(PATIENCE, async || favourites("postcode").await == products)
                .await
                .unwrap();
        }
        assert_eq!(favourites("product").await, products);
    }
}

async fn body(target: &Target, path: &str) -> String {
    let answer = target.get(path).await.unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

fn slug(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["slug"].as_str().unwrap().to_owned()
}
