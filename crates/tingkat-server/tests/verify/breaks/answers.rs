//! Wrong answers to look-ups.

use serde_json::Value;

use super::{Break, How, QUICK, break_all};
use crate::liar::{Asked, Lie, Memory, Told};

/// More who ask for one scratch product than any other check sends to a node.
const CROWD: usize = 32;

const SCRATCH: &str = "tingkat-verify-";

fn is_scratch(asked: &Asked) -> bool {
    asked.is("GET", "/v1/products/") && asked.path.contains(SCRATCH)
}

/// The first answer, for ever.
fn frozen(asked: &Asked, told: &mut Told, memory: &mut Memory) {
    if told.status == 200 {
        let first = memory
            .entry(asked.path.clone())
            .or_insert_with(|| told.body.clone());
        told.body.clone_from(first);
    }
}

pub(super) const BREAKS: &[Break] = &[
    Break {
        name: "postcodes are in another state",
        fails: &["postcodes_true"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.is("GET", "/v1/postcodes/") {
                    told.replace("\"state_code\":\"", "\"state_code\":\"X");
                }
            }),
        ),
    },
    Break {
        name: "a postcode is made up",
        fails: &["postcode_unknown"],
        how: How::Lies(
            0,
            Lie::of(|asked, told, _| {
                if asked.path.ends_with("/00001") {
                    told.becomes(200, "{\"valid\":true,\"formatted\":\"00001\"}");
                }
            }),
        ),
    },
    Break {
        name: "whatever is a postcode",
        fails: &["postcode_written"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path.ends_with("/5045") {
                    told.becomes(200, "{\"valid\":true,\"formatted\":\"5045\"}");
                }
            }),
        ),
    },
    Break {
        name: "the stock of each product is another one, by every route",
        fails: &["products_true", "category_listing"],
        how: How::Lies(
            1,
            Lie::of(|_, told, _| {
                if !told.body.contains(SCRATCH) {
                    told.replace("\"stock_quantity\":", "\"stock_quantity\":1");
                }
            }),
        ),
    },
    Break {
        name: "a column that is read seldom is another one, by every route",
        fails: &["products_true", "category_listing"],
        how: How::Lies(
            1,
            Lie::of(|_, told, _| {
                if !told.body.contains(SCRATCH) {
                    told.replace("\"low_stock\":false", "\"low_stock\":true");
                }
            }),
        ),
    },
    Break {
        name: "by its sku a product has another name",
        fails: &["product_ways"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path.contains("?sku=") && told.status == 200 {
                    told.replace("\"name\":\"", "\"name\":\"X");
                }
            }),
        ),
    },
    Break {
        name: "a product is made up",
        fails: &["product_unknown"],
        how: How::Lies(
            0,
            Lie::of(|asked, told, _| {
                if is_scratch(asked) && asked.path.ends_with("-absent") {
                    told.becomes(200, "{}");
                }
            }),
        ),
    },
    Break {
        name: "who has the answer is sent it again",
        fails: &["product_revalidation"],
        how: How::Lies(
            1,
            Lie::of(|_, told, _| {
                if told.status == 304 {
                    told.becomes(200, "{}");
                }
            }),
        ),
    },
    Break {
        name: "categories have other names",
        fails: &["categories_true"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.is("GET", "/v1/categories/") && !asked.path.contains("/products") {
                    told.replace("\"name\":\"", "\"name\":\"X");
                }
            }),
        ),
    },
    Break {
        name: "a listing shows another price",
        fails: &["category_listing"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.is("GET", "/v1/categories/") && asked.path.contains("/products") {
                    told.replace("\"amount\":", "\"amount\":1");
                }
            }),
        ),
    },
    Break {
        name: "a listing lacks a product",
        fails: &["category_listing"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.is("GET", "/v1/categories/") && asked.path.contains("/products?") {
                    let mut page: Value = serde_json::from_str(&told.body).unwrap();
                    page["items"].as_array_mut().unwrap().pop();
                    told.body = page.to_string();
                }
            }),
        ),
    },
    Break {
        name: "a category is made up",
        fails: &["category_unknown"],
        how: How::Lies(
            0,
            Lie::of(|asked, told, _| {
                if asked.is("GET", "/v1/categories/") && asked.path.ends_with("-absent") {
                    told.becomes(200, "{}");
                }
            }),
        ),
    },
    Break {
        name: "the second node answers with what it had first",
        // It reads its own writes no more than those of others.
        fails: &["fresh", "own_writes"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, memory| {
                let insists = ["tingkat-position", "cache-control"];
                let insists = insists.iter().any(|it| asked.header(it).is_some());
                if is_scratch(asked) && !insists {
                    frozen(asked, told, memory);
                }
            }),
        ),
    },
    Break {
        name: "who insists gets what there was",
        fails: &["no_cache"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, memory| {
                if is_scratch(asked) && asked.header("cache-control").is_some() {
                    frozen(asked, told, memory);
                }
            }),
        ),
    },
    Break {
        name: "the second node does not wait for a position",
        fails: &["own_writes"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, memory| {
                if is_scratch(asked) && asked.header("tingkat-position").is_some() {
                    frozen(asked, told, memory);
                }
            }),
        ),
    },
    Break {
        name: "nothing is forgotten",
        fails: &["forgotten"],
        how: How::Lies(
            0,
            Lie {
                swallows: |asked| {
                    asked.is("POST", "/v1/forget")
                        && asked
                            .header("authorization")
                            .is_some_and(|it| it.ends_with("operates"))
                },
                tells: |asked, told, _| {
                    if asked.is("POST", "/v1/forget") && told.body == "{}" {
                        told.becomes(200, "{\"forgotten\":{}}");
                    }
                },
            },
        ),
    },
    Break {
        name: "an answer is marked as stale",
        fails: &["unmarked"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.is("GET", "/v1/postcodes/") {
                    told.headers.retain(|(name, _)| name != "cache-status");
                    let stale = "memory; hit; detail=stale".to_owned();
                    told.headers.push(("cache-status".to_owned(), stale));
                }
            }),
        ),
    },
    Break {
        name: "each of a crowd loads for itself",
        fails: &["one_load"],
        how: How::Lies(
            0,
            Lie::of(|asked, told, memory| {
                if is_scratch(asked) {
                    // Nobody but a crowd asks so often; whoever of it comes late is a hit in truth.
                    let asked_before = memory.entry(asked.path.clone()).or_default();
                    asked_before.push('1');
                    let is_crowd = asked_before.len() > CROWD;
                    let ways = told.headers.iter_mut();
                    for (_, way) in ways.filter(|it| is_crowd && it.0 == "cache-status") {
                        "memory; fwd=uri-miss, source; fwd=uri-miss".clone_into(way);
                    }
                }
            }),
        ),
    },
];

#[tokio::test]
async fn a_wrong_answer_fails_the_check_of_its_promise_and_no_other() {
    break_all(&BREAKS[..9], &QUICK).await;
}

#[tokio::test]
async fn an_old_or_marked_answer_fails_the_check_of_its_promise_and_no_other() {
    break_all(&BREAKS[9..], &QUICK).await;
}
