//! What is shown in the place of a secret.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

/// How much of a text that somebody got wrong is repeated.
const MOST_SHOWN: usize = 80;

/// A secret as it may be shown: enough to tell whether two machines have the same one, too little to
/// try passwords against.
pub(crate) fn secret(text: &str) -> String {
    let [first, second, ..] = digest(text);
    format!("*** (fingerprint {first:02x}{second:02x})")
}

fn digest(text: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"tingkat config fingerprint\0");
    hash.update(text.as_bytes());
    hash.finalize().into()
}

/// A text that somebody got wrong, in quotes and not too long; one with a URL's login is not shown.
pub(crate) fn quoted(text: &str) -> String {
    let text = urls(text);
    if text.chars().count() <= MOST_SHOWN {
        return format!("{text:?}");
    }
    let beginning: String = text.chars().take(MOST_SHOWN).collect();
    format!("{beginning:?} and more")
}

/// The text with the logins of all URLs in it taken out.
pub(crate) fn urls(text: &str) -> Cow<'_, str> {
    if !text.contains("://") && !text.contains('@') {
        return Cow::Borrowed(text);
    }
    // A password may have a space in it: from a scheme to the last `@` of all nothing is shown.
    let Some((before, rest)) = text.split_once("://") else {
        return Cow::Owned(words(text));
    };
    let shown = match rest.rsplit_once('@') {
        Some((_, host)) => words(&format!("://***@{host}")),
        None => words(&format!("://{rest}")),
    };
    Cow::Owned(format!("{}{shown}", words(before)))
}

fn words(text: &str) -> String {
    let words: Vec<Cow<'_, str>> = text.split(' ').map(word).collect();
    words.join(" ")
}

/// From the scheme, or the beginning, to the last `@` everything may be a password with characters
/// that belong escaped; what follows a `?` may have one as well.
fn word(word: &str) -> Cow<'_, str> {
    let begin = word.find("://").map_or(0, |at| at + 3);
    let Some((scheme, rest)) = word.split_at_checked(begin) else {
        return Cow::Borrowed("***");
    };
    let rest = match rest.rsplit_once('@') {
        Some((_, host)) => Cow::Owned(format!("***@{host}")),
        None => Cow::Borrowed(rest),
    };
    let has_scheme = begin > 0;
    match rest.split_once('?') {
        Some((before, _)) if has_scheme => Cow::Owned(format!("{scheme}{before}?***")),
        _ if has_scheme || rest.starts_with("***@") => Cow::Owned(format!("{scheme}{rest}")),
        _ => Cow::Borrowed(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_a_url_is_taken_out_wherever_it_stands() {
        for (text, shown) in [
            ("plain words", "plain words"),
            ("redis://cache:6379/0", "redis://cache:6379/0"),
            ("redis://u:hunter2@cache/0", "redis://***@cache/0"),
            (
                "see 'postgres://u:hun@ter2@db/x?password=hunter2' there",
                "see 'postgres://***@db/x?*** there",
            ),
            ("u:hunter2@cache", "***@cache"),
            (
                "postgres://u:hunter2 hunter3@db/x is none",
                "postgres://***@db/x is none",
            ),
            ("http://one:1 and redis://:hunter2@two", "http://***@two"),
            (
                "u:hunter2@a, then http://b?hunter2 there",
                "***@a, then http://b?*** there",
            ),
            (
                "postgres://db/shop?password=hunter2",
                "postgres://db/shop?***",
            ),
        ] {
            assert_eq!(urls(text), shown);
        }
    }

    #[test]
    fn a_fingerprint_tells_secrets_apart_and_has_nothing_of_them() {
        assert_eq!(secret("hunter2"), secret("hunter2"));
        assert_ne!(secret("hunter2"), secret("hunter3"));
        assert!(!secret("ab").contains("ab"));
        assert!(quoted(&"x".repeat(1_000)).len() < 100);
    }
}
