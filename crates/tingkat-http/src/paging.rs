//! Lists that are read page by page: how many things a page has, and where it begins.

use std::str::FromStr;

use bytes::Bytes;
use serde::Serialize;
use tingkat_shop::body::Body;

use crate::problem::{Code, Problem, shortened};
use crate::query::Query;
use crate::reply::json;

/// Things on a page, if the request does not say.
const USUAL: usize = 50;
/// Things on a page at most.
pub(crate) const MOST: usize = 100;

/// A page of a list.
#[derive(Serialize)]
pub(crate) struct Page<T, C> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub(crate) next: Option<C>,
}

impl<T> Page<T, ()> {
    /// The one page of a list that has one.
    pub(crate) const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// `{"items":[…],` and one more member: a list of things that have their bodies already.
pub(crate) fn listed(
    items: &[&Body],
    member: &'static str,
    value: &impl Serialize,
) -> Result<Bytes, Problem> {
    let value = json(value)?;
    let bytes = items
        .iter()
        .map(|body| body.bytes().len() + 1)
        .sum::<usize>();
    let mut list = Vec::with_capacity(bytes + value.len() + member.len() + 32);
    list.extend_from_slice(b"{\"items\":[");
    for (index, body) in items.iter().enumerate() {
        if index > 0 {
            list.push(b',');
        }
        list.extend_from_slice(body.bytes());
    }
    for part in [b"],\"", member.as_bytes(), b"\":", &value, b"}"] {
        list.extend_from_slice(part);
    }
    Ok(list.into())
}

/// The parameter `limit`.
pub(crate) fn limit(query: &Query<'_>) -> Result<usize, Problem> {
    let Some(text) = query.get("limit") else {
        return Ok(USUAL);
    };
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| {
        malformed(
            "limit",
            format!("found {:?}; `limit` is from 1 to {MOST}", shortened(text)),
        )
    })
}

/// The parameter `cursor`, which is what an earlier page had as `next`.
pub(crate) fn cursor<C: FromStr>(query: &Query<'_>) -> Result<Option<C>, Problem> {
    let read = |text: &str| {
        text.parse().map_err(|_| {
            let detail = format!(
                "found {:?}; `cursor` is the `next` of an earlier page of this list",
                shortened(text)
            );
            Problem::new(Code::CursorMalformed, detail)
        })
    };
    query.get("cursor").map(read).transpose()
}

/// A parameter has a value that it can not have.
pub(crate) fn malformed(parameter: &'static str, detail: String) -> Problem {
    Problem::new(Code::ParameterMalformed, detail).with("parameter", parameter)
}
