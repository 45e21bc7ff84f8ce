//! A TOML file as a list of values, each with its place. What it can not be sure of is hidden.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key, Own};
use super::kind::Raw;
use super::origin::{Origin, Source};
use super::problem::Problem;
use super::{suggest, syntax};

/// Deeper than this nothing is configured.
const DEEPEST: usize = 8;

/// A file longer than this is no configuration.
pub(crate) const LONGEST: usize = 1 << 20;

/// What helps where no key is like what was written.
const ALL_KEYS: &str = "`tingkat config init` prints all keys";

/// What makes a section one of an entity that the operator names.
const LOAD: &str = ".load";

/// A value of the file, whatever it is called.
struct Leaf {
    path: String,
    /// The last part of its name.
    name: Range<usize>,
    value: Range<usize>,
    raw: Raw,
}

/// What a file says.
#[derive(Default)]
pub(crate) struct Document {
    /// Values of keys that there are.
    pub(crate) entries: Vec<(String, Raw, Origin)>,
    /// Entities that the operator names.
    pub(crate) own: Vec<&'static Own>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads a file.
pub(crate) fn read(name: &str, text: String) -> Document {
    if text.len() > LONGEST {
        let message = format!("{name}: longer than a configuration can be ({LONGEST} bytes)");
        let help = "a configuration has keys and their values: is it another file?".to_owned();
        return Document {
            problems: vec![Problem::of_file(None, message).helped(Some(help))],
            ..Document::default()
        };
    }
    let (table, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        return Document {
            problems: syntax::problems(name, &text, &errors),
            ..Document::default()
        };
    }
    let mut leaves = Vec::new();
    flatten("", table.get_ref(), 0, &mut leaves);
    let (own, misnamed) = own(&leaves);
    let hidden = leaves.iter().flat_map(|leaf| hidden(&text, leaf, &own));
    let hidden = apart(hidden.collect());
    drop(table);
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: text.into(),
        hidden,
    });
    let mut document = Document::default();
    for leaf in leaves {
        let origin = |span| Origin::File {
            source: Arc::clone(&source),
            span,
        };
        if is_told_with_its_section(&leaf.path, &misnamed) {
            continue;
        }
        match fault(&leaf, &own) {
            None => document
                .entries
                .push((leaf.path, leaf.raw, origin(leaf.value))),
            Some((message, help)) => document
                .problems
                .push(unnamed(&leaf.path, origin(leaf.name), message).helped(help)),
        }
    }
    document.own = own;
    document
}

/// Entities that the operator names, by what loads them, and names that none can have.
fn own(leaves: &[Leaf]) -> (Vec<&'static Own>, Vec<String>) {
    let (mut own, mut misnamed) = (Vec::new(), Vec::new());
    for leaf in leaves {
        let name = leaf.path.strip_prefix("entity.");
        let name = name.and_then(|name| name.strip_suffix(LOAD));
        let Some(name) = name.filter(|name| !name.contains('.') && !keys::is_built_in(name)) else {
            continue;
        };
        if keys::check_name(name).is_ok() {
            own.push(keys::declare(name));
        } else {
            misnamed.push(format!("entity.{name}"));
        }
    }
    own.sort_by_key(|own| own.known.name);
    (own, misnamed)
}

/// Of a section whose name is wrong, that is told once.
fn is_told_with_its_section(path: &str, misnamed: &[String]) -> bool {
    let section = path.rsplit_once('.').map(|(section, _)| section);
    let is_misnamed = misnamed.iter().any(|it| section == Some(it));
    is_misnamed && !path.ends_with(LOAD)
}

/// A key that there is, or that one of these entities has.
pub(crate) fn find(path: &str, own: &[&'static Own]) -> Option<&'static Key> {
    keys::find(path).or_else(|| own.iter().find_map(|own| own.find(path)))
}

/// A value is shown only where its key is known to have no secret in it.
fn may_be_secret(leaf: &Leaf, own: &[&'static Own]) -> bool {
    let is_plain = find(&leaf.path, own).is_some_and(|key| !key.kind.is_secret());
    !is_plain || has_secret(&leaf.raw)
}

fn has_secret(raw: &Raw) -> bool {
    match raw {
        Raw::Text(text) | Raw::Word(text) => {
            text.contains("://") || text.contains('@') || text.contains("-----BEGIN")
        }
        Raw::List(items) => items.iter().any(has_secret),
        Raw::Integer(_) | Raw::Float(_) | Raw::Flag(_) | Raw::Other(_) => false,
    }
}

/// What is not shown of the lines of a value: a name with a URL in it, what may be a secret, and every comment,
/// which may be the value of yesterday.
fn hidden(text: &str, leaf: &Leaf, own: &[&'static Own]) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    if has_login(&leaf.path) {
        hidden.push(leaf.name.clone());
    }
    if may_be_secret(leaf, own) {
        hidden.push(leaf.value.clone());
    }
    let comment = |from: usize, end: usize| {
        let line = text.get(from..end).unwrap_or_default();
        line.find('#').map(|at| from + at..end)
    };
    let line_end = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.find(['\r', '\n']).unwrap_or(rest.len())
    };
    // Those inside a list of several lines stand before its end.
    let mut from = leaf.value.start;
    let has_lines = matches!(leaf.raw, Raw::List(_) | Raw::Other(_));
    while has_lines && line_end(from) < leaf.value.end {
        hidden.extend(comment(from, line_end(from)));
        from = line_end(from) + 1;
    }
    hidden.extend(comment(leaf.value.end, line_end(leaf.value.end)));
    hidden
}

/// In their order, and none in another one.
fn apart(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| span.start);
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            Some(_) | None => apart.push(span),
        }
    }
    apart
}

