//! The one table of keys: what there is to configure. Reading, suggestions, `config` and the
//! reference in docs/configuration.md are all made from it.

mod entity;
mod health;
mod own;
mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::kind::{Kind, Raw};

pub(crate) use entity::{ENTITIES, Known};
pub(crate) use own::{Own, check_name, declare, example, is_built_in};

/// A longer default is no help.
const MOST_SHOWN: usize = 60;

/// One thing that can be configured.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// `redis.budget`.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// As it is written in a variable; nothing where being left out has a meaning of its own.
    pub(crate) default: Option<String>,
    pub(crate) sentence: &'static str,
    /// Whether SIGHUP changes it in a running service.
    pub(crate) reloads: bool,
    /// The variable that everybody knows for it.
    pub(crate) variable: Option<&'static str>,
}

impl Key {
    /// The variable that is made from its path.
    pub(crate) fn own_variable(&self) -> String {
        own_variable(&self.path)
    }

    /// The variables that it is read from, those that win first.
    pub(crate) fn variables(&self) -> Vec<String> {
        let own = self.own_variable();
        let known = self.variable.map(str::to_owned);
        [Some(own), known].into_iter().flatten().collect()
    }

    /// What helps whoever wrote a value that it does not take.
    pub(crate) fn remedy(&self, raw: &Raw) -> String {
        let quotes = match (self.kind, raw) {
            (Kind::Flag | Kind::Integer { .. } | Kind::Share { .. }, Raw::Text(_)) => {
                "write it without quotes; "
            }
            (Kind::Time { .. }, Raw::Integer(_)) => "write it with a unit and in quotes; ",
            _ => "",
        };
        let path = &self.path;
        if self.kind.is_content(raw) {
            let name = self.own_variable();
            return format!(
                "set {name}, or {path}, to the path of that file itself, without _FILE"
            );
        }
        let asks = format!("`tingkat config explain {path}` says what it is for");
        let default = self.default.as_deref();
        match default.filter(|it| (1..=MOST_SHOWN).contains(&it.len())) {
            Some(default) => format!("{quotes}left out, it is {default}; {asks}"),
            None => format!("{quotes}{asks}"),
        }
    }

    /// The section, and the name in it, which may have a dot: an entity is one section, and so are the
    /// limits of all checks.
    pub(crate) fn parts(&self) -> (&str, &str) {
        let whole = ("", self.path.as_str());
        let is_deep =
            self.path.starts_with("entity.") || self.path.starts_with("health.thresholds.");
        if !is_deep {
            return self.path.rsplit_once('.').unwrap_or(whole);
        }
        let mut dots = self.path.match_indices('.').map(|(at, _)| at);
        let split = dots.nth(1).and_then(|at| self.path.split_at_checked(at));
        split.map_or(whole, |(section, name)| {
            (section, name.get(1..).unwrap_or_default())
        })
    }
}

/// What a path is called in the environment.
pub(crate) fn own_variable(path: &str) -> String {
    format!("TINGKAT__{}", path.to_uppercase().replace('.', "__"))
}

static ALL: LazyLock<Vec<Key>> =
    LazyLock::new(|| table::keys().into_iter().chain(entity::keys()).collect());

static BY_PATH: LazyLock<HashMap<&'static str, &'static Key>> =
    LazyLock::new(|| all().iter().map(|key| (key.path.as_str(), key)).collect());

/// All keys, in the order in which a reader wants them.
pub(crate) fn all() -> &'static [Key] {
    &ALL
}

/// The key with this path.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    BY_PATH.get(path).copied()
}

/// Whether keys begin with this path.
pub(crate) fn is_section(path: &str) -> bool {
    let inside = |key: &Key| {
        let rest = key.path.strip_prefix(path);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    all().iter().any(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_one_that_its_key_takes() {
        for key in all() {
            if let Some(default) = &key.default {
                let read = key.kind.read(&Raw::Word(default.clone()));
                let shown = read.unwrap_or_else(|error| panic!("{}: {error}", key.path));
                assert_eq!(&shown.shown(), default, "{}", key.path);
            }
        }
    }

    #[test]
    fn no_two_keys_have_a_path_or_a_variable_in_common() {
        let mut seen = std::collections::HashSet::new();
        for key in all() {
            for variable in key.variables() {
                assert!(seen.insert(variable.clone()), "{variable}");
                assert!(!variable.ends_with("_FILE"), "{variable}");
            }
        }
    }
}
