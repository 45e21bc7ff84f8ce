//! What never reaches Redis, as it is configured.

use std::sync::Arc;

use tingkat::privacy::{Names, OnPrivate, PrivateField};
use tingkat_health::Withheld;

use super::keys::ENTITIES;
use super::settings::Settings;

/// Which fields are private, and what is done about them.
#[derive(Clone, Debug)]
pub(crate) struct Privacy {
    pub(crate) names: Arc<Names>,
    /// Entities with private fields, for whoever wants to know.
    pub(crate) withheld: Vec<Withheld>,
    stripped: Vec<&'static str>,
}

impl Privacy {
    pub(super) fn of(settings: &Settings) -> Self {
        let names = names(settings);
        let mut withheld = Vec::new();
        let mut stripped = Vec::new();
        for entity in settings.entities() {
            let on_private = on_private(settings, entity.section);
            let is_stripped = on_private == OnPrivate::Strip;
            if is_stripped {
                stripped.push(entity.name);
            }
            // Of a document nobody knows beforehand which fields it has.
            let is_document = !ENTITIES.iter().any(|known| known.name == entity.name);
            let fields: Vec<PrivateField> = (entity.private)(&names);
            if !fields.is_empty() || (is_stripped && is_document) {
                withheld.push(Withheld {
                    entity: entity.section,
                    policy: word(on_private),
                    fields: fields.into_iter().map(|field| field.path).collect(),
                    values: 0,
                });
            }
        }
        Self {
            names: Arc::new(names),
            withheld,
            stripped,
        }
    }

    /// What is done about the private fields of an entity.
    pub(crate) fn on_private(&self, entity: &str) -> OnPrivate {
        if self.stripped.contains(&entity) {
            OnPrivate::Strip
        } else {
            OnPrivate::Refuse
        }
    }
}

/// What an entity is called where people read.
pub(crate) fn section_of(name: &'static str) -> &'static str {
    let known = ENTITIES.iter().find(|entity| entity.name == name);
    known.map_or(name, |entity| entity.section)
}

/// The names of both keys.
pub(super) fn names(settings: &Settings) -> Names {
    let lists = ["privacy.fields", "privacy.more_fields"].map(|path| settings.list(path));
    // The keys take nothing that is no name.
    Names::new(lists.concat()).unwrap_or_else(|_| Names::usual())
}

pub(super) fn on_private(settings: &Settings, section: &str) -> OnPrivate {
    match settings.text(&format!("entity.{section}.privacy")) {
        Some("strip") => OnPrivate::Strip,
        _ => OnPrivate::Refuse,
    }
}

const fn word(on_private: OnPrivate) -> &'static str {
    match on_private {
        OnPrivate::Refuse => "refuse",
        OnPrivate::Strip => "strip",
    }
}
