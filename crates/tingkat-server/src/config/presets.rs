//! What comes with the program: values for an environment, and for what a service is tuned for.

/// A preset: its name and its TOML, in which a comment over each value says why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! presets {
    ($($name:literal),*) => {
        &[$(Preset { name: $name, text: include_str!(concat!("presets/", $name, ".toml")) }),*]
    };
}

/// By `TINGKAT_ENV`.
pub(crate) const ENVIRONMENT_PRESETS: &[Preset] = presets!["development", "staging", "production"];

/// By `scenario`.
pub(crate) const SCENARIO_PRESETS: &[Preset] = presets![
    "high-throughput",
    "low-latency",
    "resilient",
    "memory-constrained"
];

/// The names of the scenarios.
pub(crate) const SCENARIOS: &[&str] = &[
    "high-throughput",
    "low-latency",
    "resilient",
    "memory-constrained",
];

/// The preset with this name.
pub(crate) fn find(presets: &'static [Preset], name: &str) -> Option<&'static Preset> {
    presets.iter().find(|preset| preset.name == name)
}

/// The values of a preset, each with the reason that stands over it.
pub(crate) fn reasons(preset: &Preset) -> Vec<(String, String, String)> {
    let (mut section, mut why) = (String::new(), Vec::new());
    let mut rows = Vec::new();
    for line in preset.text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            why.push(comment.trim());
        } else if let Some(header) = line.strip_prefix('[') {
            header.trim_end_matches(']').clone_into(&mut section);
            why.clear();
        } else if let Some((key, value)) = line.split_once('=') {
            let path = format!("{section}.{}", key.trim());
            rows.push((path, value.trim().to_owned(), why.join(" ")));
            why.clear();
        } else {
            why.clear();
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;

    fn all() -> impl Iterator<Item = &'static Preset> {
        ENVIRONMENT_PRESETS.iter().chain(SCENARIO_PRESETS)
    }

    #[test]
    fn every_value_of_a_preset_is_known_right_and_has_a_reason() {
        for preset in all() {
            let document = document::read(preset.name, preset.text.to_owned());
            assert!(document.problems.is_empty(), "{:?}", document.problems);
            let reasons = reasons(preset);
            assert_eq!(reasons.len(), document.entries.len(), "{}", preset.name);
            for (path, raw, _) in &document.entries {
                let key = crate::config::keys::find(path).unwrap();
                key.kind.read(raw).unwrap();
                let (.., why) = reasons.iter().find(|(at, ..)| at == path).unwrap();
                assert!(!why.is_empty(), "{}: {path}", preset.name);
            }
        }
    }

    #[test]
    fn the_scenarios_are_those_that_can_be_chosen() {
        let names: Vec<&str> = SCENARIO_PRESETS.iter().map(|it| it.name).collect();
        assert_eq!(names, SCENARIOS);
    }
}
