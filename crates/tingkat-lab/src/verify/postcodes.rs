//! Postcodes: where they are, and what is none.

use hyper::StatusCode;
use serde_json::Value;

use super::check::Found;
use super::each::on_every_node;
use super::end::{End, must, skipped};
use super::scene::{Scene, text};

const SOME: usize = 24;

/// Postcodes are where the database has them.
pub(super) async fn true_to_the_store(scene: &Scene) -> Found {
    let rows = scene.store()?.postcodes(SOME).await?;
    if rows.is_empty() {
        return skipped("the store has no postcode");
    }
    on_every_node(scene, async |node| {
        for row in &rows {
            let answer = node.json(&format!("/v1/postcodes/{}", row.code)).await?;
            let cities = answer.pointer("/location/cities").and_then(Value::as_array);
            let mut cities: Vec<&str> = cities
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let mut stored: Vec<&str> = row.cities.iter().map(String::as_str).collect();
            cities.sort_unstable();
            stored.sort_unstable();
            let state = text(&answer, "/location/state_code");
            let is_so = answer.get("valid") == Some(&Value::Bool(true))
                && text(&answer, "/formatted") == row.code
                && state == row.state_code
                && cities == stored;
            must(is_so, || {
                let (code, stored_state) = (&row.code, &row.state_code);
                format!(
                    "{code} is {stored:?} in {stored_state}, and is answered as {cities:?} in {state:?}"
                )
            })?;
        }
        Ok(format!("{} postcodes", rows.len()))
    })
    .await
}

/// A postcode that there is not is known not to be there.
pub(super) async fn unknown(scene: &Scene) -> Found {
    // Malaysia has none below 01000; a store may have made some up.
    let mut codes: Vec<String> = (1..=9).map(|number| format!("{number:05}")).collect();
    if let Ok(store) = &scene.store {
        let there = store.postcodes_among(&codes).await?;
        codes.retain(|code| !there.contains(code));
    }
    let Some(code) = codes.first() else {
        return skipped("the store has all postcodes that would be asked for");
    };
    let path = &format!("/v1/postcodes/{code}");
    on_every_node(scene, async |node| {
        let body = node.read(path, &node.get(path).await?, StatusCode::NOT_FOUND)?;
        must(body.get("valid") == Some(&Value::Bool(false)), || {
            format!("the answer of {path} does not say valid: false")
        })?;
        Ok("404 with valid: false".to_owned())
    })
    .await
}

/// What is no postcode is refused, and white space is no fault.
pub(super) async fn written(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        for path in ["/v1/postcodes/5045", "/v1/postcodes/5o450"] {
            let answer = node.get(path).await?;
            problem(
                node.read(path, &answer, StatusCode::UNPROCESSABLE_ENTITY)?,
                path,
            )?;
        }
        let (plain, spaced) = ("/v1/postcodes/50450", "/v1/postcodes/%2050%20450");
        let (plain, spaced) = (node.get(plain).await?, node.get(spaced).await?);
        must(
            plain.status == spaced.status && plain.body == spaced.body,
            || "50450 and \" 50 450\" are answered differently".to_owned(),
        )?;
        Ok("two are refused, and one is put right".to_owned())
    })
    .await
}

/// A refusal is a problem document.
pub(super) fn problem(body: Value, path: &str) -> Result<Value, End> {
    let is_one = ["/type", "/title", "/code"]
        .iter()
        .all(|at| !text(&body, at).is_empty());
    must(is_one, || {
        format!("the answer of {path} is no problem document")
    })?;
    Ok(body)
}
