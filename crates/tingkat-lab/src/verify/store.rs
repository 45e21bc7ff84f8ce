//! The database and its change log, read past the service.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::json;

use super::check::Found;
use super::each::on_every_node;
use super::end::{failed, must, skipped};
use super::node::eventually;
use super::scene::Scene;

/// Folding takes no longer.
const BUSY: Duration = Duration::from_secs(4);

/// The store's tables are there and can be read.
pub(super) async fn tables(scene: &Scene) -> Found {
    let wrong = scene.store()?.wrong_tables().await?;
    must(wrong.is_empty(), || wrong.join("; "))?;
    Ok("every statement gives what is read of it".to_owned())
}

/// The change log is there, with its triggers and rights.
pub(super) async fn change_log(scene: &Scene) -> Found {
    let wrong = scene.store()?.wrong_log().await?;
    must(wrong.is_empty(), || wrong.join("; "))?;
    Ok("the change log is whole".to_owned())
}

/// What is committed is told in the log.
pub(super) async fn triggers(scene: &Scene) -> Found {
    scene.may_write()?;
    let store = scene.store()?;
    let product = scene.scratch_product().await?;
    let dep = format!("product:{}", product.id);
    let told = store.changes_of(&dep).await?;
    must(told > 0, || {
        format!("a product was committed, and the log has no change of {dep}")
    })?;
    let Some(rehearsal) = store.rehearse().await? else {
        return Ok("a commit was told".to_owned());
    };
    let (tried, wrong) = (rehearsal.tried, rehearsal.wrong);
    must(wrong.is_empty(), || wrong.join("; "))?;
    if !rehearsal.refused.is_empty() {
        return skipped(rehearsal.refused.join("; "));
    }
    if tried == 0 {
        return skipped("no table has a row that could be changed");
    }
    Ok(format!(
        "a commit was told, and {tried} changes that were undone"
    ))
}

/// The log is kept short.
pub(super) async fn pruning(scene: &Scene) -> Found {
    scene.may_write()?;
    let store = scene.store()?;
    // A node is at it for a moment each minute.
    let seen = eventually(BUSY, async || {
        Ok(if store.compact().await? {
            Ok(())
        } else {
            Err("another session folds old changes, and goes on".to_owned())
        })
    });
    match seen.await? {
        Ok(()) => Ok("old changes can be folded".to_owned()),
        Err(why) => skipped(why),
    }
}

/// The position of a write is the transaction that the database gave it.
pub(super) async fn commit_clock(scene: &Scene) -> Found {
    let store = scene.store()?;
    on_every_node(scene, async |node| {
        let product = scene.scratch_product().await?;
        let path = format!("/v1/products/{}", product.id);
        let before = store.next_position().await?;
        let answer = node
            .send(Method::PATCH, &path, &json!({ "stock": 5 }))
            .await?;
        let after = store.next_position().await?;
        node.is_open(&answer)?;
        let body = node.read(&path, &answer, StatusCode::OK);
        if answer.status == StatusCode::NOT_IMPLEMENTED {
            return skipped("the service does not write this database");
        }
        body?;
        let Some(token) = answer.header("tingkat-position") else {
            return failed("the answer to a write has no Tingkat-Position");
        };
        let position = token
            .rsplit(':')
            .next()
            .and_then(|it| it.parse::<u64>().ok());
        let Some(position) = position else {
            return failed(format!("Tingkat-Position is {token:?}"));
        };
        must((before..after).contains(&position), || {
            format!(
                "a write has the position {position}, and the database was between {before} and \
                 {after}; does the service use another database?"
            )
        })?;
        Ok(format!("position {position}, between {before} and {after}"))
    })
    .await
}
