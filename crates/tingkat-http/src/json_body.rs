//! The bodies of requests: a JSON object of at most so many bytes, with known members.

use std::fmt;
use std::marker::PhantomData;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use crate::edge::places::without_place;
use crate::problem::{Code, Problem, shortened};

/// An object and nothing else: an array would be taken for the members in their order.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        from.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// The body of a request; `members` is a sentence that says what would be right, and `invalid` what it
/// is if it is JSON and something else.
pub(crate) async fn read<T: for<'de> Deserialize<'de>>(
    headers: &HeaderMap,
    body: Body,
    most_bytes: usize,
    invalid: Code,
    members: &str,
) -> Result<T, Problem> {
    check_media_type(headers)?;
    let bytes = whole(body, most_bytes).await?;
    let Object(document) = serde_json::from_slice(&bytes).map_err(|error| {
        let detail = format!("{}; {members}", shortened(&error.to_string()));
        match error.classify() {
            Category::Data => Problem::new(invalid, detail),
            Category::Syntax | Category::Eof | Category::Io => {
                Problem::new(Code::BodyMalformed, detail)
            }
        }
    })?;
    Ok(document)
}

/// All of it, unless it is too much, takes too long, or ends too soon.
async fn whole(body: Body, most_bytes: usize) -> Result<Bytes, Problem> {
    let read = without_place(to_bytes(body, most_bytes)).await?;
    read.map_err(|error| {
        let source = std::error::Error::source(&error);
        if matches!(source, Some(it) if it.is::<LengthLimitError>()) {
            let detail =
                format!("the body has more than the {most_bytes} bytes that are read of it");
            return Problem::new(Code::BodyTooLarge, detail).with("most_bytes", most_bytes);
        }
        Problem::new(
            Code::BodyBroken,
            "the body ended before its length was reached, or is not framed as its headers say",
        )
    })
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE);
    let text = given.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let text = text.unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_json = ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known));
    if is_json {
        return Ok(());
    }
    let found = shortened(essence);
    let detail = format!("found {found:?}; the body is `application/json`");
    Err(Problem::new(Code::MediaTypeUnknown, detail))
}

/// A member that is there has a value: `null` is none.
pub(crate) fn given<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}
