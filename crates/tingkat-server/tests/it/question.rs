//! A look-up whose right answer is known beforehand.

use serde_json::{Value, json};
use tingkat_lab::Answer;

use crate::truth::{Listed, Postcode, postcodes, products, unknown_codes};

/// What is asked, and what would be right.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) path: String,
    status: u16,
    /// Members that the body must have; of an object all of its own.
    members: Vec<(&'static str, Value)>,
}

impl Question {
    pub(crate) fn postcode(postcode: &Postcode) -> Self {
        let is_east = ["SBH", "SRW", "LBN"].contains(&postcode.state_code.as_str());
        let location = json!({
            "state_code": postcode.state_code,
            "state_name": postcode.state_name,
            "city": postcode.cities[0],
            "cities": postcode.cities,
            "zone": if is_east { "east" } else { "west" },
        });
        Self {
            path: format!("/v1/postcodes/{}", postcode.code),
            status: 200,
            members: vec![
                ("valid", json!(true)),
                ("formatted", json!(postcode.code)),
                ("location", location),
            ],
        }
    }

    pub(crate) fn unknown(code: &str) -> Self {
        Self {
            path: format!("/v1/postcodes/{code}"),
            status: 404,
            members: vec![
                ("valid", json!(false)),
                ("formatted", json!(code)),
                ("location", Value::Null),
            ],
        }
    }

    pub(crate) fn product_by_id(product: &Listed) -> Self {
        Self::product(format!("/v1/products/{}", product.id), product)
    }

    pub(crate) fn product_by_sku(product: &Listed) -> Self {
        Self::product(format!("/v1/products?sku={}", product.sku), product)
    }

    pub(crate) fn product_by_slug(slug: &str, product: &Listed) -> Self {
        Self::product(format!("/v1/products?slug={slug}"), product)
    }

    fn product(path: String, product: &Listed) -> Self {
        Self {
            path,
            status: 200,
            members: vec![
                ("id", json!(product.id)),
                ("sku", json!(product.sku)),
                ("name", json!(product.name)),
                (
                    "regular_price",
                    json!({"amount": product.price_sen, "currency": "MYR"}),
                ),
            ],
        }
    }

    /// What is wrong with an answer.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{}: {what}: {}", self.path, answer.text()));
        if answer.status != self.status {
            return wrong(answer.status.as_str());
        }
        let Ok(body) = answer.json() else {
            return wrong("not JSON");
        };
        match self
            .members
            .iter()
            .find(|(name, value)| body[name] != *value)
        {
            Some((name, value)) => wrong(&format!("`{name}` is not {value}")),
            None => Ok(()),
        }
    }
}

/// As many questions, each about something else, so that no answer is in memory already. At most
/// 10,000.
pub(crate) fn distinct(count: usize) -> Vec<Question> {
    const ALL: usize = 10_000;
    let products = products();
    let mut all: Vec<Question> = postcodes().iter().map(Question::postcode).collect();
    all.extend(products.iter().map(Question::product_by_id));
    all.extend(products.iter().map(Question::product_by_sku));
    let unknown = unknown_codes().take(ALL - all.len());
    all.extend(unknown.map(|code| Question::unknown(&code)));
    assert!(count <= all.len());
    // The step has no divisor in common with the number of questions, so each comes once, and all
    // kinds come in turn.
    (0..count).map(|n| all[n * 7_919 % ALL].clone()).collect()
}

/// Questions that are not among the [`distinct`] ones.
pub(crate) fn further() -> impl Iterator<Item = Question> {
    unknown_codes()
        .skip(10_000)
        .map(|code| Question::unknown(&code))
}
