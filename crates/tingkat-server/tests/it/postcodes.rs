//! Every postcode of the country, over HTTP.

use crate::crowd::Crowd;
use crate::program::Node;
use crate::question::Question;
use crate::truth::{postcodes, rows, unknown_codes};

#[tokio::test]
async fn every_row_of_the_data_is_answered_with_its_city_state_and_zone() {
    let node = Node::alone().await;
    let postcodes = postcodes();
    let questions = postcodes.iter().map(Question::postcode).collect();
    let report = Crowd::ask(&node.target, questions).finished().await;
    assert_eq!(report.right().len(), 3_023);

    let rows = rows("postcodes.csv");
    assert_eq!(rows.len(), 3_028);
    let cities: usize = postcodes.iter().map(|it| it.cities.len()).sum();
    assert_eq!(cities, rows.len());
}

#[tokio::test]
async fn where_two_cities_share_a_postcode_the_first_of_the_data_is_the_primary_one() {
    let node = Node::alone().await;
    let mut shared = Vec::new();
    for postcode in postcodes().into_iter().filter(|it| it.cities.len() > 1) {
        let answer = node.get(&format!("/v1/postcodes/{}", postcode.code)).await;
        let location = answer.json().unwrap()["location"].clone();
        shared.push(format!(
            "{} {} {}",
            postcode.code, location["city"], location["cities"]
        ));
    }
    assert_eq!(
        shared,
        [
            r#"06010 "Changloon" ["Changloon","Universiti Utara Malaysia"]"#,
            r#"48050 "Rawang" ["Rawang","Kuang"]"#,
            r#"53100 "Kuala Lumpur" ["Kuala Lumpur","Hulu Langat"]"#,
            r#"81550 "Gelang Patah" ["Gelang Patah","Pulau Satu"]"#,
            r#"89260 "Beverly" ["Beverly","Tenghilan"]"#,
        ]
    );
}

#[tokio::test]
async fn a_code_that_is_no_postcode_is_not_valid() {
    let node = Node::alone().await;
    let questions = unknown_codes().take(1_000);
    let questions = questions.map(|code| Question::unknown(&code)).collect();
    let report = Crowd::ask(&node.target, questions).finished().await;
    assert_eq!(report.right().len(), 1_000);
}

#[tokio::test]
async fn the_east_is_sabah_sarawak_and_labuan() {
    let node = Node::alone().await;
    let states = node.get("/v1/states").await.json().unwrap();
    let states = states["items"].as_array().unwrap();
    assert_eq!(states.len(), 16);
    let east: Vec<&str> = states
        .iter()
        .filter(|state| state["zone"] == "east")
        .map(|state| state["name"].as_str().unwrap())
        .collect();
    assert_eq!(east, ["Wilayah Persekutuan Labuan", "Sabah", "Sarawak"]);
    assert!(
        states
            .iter()
            .all(|it| it["zone"] == "east" || it["zone"] == "west")
    );
}

#[tokio::test]
async fn the_pages_of_a_list_are_all_postcodes_in_order() {
    let node = Node::alone().await;
    let mut codes = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let cursor = match cursor.as_str() {
            "" => String::new(),
            cursor => format!("&cursor={cursor}"),
        };
        let page = node.get(&format!("/v1/postcodes?limit=100{cursor}")).await;
        let page = page.json().unwrap();
        let items = page["items"].as_array().unwrap();
        codes.extend(
            items
                .iter()
                .map(|item| item["formatted"].as_str().unwrap().to_owned()),
        );
        next = page["next"].as_str().map(ToOwned::to_owned);
    }
    let mut wanted: Vec<String> = postcodes().into_iter().map(|it| it.code).collect();
    wanted.sort();
    assert_eq!(codes, wanted);
}
