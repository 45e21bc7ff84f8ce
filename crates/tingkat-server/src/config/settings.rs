//! All layers on top of each other: what each key is, and where that came from.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::document::Document;
use super::keys::{self, ENTITIES, Key, Known, Own};
use super::kind::{Raw, Value};
use super::origin::Origin;
use super::presets::{self, ENVIRONMENT_PRESETS, Preset, SCENARIO_PRESETS};
use super::problem::Problem;
use super::surroundings::{ENVIRONMENT, Files, Surroundings};
use super::{document, redact, suggest};

/// Where a file is looked for.
const PLACES: &[&str] = &["tingkat.toml", "/etc/tingkat/tingkat.toml"];

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) config: Option<PathBuf>,
    /// A flag, the key that it sets, and to what.
    pub(crate) set: Vec<(&'static str, &'static str, String)>,
}

/// Where the service runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Environment {
    #[default]
    Development,
    Staging,
    Production,
    /// What was said is none of these, so that nothing is claimed that one of them asks for.
    Unknown,
}

impl Environment {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Unknown => "unknown",
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// What is configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) environment: Environment,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// How the files are read that it names.
    pub(crate) files: Files,
    /// For each key what the layers say, the one that counts last.
    layers: HashMap<&'static str, Vec<Setting>>,
    /// Entities that the operator names.
    own: Vec<&'static Own>,
}

impl Settings {
    /// Reads every layer; what is wrong is left out and told.
    pub(crate) fn read(flags: &Flags, from: &Surroundings, problems: &mut Vec<Problem>) -> Self {
        let environment = environment(from, problems);
        let (file, from_file) = file(flags, from, problems);
        let own = from_file.own;
        let mut set = from_file.entries;
        set.extend(from.entries(&own, problems));
        set.extend(flags.set.iter().map(|(flag, path, text)| {
            let raw = Raw::Word(text.clone());
            ((*path).to_owned(), raw, Origin::Flag(flag))
        }));
        let mut settings = Self {
            environment,
            file,
            files: from.files.clone(),
            own,
            ..Self::default()
        };
        let keys: Vec<&'static Key> = settings.keys().collect();
        for key in keys {
            if let Some(default) = &key.default {
                settings.put(
                    &key.path,
                    &Raw::Word(default.clone()),
                    Origin::Base,
                    problems,
                );
            }
        }
        if let Some(preset) = presets::find(ENVIRONMENT_PRESETS, environment.name()) {
            settings.put_preset(preset, &Origin::Preset(preset.name), problems);
        }
        if let Some(preset) = scenario(&set) {
            settings.put_preset(preset, &Origin::Scenario(preset.name), problems);
        }
        for (path, raw, origin) in set {
            settings.put(&path, &raw, origin, problems);
        }
        settings
    }

    fn put_preset(&mut self, preset: &Preset, origin: &Origin, problems: &mut Vec<Problem>) {
        let document = document::read(preset.name, preset.text.to_owned());
        problems.extend(document.problems);
        for (path, raw, _) in document.entries {
            self.put(&path, &raw, origin.clone(), problems);
        }
    }

    fn put(&mut self, path: &str, raw: &Raw, origin: Origin, problems: &mut Vec<Problem>) {
        // Who read the layer knows that there is such a key.
        let Some(key) = document::find(path, &self.own) else {
            return;
        };
        match key.kind.read(raw) {
            Ok(value) => {
                let setting = Setting { value, origin };
                self.layers.entry(&key.path).or_default().push(setting);
            }
            Err(expected) => {
                let name = origin.called(path);
                let message = format!("{name}: {expected}");
                let told = Problem::new(path, Some(origin), message);
                problems.push(told.helped(Some(key.remedy(raw))));
            }
        }
    }

