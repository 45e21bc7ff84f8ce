//! Entity tags: made from the bytes of a body, and compared with those that a client holds.

use axum::http::{HeaderMap, HeaderValue, header};
use xxhash_rust::xxh3::xxh3_128;

/// The strong tag of these bytes. Equal bytes have equal tags on every node.
pub(crate) fn of(body: &[u8]) -> HeaderValue {
    let text = format!("\"{:032x}\"", xxh3_128(body));
    // Hexadecimal digits in quotes are always a header value.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` names the tag, compared weakly (RFC 9110, 13.1.2).
pub(crate) fn is_held(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|list| list.trim() == "*" || tags(list).any(|held| held == tag))
}

/// The opaque tags of a list, in their quotes and without `W/`. What is no tag ends the list.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.trim_start_matches([' ', '\t', ',']);
        let start = start.strip_prefix("W/").unwrap_or(start);
        let end = start.strip_prefix('"')?.find('"')? + 2;
        let (tag, after) = start.split_at_checked(end)?;
        rest = after;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(values: &[&str], tag: &str) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
        }
        is_held(&headers, &HeaderValue::from_str(tag).unwrap())
    }

    #[test]
    fn a_tag_is_quoted_and_follows_the_bytes() {
        assert_eq!(of(b"").len(), 34);
        assert_eq!(of(b"a"), of(b"a"));
        assert_ne!(of(b"a"), of(b"b"));
    }

    #[test]
    fn lists_stars_and_weak_tags_match() {
        let tag = "\"abc\"";
        for values in [
            &["\"abc\""][..],
            &["W/\"abc\""],
            &["*"],
            &[" * "],
            &["\"x\", \"abc\""],
            &["\"x\",W/\"abc\"  , \"y\""],
            &["\"a,b\", \"abc\""],
            &[", ,\"abc\""],
            &["\"x\"", "\"abc\""],
        ] {
            assert!(holds(values, tag), "{values:?}");
        }
    }

    #[test]
    fn other_tags_and_garbage_do_not_match() {
        let tag = "\"abc\"";
        for values in [
            &[][..],
            &[""],
            &["abc"],
            &["\"ABC\""],
            &["\"abc"],
            &["w/\"abc\""],
            &["\"x\" \"y"],
            &["\"*\""],
            &["\"xabc\""],
        ] {
            assert!(!holds(values, tag), "{values:?}");
        }
    }
}
