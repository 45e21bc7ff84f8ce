//! The two databases, as shoppers see them: there is no difference.

use std::sync::Arc;

use serde_json::Value;
use tingkat_lab::Target;

use crate::crowd::Crowd;
use crate::day::on_one_day;
use crate::program::{Folder, Program};
use crate::question::Question;
use crate::stores::installed;
use crate::truth::{postcodes, products, unknown_codes};

#[tokio::test]
async fn sqlite_and_postgresql_give_the_same_bytes() {
    on_one_day(async || {
        let served = installed().await;
        let mut nodes = Vec::new();
        for url in ["sqlite:tingkat.db", &served.url()] {
            let program = Program::serve(&Folder::new()).with("DATABASE_URL", url);
            nodes.push(program.listening().await);
        }
        let (embedded, served) = (
            bodies(&nodes[0].target).await,
            bodies(&nodes[1].target).await,
        );
        assert_eq!(embedded.len(), 3_023 + 100 + 1_958 * 2 + LISTS.len());
        assert_eq!(served.len(), embedded.len());
        for (one, other) in embedded.iter().zip(&served) {
            assert_eq!(one, other);
        }
    })
    .await;
}

const LISTS: &[&str] = &[
    "/v1/states",
    "/v1/postcodes",
    "/v1/postcodes?limit=100&cursor=50450",
    "/v1/postcodes?state=sgr&limit=100",
    "/v1/postcodes?zone=east&q=kota%20k",
    "/v1/postcodes?city=UNIVERSITI%20utara%20malaysia",
    "/v1/postcodes?q=0100",
    "/v1/products?ids=1,2,none,3",
    "/v1/products/1?tier=member",
    "/v1/products/none",
    "/v1/products?slug=none",
    "/v1/products?limit=100",
    "/v1/products?sort=price",
    "/v1/products?sort=-price&limit=7",
    "/v1/products?sort=name&featured=true&tier=member",
    "/v1/products?sort=popularity",
    "/v1/products?promoted=true&sort=price&limit=100",
    "/v1/products?category=c1",
    "/v1/products?cursor=name.0.0.1.m",
    "/v1/categories",
    "/v1/categories/c1",
    "/v1/categories/c1/products?sort=popularity&limit=20",
    "/v1/categories/none",
];

/// The path, the status and the body of every postcode, some codes that are none, every product
/// and some lists, in an order of their own.
async fn bodies(target: &Arc<Target>) -> Vec<(String, u16, String)> {
    let products = products();
    let mut questions: Vec<Question> = postcodes().iter().map(Question::postcode).collect();
    questions.extend(
        unknown_codes()
            .take(100)
            .map(|code| Question::unknown(&code)),
    );
    questions.extend(products.iter().map(Question::product_by_id));
    questions.extend(products.iter().map(Question::product_by_sku));
    let report = Crowd::ask(target, questions).finished().await;
    assert!(!report.right().is_empty());

    let asked = report.0.into_iter();
    let mut bodies: Vec<(String, u16, String)> = asked
        .map(|asked| (asked.question.path, asked.result.unwrap()))
        .map(|(path, answer)| (path, answer.status.as_u16(), answer.text()))
        .collect();
    for path in LISTS {
        let list = target.get(path).await.unwrap();
        assert!(list.status == 200 || path.ends_with("none"), "{path}");
        let text = if list.status == 200 {
            list.text()
        } else {
            without_the_request(&list.text())
        };
        bodies.push(((*path).to_owned(), list.status.as_u16(), text));
    }
    bodies.sort();
    bodies
}

/// A problem, without what names the request.
fn without_the_request(problem: &str) -> String {
    let mut problem: Value = serde_json::from_str(problem).unwrap();
    let members = problem.as_object_mut().unwrap();
    for name in ["request_id", "trace_id"] {
        members.remove(name);
    }
    problem.to_string()
}
