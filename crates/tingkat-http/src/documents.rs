//! `GET /v1/x/{entity}/{key}`, `GET /v1/x/{entity}?keys=` and, for keys with commas and lists that are
//! too long for an address, `POST /v1/x/{entity}:batchGet`: entities that the operator names, whose
//! values are answered as the database gave them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tingkat::{Answer, Cache};
use tingkat_shop::document::{Document, DocumentKey};

use crate::app::App;
use crate::cache_status::together;
use crate::demand::Demand;
use crate::json_body;
use crate::paging;
use crate::problem::{Code, Problem, shortened};
use crate::query::{self, Query};
use crate::reply::{Keep, Reply, json};

const KEYS: &str = "keys";

const PARAMETERS: &[&str] = &[KEYS];

/// Keys in one request.
const MOST: usize = 200;

/// What a POST ends in; a path of the router has nothing behind a parameter.
const BATCH_GET: &str = ":batchGet";

/// Room for that many of the longest keys, in characters of up to four bytes.
pub(crate) const MOST_BYTES: usize = 256 << 10;

const MEMBERS: &str = "the body is such as {\"keys\":[\"a\",\"b\"]}";

type Documents = Cache<DocumentKey, Document>;

/// The document with a key.
pub(crate) async fn by_key(
    State(app): State<Arc<App>>,
    Path((entity, text)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let (documents, key) = (documents(&app, &entity)?, key(&text)?);
    let options = Demand::of(&headers)?.settle(&app.node).await?;
    let answer = documents.look_up(&key, options).await?;
    let trail = answer.trail();
    let reply = if let Some(document) = answer.value() {
        Reply::kept(document.body(), app.keeps.of(&entity), trail)
    } else {
        let detail = format!("{entity} has nothing with the key {:?}", shortened(&text));
        let problem = Problem::new(Code::DocumentUnknown, detail);
        Reply::absent_problem(&problem, Keep::REVALIDATE, trail)
    };
    Ok(reply.to(&headers).await)
}

/// The documents with some keys, in the order of the keys. One that could not be looked up is a
/// problem: a list without it would say that it does not exist.
pub(crate) async fn find(
    State(app): State<Arc<App>>,
    Path(entity): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if entity.ends_with(BATCH_GET) {
        return Ok(answers_only(&entity));
    }
    let query = Query::parse(query.as_deref(), PARAMETERS)?;
    let (documents, keys) = (documents(&app, &entity)?, listed(query.get(KEYS))?);
    let demand = Demand::of(&headers)?;
    let reply = look_up(&app, &entity, documents, &keys, demand).await?;
    Ok(reply.to(&headers).await)
}

/// The body of a request for many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    keys: Vec<String>,
}

/// The documents of `{"keys": ["a", "b"]}`, as [`find`] answers them; a look-up, though it is a POST.
pub(crate) async fn batch_get(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    mut headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Some(entity) = text.strip_suffix(BATCH_GET) else {
        return Ok(answers_only(&text));
    };
    app.tokens.check_look_up(&headers)?;
    query::none(query.as_deref())?;
    let documents = documents(&app, entity)?;
    let Keys { keys } =
        json_body::read(&headers, body, MOST_BYTES, Code::IdsInvalid, MEMBERS).await?;
    if keys.is_empty() {
        let detail = "`keys` is an empty list; it has at least one key";
        return Err(Problem::new(Code::IdsEmpty, detail));
    }
    let too_many = |found| {
        let detail = format!("`keys` has {found} keys; at most {MOST} are answered at a time");
        Problem::new(Code::IdsTooMany, detail).with("most", MOST)
    };
    let keys = query::distinct(keys.iter().map(String::as_str), MOST, too_many, key)?;
    let demand = Demand::of(&headers)?;
    let reply = look_up(&app, entity, documents, &keys, demand).await?;
    // "Not modified" is an answer to GET and HEAD (RFC 9110, 13.1.2).
    headers.remove(header::IF_NONE_MATCH);
    Ok(reply.to(&headers).await)
}

