//! The statements for the tables of the store.

use std::path::Path;

use secrecy::ExposeSecret as _;
use tingkat_sql::{OwnLoad, Preset, Queries, Url, WrongQuery};

use super::keys::Own;
use super::origin::Origin;
use super::problem::Problem;
use super::settings::Settings;
use super::{redact, suggest};

const PRESET: &str = "source.preset";
const QUERIES: &str = "source.queries";

/// Reads them; the preset's alone where something is wrong.
pub(super) fn build(settings: &Settings, problems: &mut Vec<Problem>) -> Queries {
    let preset = settings.text(PRESET).and_then(Preset::from_name);
    let preset = preset.unwrap_or_default();
    refuse_embedded(settings, problems);
    let loads: Vec<OwnLoad> = loads(settings);
    let Some(directory) = settings.text(QUERIES) else {
        refuse_loads(settings, &loads, problems);
        return Queries::of(preset);
    };
    Queries::read(preset, Path::new(directory), &loads).unwrap_or_else(|wrong| {
        let origin = settings.get(QUERIES).map(|it| it.origin.clone());
        problems.extend(wrong.iter().map(|wrong| problem(wrong, origin.as_ref())));
        Queries::of(preset)
    })
}

/// What the operator's own entities are loaded by.
fn loads(settings: &Settings) -> Vec<OwnLoad> {
    let load = |own: &&'static Own| {
        let entity = own.known.name;
        let at = |name: &str| format!("entity.{entity}.{name}");
        // What is malformed is told already.
        let file = settings.text(&at("load"))?.to_owned();
        let tables = settings.list(&at("tables")).to_vec();
        Some(OwnLoad {
            entity,
            file,
            tables,
        })
    };
    settings.own().iter().filter_map(load).collect()
}

/// A file is looked for in one place alone.
fn refuse_loads(settings: &Settings, loads: &[OwnLoad], problems: &mut Vec<Problem>) {
    if problems.iter().any(|problem| problem.about == QUERIES) {
        return;
    }
    for load in loads {
        let path = format!("entity.{}.load", load.entity);
        let Some(setting) = settings.get(&path) else {
            continue;
        };
        let origin = setting.origin.clone();
        let (name, queries) = (origin.called(&path), origin.name_of(QUERIES));
        let message = format!("{name}: the file is looked for in {queries}, which is not set");
        let help = format!("set {queries} to the directory with your statements");
        problems.push(Problem::new(&path, Some(origin), message).helped(Some(help)));
    }
}

fn problem(wrong: &WrongQuery, origin: Option<&Origin>) -> Problem {
    let file = redact::urls(&wrong.file.display().to_string()).into_owned();
    let name = origin.map_or_else(|| QUERIES.to_owned(), |origin| origin.called(QUERIES));
    let message = format!("{name}: {file}: {}", wrong.problem);
    let unknown = || {
        let known: Vec<String> = Queries::names().collect();
        let found = wrong.file.file_name().and_then(|name| name.to_str());
        let meant = suggest::nearest(found.unwrap_or_default(), known.iter().map(String::as_str));
        meant.map_or_else(
            || format!("the statements are {}", known.join(", ")),
            |meant| format!("did you mean {meant}?"),
        )
    };
    let help = if wrong.is_unknown {
        unknown()
    } else {
        "docs/your-own-tables.md says what each file gives; `tingkat schema check` asks the database"
            .to_owned()
    };
    Problem::new(QUERIES, origin.cloned(), message).helped(Some(help))
}

/// The embedded database is made by the service itself, with its own tables.
fn refuse_embedded(settings: &Settings, problems: &mut Vec<Problem>) {
    let url = settings.secret("source.url");
    let url: Option<Url> = url.and_then(|url| url.expose_secret().parse().ok());
    // What is malformed is told already.
    let is_told = problems.iter().any(|problem| problem.about == "source.url");
    if is_told || url.is_some_and(|url| url.path().is_none()) {
        return;
    }
    for path in [PRESET, QUERIES] {
        let Some(setting) = settings.get(path) else {
            continue;
        };
        if setting.value.shown() == Preset::default().name() && path == PRESET {
            continue;
        }
        let origin = setting.origin.clone();
        let name = origin.called(path);
        let message = format!(
            "{name}: the embedded database has tables of its own; expected a PostgreSQL database in {}",
            origin.name_of("source.url")
        );
        let help = format!(
            "set DATABASE_URL to postgres://user:password@host/database, or take {name} out"
        );
        problems.push(Problem::new(path, Some(origin), message).helped(Some(help)));
    }
}
