//! How each entity is cached.

use tingkat::Mode;
use tingkat::policy::{Placement, Policy};
use tingkat::registry::AnyCache;
use tingkat_http::Keeps;

use super::settings::Settings;

/// The policies of all entities.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policies(Vec<(&'static str, Policy, Mode)>);

impl Policies {
    pub(super) fn of(settings: &Settings) -> Self {
        let entities = settings.entities().map(|entity| {
            let policy = policy(settings, entity.section, &(entity.policy)());
            (entity.name, policy, mode(settings, entity.section))
        });
        Self(entities.collect())
    }

    /// How an entity is cached; one that is not in the configuration as it says itself.
    pub(crate) fn policy(&self, entity: &str) -> Option<&Policy> {
        let (_, policy, _) = self.0.iter().find(|(name, ..)| *name == entity)?;
        Some(policy)
    }

    /// Changes how an entity is cached, and how it answers.
    pub(crate) fn adjust(&mut self, entity: &str, change: impl FnOnce(&mut Policy, &mut Mode)) {
        if let Some((_, policy, mode)) = self.0.iter_mut().find(|(name, ..)| *name == entity) {
            change(policy, mode);
        }
    }

    /// Lets a cache answer as it is configured to.
    pub(crate) fn set_mode(&self, cache: &dyn AnyCache) {
        if let Some((.., mode)) = self.0.iter().find(|(name, ..)| *name == cache.name()) {
            cache.set_mode(*mode);
        }
    }
}

/// For how long others may keep answers about each entity.
pub(super) fn keeps(settings: &Settings) -> Keeps {
    let shown = settings
        .entities()
        .filter(|entity| entity.max_age.is_some());
    shown.fold(Keeps::default(), |keeps, entity| {
        let max_age = settings.time(&format!("entity.{}.max_age", entity.section));
        keeps.with(entity.name, max_age)
    })
}

fn policy(settings: &Settings, section: &str, usual: &Policy) -> Policy {
    let at = |name: &str| format!("entity.{section}.{name}");
    let time = |name| settings.time(&at(name));
    let size = |name| settings.size(&at(name));
    Policy {
        fresh_for: time("fresh_for"),
        stale_for: time("stale_for"),
        absent_for: time("absent_for"),
        jitter: settings.share(&at("jitter")),
        early_refresh: settings.share(&at("early_refresh")),
        soft_deadline: time("soft_deadline"),
        hard_deadline: time("hard_deadline"),
        retry_after: time("retry_after"),
        max_value_bytes: size("max_value_bytes"),
        memory_bytes: settings.number(&at("memory_bytes")),
        compress_above: size("compress_above"),
        placement: match settings.text(&at("placement")) {
            Some("both") => Placement::Both,
            Some("memory") => Placement::Memory,
            Some("redis") => Placement::Remote,
            Some("nowhere") => Placement::Nowhere,
            _ => usual.placement,
        },
        strict: settings.flag(&at("strict")).unwrap_or(usual.strict),
        max_loads: size("max_loads"),
        max_queue: size("max_queue"),
        max_batch: size("max_batch"),
        batch_window: time("batch_window"),
    }
}

fn mode(settings: &Settings, section: &str) -> Mode {
    match settings.text(&format!("entity.{section}.mode")) {
        Some("shadow") => Mode::Shadow,
        Some("bypass") => Mode::Bypass,
        _ => Mode::Cache,
    }
}