    /// All keys, those of the operator's own entities last.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> + '_ {
        let own = self.own.iter().flat_map(|own| &own.keys);
        keys::all().iter().chain(own)
    }

    /// All entities, the operator's own ones last.
    pub(crate) fn entities(&self) -> impl DoubleEndedIterator<Item = &'static Known> + '_ {
        ENTITIES.iter().chain(self.own.iter().map(|own| &own.known))
    }

    /// Entities that the operator names.
    pub(crate) fn own(&self) -> &[&'static Own] {
        &self.own
    }

    /// What a key is set to, if it is.
    pub(crate) fn get(&self, path: &str) -> Option<&Setting> {
        self.layers.get(path)?.last()
    }

    /// What all layers say about a key, the one that counts last.
    pub(crate) fn layers(&self, path: &str) -> &[Setting] {
        self.layers.get(path).map_or(&[], Vec::as_slice)
    }

    /// Where a key was set by somebody who runs this service.
    pub(crate) fn chosen(&self, path: &str) -> Option<&Origin> {
        let origin = &self.get(path)?.origin;
        origin.is_chosen().then_some(origin)
    }

    pub(crate) fn time(&self, path: &str) -> Duration {
        match self.value(path) {
            Some(Value::Time(time)) => *time,
            _ => Duration::default(),
        }
    }

    pub(crate) fn number(&self, path: &str) -> u64 {
        self.number_if_set(path).unwrap_or_default()
    }

    pub(crate) fn number_if_set(&self, path: &str) -> Option<u64> {
        match self.value(path) {
            Some(Value::Integer(number) | Value::Size(number)) => Some(*number),
            _ => None,
        }
    }

    /// As a size of what is in memory.
    pub(crate) fn size(&self, path: &str) -> usize {
        usize::try_from(self.number(path)).unwrap_or(usize::MAX)
    }

    /// As a count; every key's most fits.
    pub(crate) fn count(&self, path: &str) -> u32 {
        u32::try_from(self.number(path)).unwrap_or(u32::MAX)
    }

    pub(crate) fn share(&self, path: &str) -> f64 {
        match self.value(path) {
            Some(Value::Share(share)) => *share,
            _ => f64::default(),
        }
    }

    pub(crate) fn flag(&self, path: &str) -> Option<bool> {
        match self.value(path) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        match self.value(path) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn secret(&self, path: &str) -> Option<&SecretString> {
        match self.value(path) {
            Some(Value::Secret(secret)) => Some(secret),
            _ => None,
        }
    }

    pub(crate) fn list(&self, path: &str) -> &[String] {
        match self.value(path) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    fn value(&self, path: &str) -> Option<&Value> {
        debug_assert!(
            document::find(path, &self.own).is_some(),
            "there is no key {path}"
        );
        self.get(path).map(|setting| &setting.value)
    }

    /// The keys whose values differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static Key> {
        let differs = |path: &str| match (self.get(path), other.get(path)) {
            (Some(one), Some(two)) => !one.value.says(&two.value),
            (one, two) => one.is_some() != two.is_some(),
        };
        let gone = other.own.iter().filter(|own| {
            let name = own.known.name;
            self.own.iter().all(|it| it.known.name != name)
        });
        let gone = gone.flat_map(|own| &own.keys);
        let all = self.keys().chain(gone);
        all.filter(|key| differs(&key.path)).collect()
    }
}

fn environment(from: &Surroundings, problems: &mut Vec<Problem>) -> Environment {
    const ALL: [Environment; 3] = [
        Environment::Development,
        Environment::Staging,
        Environment::Production,
    ];
    // Whoever leaves it out is a developer; whoever sets it to nothing meant something else.
    let is_empty = from
        .variables
        .get(ENVIRONMENT)
        .is_some_and(|it| it.is_empty());
    let text = match from.value(ENVIRONMENT, ENVIRONMENT) {
        Ok(None) if is_empty => Some(String::new()),
        Ok(value) => value.map(|(text, _)| text),
        Err(problem) => {
            problems.push(problem);
            return Environment::Unknown;
        }
    };
    let Some(text) = text else {
        return Environment::default();
    };
    if let Some(known) = ALL.into_iter().find(|it| it.name() == text) {
        return known;
    }
    let mut names = ALL.into_iter().map(Environment::name);
    let meant = suggest::nearest(&text, names.clone());
    let begun = text.to_lowercase();
    // As `prod` begins.
    let meant = meant.or_else(|| names.find(|it| begun.len() > 2 && it.starts_with(&begun)));
    let help = match meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => "unset it on a developer's machine".to_owned(),
    };
    let message = format!(
        "{ENVIRONMENT}: expected development, staging or production; found {}",
        redact::quoted(&text)
    );
    let origin = Origin::Variable(ENVIRONMENT.to_owned());
    let told = Problem::new("environment", Some(origin), message);
    problems.push(told.helped(Some(help)));
    Environment::Unknown
}

fn file(
    flags: &Flags,
    from: &Surroundings,
    problems: &mut Vec<Problem>,
) -> (Option<PathBuf>, Document) {
    let places = match &flags.config {
        Some(path) => vec![path.as_path()],
        None => PLACES.iter().map(Path::new).collect(),
    };
    for place in places {
        let name = redact::urls(&place.display().to_string()).into_owned();
        match from.files.text(place) {
            Ok(text) => {
                let mut document = document::read(&name, text);
                problems.append(&mut document.problems);
                return (Some(place.to_owned()), document);
            }
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && flags.config.is_none() => {}
            Err(error) => {
                let message = format!("failed to read {name}: {error}");
                let help = "name a file that this user may read with --config, or make this one so";
                problems.push(Problem::of_file(None, message).helped(Some(help.to_owned())));
                return (None, Document::default());
            }
        }
    }
    (None, Document::default())
}

/// What is chosen in the file, the environment or a flag; one that there is not is told later.
fn scenario(set: &[(String, Raw, Origin)]) -> Option<&'static Preset> {
    let chosen = set.iter().rev().filter(|(path, ..)| path == "scenario");
    let mut names = chosen.map(|(_, raw, _)| match raw {
        Raw::Text(name) | Raw::Word(name) => name.trim(),
        Raw::Integer(_) | Raw::Float(_) | Raw::Flag(_) | Raw::List(_) | Raw::Other(_) => "",
    });
    presets::find(SCENARIO_PRESETS, names.next()?)
}
