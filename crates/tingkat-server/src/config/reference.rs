//! The reference of all keys, docs/configuration.md, made from the table.

use std::fmt::Write as _;

use super::keys::{self, ENTITIES, Key};
use super::presets::{ENVIRONMENT_PRESETS, Preset, SCENARIO_PRESETS, reasons};

const BEGINNING: &str = include_str!("reference/beginning.md");

/// The whole page.
pub(crate) fn text() -> String {
    let mut text = BEGINNING.to_owned();
    // Writing to a text does not fail.
    let _ = writeln!(text, "\n## Presets");
    for (kind, presets) in [
        ("TINGKAT_ENV", ENVIRONMENT_PRESETS),
        ("scenario", SCENARIO_PRESETS),
    ] {
        for preset in presets {
            let _ = write!(text, "\n### `{kind}` = `{}`\n\n", preset.name);
            text.push_str(&table_of(preset));
        }
    }
    let _ = writeln!(text, "\n## Keys");
    let first = ENTITIES.first().map_or("", |entity| entity.section);
    let of_first = format!("entity.{first}");
    let mut section = None;
    for key in keys::all() {
        let (here, _) = key.parts();
        let is_entity = here.starts_with("entity.");
        if is_entity && here != of_first {
            continue;
        }
        if section != Some(here) {
            section = Some(here);
            let _ = write!(text, "\n### {}\n\n", title(here, is_entity));
            text.push_str("| key | takes | default | what for |\n| --- | --- | --- | --- |\n");
        }
        text.push_str(&row(key));
    }
    text.push_str(&defaults());
    text.push_str(&own());
    text
}

fn title(section: &str, is_entity: bool) -> String {
    if is_entity {
        let names: Vec<String> = ENTITIES
            .iter()
            .map(|entity| format!("`[entity.{}]`", entity.section))
            .collect();
        names.join(", ")
    } else if section.is_empty() {
        "At the top".to_owned()
    } else {
        format!("`[{section}]`")
    }
}

fn row(key: &Key) -> String {
    let name = key.parts().1;
    let known = key.variable;
    let variable = known.map_or_else(String::new, |it| format!(" (`{it}`)"));
    let reloads = if key.reloads { " ↻" } else { "" };
    let default = key.default.as_deref().unwrap_or_default();
    let default = if default.is_empty() {
        String::new()
    } else {
        format!("`{default}`")
    };
    let (kind, sentence) = (key.kind, key.sentence.replace('|', "\\|"));
    format!("| `{name}`{variable}{reloads} | {kind} | {default} | {sentence} |\n")
}

fn table_of(preset: &Preset) -> String {
    let rows = reasons(preset);
    if rows.is_empty() {
        return "Sets nothing: the defaults as they are.\n".to_owned();
    }
    let mut text = String::from("| key | value | why |\n| --- | --- | --- |\n");
    for (path, value, why) in rows {
        let _ = writeln!(text, "| `{path}` | `{value}` | {why} |");
    }
    text
}

/// What a section has that the operator names.
fn own() -> String {
    let own = keys::example();
    let mut text = String::from(
        "\n### `[entity.<name>]`\n\n\
         A section with another name and with `load` is [an entity of your \
         own](your-own-tables.md#entities-of-your-own): of 1 to 32 small letters, digits or single `_`. \
         It has the keys above and two more. The section stands in the file; \
         its keys have variables as all others.\n\n\
         | key | takes | default | what for |\n| --- | --- | --- | --- |\n",
    );
    let first = ENTITIES.first().map_or("", |entity| entity.section);
    for key in &own.keys {
        let usual = keys::find(&format!("entity.{first}.{}", key.parts().1));
        if usual
            .is_none_or(|usual| (&usual.default, usual.sentence) != (&key.default, key.sentence))
        {
            text.push_str(&row(key));
        }
    }
    text
}

/// What the other entities have otherwise than the first.
fn defaults() -> String {
    let mut text = String::from(
        "\nThe defaults above are those of a product. Of the others, these differ:\n\n\
         | key | default |\n| --- | --- |\n",
    );
    let Some((first, others)) = ENTITIES.split_first() else {
        return text;
    };
    for entity in others {
        let begin = format!("entity.{}.", entity.section);
        let here = keys::all()
            .iter()
            .filter(|key| key.path.starts_with(&begin));
        for key in here {
            let name = key.parts().1;
            let usual = keys::find(&format!("entity.{}.{name}", first.section));
            if usual.is_some_and(|usual| usual.default != key.default) {
                let default = key.default.as_deref().unwrap_or_default();
                let _ = writeln!(text, "| `{}` | `{default}` |", key.path);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_what_the_table_says() {
        let page = include_str!("../../../../docs/configuration.md");
        assert!(
            page == super::text(),
            "run: cargo run -- config reference > docs/configuration.md"
        );
    }
}
