//! Entity tags: those that a client holds.

use axum::http::{HeaderMap, header};

/// Which of some tags `If-None-Match` names, compared weakly (RFC 9110, 13.1.2); `*` is the first.
pub(crate) fn held<'a, T: AsRef<[u8]>>(request: &HeaderMap, tags: &'a [T]) -> Option<&'a T> {
    let values = request.get_all(header::IF_NONE_MATCH).iter();
    let mut lists = values.filter_map(|value| value.to_str().ok());
    lists.find_map(|list| {
        if list.trim() == "*" {
            return tags.first();
        }
        let mut named = named(list);
        named.find_map(|held| tags.iter().find(|tag| (*tag).as_ref() == held.as_bytes()))
    })
}

/// The opaque tags of a list, in their quotes and without `W/`. What is no tag ends the list.
fn named(list: &str) -> impl Iterator<Item = &str> {
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
    use axum::http::HeaderValue;

    use super::*;

    fn holds(values: &[&str], tags: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
        }
        held(&headers, tags).map(ToString::to_string)
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
            assert_eq!(holds(values, &[tag]).as_deref(), Some(tag), "{values:?}");
        }
    }

    #[test]
    fn other_tags_and_garbage_do_not_match() {
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
            assert_eq!(holds(values, &["\"abc\""]), None, "{values:?}");
        }
    }

    #[test]
    fn of_two_forms_the_one_that_is_held_matches() {
        let tags = ["\"abc\"", "\"abc-gzip\""];
        assert_eq!(
            holds(&["\"x\", \"abc-gzip\""], &tags).as_deref(),
            Some("\"abc-gzip\"")
        );
        assert_eq!(holds(&["\"abc\""], &tags).as_deref(), Some("\"abc\""));
        assert_eq!(holds(&["*"], &tags).as_deref(), Some("\"abc\""));
        assert_eq!(holds(&["\"abc-\""], &tags), None);
    }
}
