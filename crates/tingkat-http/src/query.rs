//! The query of a look-up: known parameters, each at most once.
//!
//! An unknown parameter is refused, because ignoring a misspelt filter answers another question
//! than the one that was asked.

use std::borrow::Cow;
use std::collections::HashSet;
use std::str::FromStr;

use tingkat_shop::name::NameError;

use crate::problem::{Code, Problem, shortened};

/// The parameters of one request.
pub(crate) struct Query<'a> {
    known: &'static [&'static str],
    given: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Reads a query of a route that has these parameters.
    pub(crate) fn parse(
        query: Option<&'a str>,
        known: &'static [&'static str],
    ) -> Result<Self, Problem> {
        let mut given: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&&*name) {
                return Err(unknown(&name, known));
            }
            if given.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Problem::new(
                    Code::ParameterRepeated,
                    format!("`{name}` is given twice; once is enough"),
                ));
            }
            given.push((name, value));
        }
        Ok(Self { known, given })
    }

    /// The value of a parameter, if it is given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let given = self.given.iter().find(|(known, _)| known == name);
        given.map(|(_, value)| &**value)
    }

    /// The one of some parameters that is given, if one is; it excludes all others but `beside`.
    pub(crate) fn one_of(
        &self,
        selectors: &'static [&'static str],
        beside: &str,
    ) -> Result<Option<(&str, &str)>, Problem> {
        let is_selector = |name: &str| selectors.contains(&name);
        if !self.given.iter().any(|(name, _)| is_selector(name)) {
            return Ok(None);
        }
        let mut others = self.given.iter().filter(|(name, _)| name != beside);
        match (others.next(), others.next()) {
            (Some((name, value)), None) => Ok(Some((name, value))),
            _ => Err(self.conflict(selectors, beside)),
        }
    }

    fn conflict(&self, selectors: &'static [&'static str], beside: &str) -> Problem {
        let given = self.given.iter().filter(|(name, _)| name != beside);
        let found: Vec<String> = given.map(|(name, _)| format!("`{name}`")).collect();
        let detail = format!(
            "found {} together; {} is given alone, or beside `{beside}`",
            found.join(" and "),
            one_of(selectors)
        );
        Problem::new(Code::ParametersConflict, detail).with("known_parameters", self.known)
    }
}

/// Reads a text that names something, in a path or a query.
pub(crate) fn named<N: FromStr<Err = NameError>>(text: &str, code: Code) -> Result<N, Problem> {
    text.parse()
        .map_err(|error: NameError| Problem::new(code, error.to_string()))
}

/// The names of a list, each once, in the order in which they are first named; `too_many` says what
/// is wrong with so many.
pub(crate) fn distinct<'a, N>(
    texts: impl Iterator<Item = &'a str> + Clone,
    most: usize,
    too_many: impl FnOnce(usize) -> Problem,
    read: impl Fn(&str) -> Result<N, Problem>,
) -> Result<Vec<N>, Problem> {
    let found = texts.clone().count();
    if found > most {
        return Err(too_many(found));
    }
    let mut seen = HashSet::with_capacity(found);
    texts.filter(|text| seen.insert(*text)).map(read).collect()
}

/// Checks the query of a route that has no parameters.
pub(crate) fn none(query: Option<&str>) -> Result<(), Problem> {
    Query::parse(query, &[]).map(drop)
}

fn unknown(name: &str, known: &'static [&'static str]) -> Problem {
    let found = shortened(name);
    let detail = if known.is_empty() {
        format!("found {found:?}; this route has no query parameters")
    } else {
        format!("found {found:?}; this route has {}", one_of(known))
    };
    Problem::new(Code::ParameterUnknown, detail).with("known_parameters", known)
}

fn one_of(known: &[&str]) -> String {
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
