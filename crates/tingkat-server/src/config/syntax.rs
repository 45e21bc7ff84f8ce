//! What is wrong with a text that is no TOML, and what would be right. Shows no line that may have a
//! secret.

use std::ops::Range;
use std::sync::Arc;

use super::origin::{Origin, Source};
use super::problem::Problem;
use super::{keys, suggest};

/// What the parser says, by its first words, and what helps. The first that fits counts.
const HELP: &[(&[&str], &str)] = &[
    (
        &[
            "unclosed table",
            "missing table open",
            "unclosed array table",
        ],
        "a section is one line with both brackets, such as [redis]",
    ),
    (
        &["string values must be quoted"],
        "write texts, times and sizes in quotes, such as poll_interval = \"100ms\"",
    ),
    (
        &[
            "invalid basic string",
            "invalid literal string",
            "invalid multi-line",
        ],
        "a text begins and ends with the same quote, in one line; '…' takes \\ and \" as they are",
    ),
    (
        &["invalid integer", "invalid float", "invalid boolean"],
        "a number has digits alone, a flag is true or false, and all else is in quotes",
    ),
    (
        &["duplicate key"],
        "keep one of them: a key is set once, and a section begins once",
    ),
    (
        &["unclosed array", "missing comma between array"],
        "a list is [\"one\", \"two\"], with a comma between its values",
    ),
    (
        &[
            "key with no value",
            "missing value",
            "missing assignment",
            "unexpected key or value",
        ],
        "a line is a key, `=` and a value, such as budget = \"50ms\"",
    ),
    (
        &["invalid unquoted key", "unquoted keys cannot"],
        "keys have letters, digits, `_` and `-`, such as key_prefix",
    ),
];

/// What helps where the words say it all.
const OTHERWISE: &str =
    "`tingkat config init` prints a file to begin with, and toml.io says how one is written";

fn help(message: &str) -> String {
    let fits = |begin: &&str| message.starts_with(begin);
    let found = HELP.iter().find(|(begins, _)| begins.iter().any(fits));
    found.map_or(OTHERWISE, |(_, help)| help).to_owned()
}

/// Of the text the lines are shown whose keys are known to have no secrets.
pub(super) fn problems(name: &str, text: &str, errors: &[toml::de::Error]) -> Vec<Problem> {
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: text.into(),
        hidden: hidden(text),
    });
    let problems = errors.iter().map(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let origin = Origin::File {
            source: Arc::clone(&source),
            span: error.span().unwrap_or(0..0),
        };
        let help = Some(help(&message));
        Problem::of_file(Some(origin), format!("not TOML: {message}")).helped(help)
    });
    problems.collect()
}

/// What may be a secret, line by line.
fn hidden(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let (mut section, mut at) = (String::new(), 0);
    for line in text.split_inclusive('\n') {
        let (begin, shown) = (at, line.trim());
        at += line.len();
        if let Some(rest) = shown.strip_prefix('[') {
            let end = rest.find(']').unwrap_or(rest.len());
            rest.get(..end)
                .unwrap_or_default()
                .trim()
                .clone_into(&mut section);
        }
        let path = line.split_once('=').map(|(key, _)| {
            let key = key.trim();
            if section.is_empty() {
                key.to_owned()
            } else {
                format!("{section}.{key}")
            }
        });
        let key = path.as_deref().and_then(keys::find);
        let is_plain = key.is_some_and(|key| !key.kind.is_secret())
            && line
                .split_once('=')
                .is_some_and(|(_, value)| is_one_value(value));
        let is_header = shown.starts_with('[') && shown.ends_with(']') && !shown.contains('=');
        if is_plain || shown.is_empty() || is_header {
            continue;
        }
        // What is like no key may be the secret itself.
        let is_named = key.is_some() || path.as_deref().is_some_and(is_like_a_key);
        let value = line.find('=').filter(|_| is_named);
        let value = value.map_or(begin, |equals| begin + equals + 1);
        let end = begin + line.trim_end().len();
        if value < end {
            hidden.push(value..end);
        }
    }
    hidden
}

/// Whether somebody wrote one of the keys nearly right.
fn is_like_a_key(path: &str) -> bool {
    let known = keys::all().iter().map(|key| key.path.as_str());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    path.chars().all(is_plain) && suggest::nearest(path, known).is_some()
}

/// Whether nothing else can stand behind what stands here: one word, or one text, that has no URL in it.
fn is_one_value(text: &str) -> bool {
    let text = text.trim();
    let quotes = text.chars().filter(|it| matches!(it, '"' | '\''));
    let is_odd =
        |it: char| it.is_whitespace() || matches!(it, ',' | '#' | '@' | '=' | ';' | '{' | '}');
    let begins = text.starts_with(['"', '\'']);
    match quotes.count() {
        0 => !text.contains(is_odd),
        // One that is not closed, or one that is.
        1 => begins && !text.contains(is_odd),
        2 => begins && text.ends_with(['"', '\'']) && !text.contains(['@', '#']),
        _ => false,
    }
}
