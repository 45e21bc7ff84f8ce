//! `tingkat config init`: a file to begin with.

use crate::config::keys::{self, Key};
use crate::config::kind::{Kind, Raw};

/// Every key, commented out, with its default.
pub(super) fn text() -> String {
    let mut text = String::from(
        "# The configuration of Tingkat. Everything is as it would be without this file.\n\
         # Keep secrets out of it: each key has a variable, and one with _FILE.\n",
    );
    let mut section = "";
    for key in keys::all() {
        let (here, name) = key.parts();
        if here != section {
            section = here;
            text = format!("{text}\n[{section}]\n");
        }
        text = format!("{text}# {}\n# {name} = {}\n", key.sentence, value(key));
    }
    text
}

fn value(key: &Key) -> String {
    let default = key.default.clone();
    let read = default.and_then(|text| key.kind.read(&Raw::Word(text)).ok());
    read.map_or_else(|| example(key).to_owned(), |value| value.in_toml())
}

/// Something of the right kind, where being left out has a meaning of its own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other kind takes a text"
)]
fn example(key: &Key) -> &'static str {
    match key.kind {
        Kind::Redis => "\"rediss://cache.internal:6379\"",
        Kind::Database => "\"postgres://shop@db.internal/shop?sslmode=verify-full\"",
        Kind::Tokens => "[\"write:<SHA-256 of a token>\"]",
        Kind::Prefix => "\"shop:prod:\"",
        Kind::Hosts => "\"one:26379,two:26379\"",
        Kind::Schedule => "\"30 6 * * *\"",
        Kind::Flag => "true",
        Kind::Choice(known) => match known.first() {
            Some(&"high-throughput") => "\"high-throughput\"",
            _ => "\"\"",
        },
        Kind::Choices(_) | Kind::Names | Kind::Origins | Kind::Networks | Kind::Tables => "[]",
        Kind::Integer { .. } => "1",
        _ => "\"…\"",
    }
}

#[cfg(test)]
mod tests {
    use crate::config::document;

    #[test]
    fn what_init_prints_says_nothing_and_says_the_defaults_when_uncommented() {
        let text = super::text();
        let document = document::read("init", text.clone());
        assert!(document.problems.is_empty() && document.entries.is_empty());
        let lines = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") && !rest.starts_with(char::is_uppercase) => rest,
            _ => line,
        });
        let document = document::read("init", lines.collect::<Vec<_>>().join("\n"));
        assert!(document.problems.is_empty(), "{:?}", document.problems);
        assert_eq!(document.entries.len(), crate::config::keys::all().len());
    }
}