/// Whether a name has what may be a login in it, which belongs behind the name.
fn has_login(path: &str) -> bool {
    super::redact::urls(path) != path || path.contains('@')
}

/// A problem with a name that may itself be a secret.
fn unnamed(path: &str, origin: Origin, message: String) -> Problem {
    if has_login(path) {
        return Problem::new("a name that is none", Some(origin), message);
    }
    Problem::new(path, Some(origin), message)
}

fn flatten(prefix: &str, table: &DeTable<'_>, depth: usize, leaves: &mut Vec<Leaf>) {
    for (name, value) in table {
        let path = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        let is_inner = keys::find(&path).is_none() && depth < DEEPEST;
        match value.get_ref() {
            DeValue::Table(inner) if is_inner && !inner.is_empty() => {
                flatten(&path, inner, depth + 1, leaves);
            }
            // An empty section that there is says nothing.
            DeValue::Table(inner) if inner.is_empty() && keys::is_section(&path) => {}
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => leaves.push(Leaf {
                path,
                name: name.span(),
                value: value.span(),
                raw: raw(value.get_ref()),
            }),
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(it) => i64::from_str_radix(&it.as_str().replace('_', ""), it.radix())
            .map_or(Raw::Other("a number that is too large"), Raw::Integer),
        DeValue::Float(it) => it
            .as_str()
            .replace('_', "")
            .parse()
            .map_or(Raw::Other("a number"), Raw::Float),
        DeValue::Boolean(it) => Raw::Flag(*it),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Array(items) => {
            Raw::List(items.iter().map(|it| raw(Spanned::get_ref(it))).collect())
        }
        DeValue::Table(_) => Raw::Other("a section"),
    }
}

/// What is wrong with the name of a value, and what to do.
fn fault(leaf: &Leaf, own: &[&'static Own]) -> Option<(String, Option<String>)> {
    if find(&leaf.path, own).is_some() {
        return None;
    }
    let section = leaf.path.strip_suffix(LOAD);
    let name = section.and_then(|section| section.strip_prefix("entity."));
    if let Some(name) = name.filter(|name| !name.contains('.') && !keys::is_built_in(name))
        && let Err(expected) = keys::check_name(name)
    {
        let found = super::redact::quoted(name);
        let help = "begin the section with a name like that: [entity.shipping_rate]".to_owned();
        return Some((format!("entity: {expected}; found {found}"), Some(help)));
    }
    if keys::is_section(&leaf.path) {
        let message = format!("{}: expected a section; found a value", leaf.path);
        return Some((
            message,
            Some(format!("begin the section with [{}]", leaf.path)),
        ));
    }
    Some(unknown(&leaf.path, own))
}

/// Says that there is no such key, and which one may have been meant.
pub(crate) fn unknown(path: &str, own: &[&'static Own]) -> (String, Option<String>) {
    let shown = super::redact::urls(path);
    let message = format!("{shown}: there is no such key");
    if path == "environment" || path == "env" {
        return (
            message,
            Some("the environment is told by TINGKAT_ENV alone".to_owned()),
        );
    }
    let help = meant(path, own).unwrap_or_else(|| ALL_KEYS.to_owned());
    (message, Some(help))
}

fn meant(path: &str, own: &[&'static Own]) -> Option<String> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let all = || {
        let own = own.iter().flat_map(|own| &own.keys);
        keys::all().iter().chain(own)
    };
    let paths = || all().map(|key| key.path.as_str());
    // The same name in another place first, then a name like it in the same place.
    let elsewhere = || {
        let mut all = all().filter(|key| key.parts().1 == name);
        let only = all.next().filter(|_| all.next().is_none())?;
        Some(only.path.as_str())
    };
    let inside = || {
        let here = all().filter(|key| key.parts().0 == section);
        let name = suggest::nearest(name, here.clone().map(|key| key.parts().1))?;
        here.into_iter()
            .find(|key| key.parts().1 == name)
            .map(|key| key.path.as_str())
    };
    let found = inside()
        .or_else(|| suggest::nearest(path, paths()))
        .or_else(elsewhere)?;
    Some(format!("did you mean {found}?"))
}