/// Any method that neither an entity nor its batch has.
pub(crate) async fn other_method(Path(text): Path<String>) -> Response {
    answers_only(&text)
}

/// Two routes of one pattern, each with methods of its own.
fn answers_only(text: &str) -> Response {
    let allowed = if text.ends_with(BATCH_GET) {
        "POST"
    } else {
        "GET,HEAD"
    };
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allowed)]).into_response()
}

async fn look_up(
    app: &App,
    entity: &str,
    documents: &Documents,
    keys: &[DocumentKey],
    demand: Demand,
) -> Result<Reply<'static>, Problem> {
    let options = demand.settle(&app.node).await?;
    let answers = documents.look_up_many(keys, options).await;
    let answers: Vec<Answer<Document>> = answers.into_iter().collect::<Result<_, _>>()?;
    // There is at least one key, so there is at least one trail.
    let trail = together(answers.iter().map(Answer::trail)).ok_or_else(Problem::internal)?;
    let body = batch(keys, &answers)?;
    Ok(Reply::of_json(body, app.keeps.of(entity), trail))
}

fn documents<'a>(app: &'a App, entity: &str) -> Result<&'a Documents, Problem> {
    app.documents.of(entity).ok_or_else(|| {
        let known: Vec<&'static str> = app.documents.entities().collect();
        let detail = format!(
            "found {:?}; the member `known_entities` has every entity of the store's own",
            shortened(entity)
        );
        Problem::new(Code::EntityUnknown, detail).with("known_entities", known)
    })
}

fn key(text: &str) -> Result<DocumentKey, Problem> {
    query::named(text, Code::KeyMalformed)
}

/// Keys of a list such as `a,b,c`, each once, in the order in which they are first named.
fn listed(list: Option<&str>) -> Result<Vec<DocumentKey>, Problem> {
    let list = list.unwrap_or_default();
    if list.is_empty() {
        let detail = "give keys separated by commas, such as `keys=a,b`";
        return Err(paging::malformed(KEYS, detail.to_owned()));
    }
    let too_many = |found| {
        let detail = format!("found {found} keys; at most {MOST} are answered at a time");
        paging::malformed(KEYS, detail)
    };
    query::distinct(list.split(','), MOST, too_many, key)
}

/// `{"items":[{"key":…,"value":…}],"missing":[…]}`, with each value as it is.
fn batch(keys: &[DocumentKey], answers: &[Answer<Document>]) -> Result<Vec<u8>, Problem> {
    let mut body = b"{\"items\":[".to_vec();
    let mut missing = Vec::new();
    let mut is_first = true;
    for (key, answer) in keys.iter().zip(answers) {
        let Some(document) = answer.value() else {
            missing.push(key);
            continue;
        };
        if !is_first {
            body.push(b',');
        }
        is_first = false;
        body.extend_from_slice(b"{\"key\":");
        body.extend_from_slice(&json(key)?);
        body.extend_from_slice(b",\"value\":");
        body.extend_from_slice(document.json().as_bytes());
        body.push(b'}');
    }
    body.extend_from_slice(b"],\"missing\":");
    body.extend_from_slice(&json(&missing)?);
    body.push(b'}');
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(list: &str) -> Code {
        listed(Some(list)).unwrap_err().code()
    }

    #[test]
    fn each_key_counts_once_in_the_order_asked() {
        let keys = listed(Some("b,a b,b,c")).unwrap();
        let texts: Vec<&str> = keys.iter().map(DocumentKey::as_str).collect();
        assert_eq!(texts, ["b", "a b", "c"]);
    }

    #[test]
    fn a_list_of_keys_has_one_to_two_hundred() {
        let list = |length| vec!["7"; length].join(",");
        assert_eq!(listed(Some(&list(MOST))).unwrap().len(), 1);
        assert_eq!(code(&list(MOST + 1)), Code::ParameterMalformed);
        assert_eq!(code(""), Code::ParameterMalformed);
        assert_eq!(listed(None).unwrap_err().code(), Code::ParameterMalformed);
        assert_eq!(code("1,,2"), Code::KeyMalformed);
    }
}
