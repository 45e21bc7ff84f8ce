//! What the configuration is read from: variables, files, and how much memory there is. The only
//! module that asks the system for them.

mod memory;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::document::LONGEST;
use super::keys::Own;
use super::kind::Raw;
use super::origin::Origin;
use super::problem::Problem;
use super::{document, keys, redact, suggest};

/// Where the service runs.
pub(crate) const ENVIRONMENT: &str = "TINGKAT_ENV";

type Read = dyn Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync;

/// How files are read: the one of the configuration, and those that it names.
#[derive(Clone)]
pub(crate) struct Files(Arc<Read>);

impl Files {
    /// A file such as one with certificates.
    pub(crate) fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = (self.0)(path)?;
        if bytes.len() > LONGEST {
            let message = format!("it is longer than {LONGEST} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(bytes)
    }

    /// A file that people write; of one that is too long there is more than is allowed.
    pub(crate) fn text(&self, path: &Path) -> io::Result<String> {
        text((self.0)(path)?)
    }
}

impl<F> From<F> for Files
where
    F: Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync + 'static,
{
    fn from(read: F) -> Self {
        Self(Arc::new(read))
    }
}

impl Default for Files {
    /// There are none.
    fn default() -> Self {
        Self::from(|_: &Path| Err(io::ErrorKind::NotFound.into()))
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

/// What a service is started in.
pub(crate) struct Surroundings {
    pub(crate) variables: BTreeMap<String, OsString>,
    pub(crate) files: Files,
    /// What this process may use; nothing where that is not known.
    pub(crate) memory: Option<u64>,
}

impl Surroundings {
    /// Those of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that reads the environment"
    )]
    pub(crate) fn here() -> Self {
        let variables = std::env::vars_os();
        let named = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self {
            variables: named
                .filter(|(name, value)| !value.is_empty() || name == ENVIRONMENT)
                .collect(),
            files: read.into(),
            memory: memory::limit(|path| text(read(path)?)),
        }
    }

    /// A variable, if it is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some(value) = self.variables.get(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let text = value.to_str().map(str::to_owned);
        text.map(Some).ok_or_else(|| {
            let help = format!("set {name} to a text in UTF-8");
            about(name, name, format!("{name}: not UTF-8")).helped(Some(help))
        })
    }

    /// The token with which commands speak to a service that runs: never a flag, which everybody on
    /// the machine can read.
    pub(crate) fn token(&self) -> Result<Option<SecretString>, Problem> {
        let value = self.value("TINGKAT_TOKEN", "TINGKAT_TOKEN")?;
        Ok(value.map(|(text, _)| text.into()))
    }

    /// A variable, or what is in the file that the variable with `_FILE` names.
    pub(crate) fn value(
        &self,
        path: &str,
        name: &str,
    ) -> Result<Option<(String, Origin)>, Problem> {
        let file = format!("{name}_FILE");
        let (direct, file_path) = (self.variable(name)?, self.variable(&file)?);
        if direct.is_some() && file_path.is_some() {
            let message = format!("{name} and {file}: only one of them may be set");
            let help = format!("unset {name} if {file} is the one that is right, else {file}");
            return Err(about(path, name, message).helped(Some(help)));
        }
        if let Some(text) = direct {
            return Ok(Some((text, Origin::Variable(name.to_owned()))));
        }
        let Some(at) = file_path else {
            return Ok(None);
        };
        let text = self.files.text(Path::new(&at)).map_err(|error| {
            let at = redact::urls(&at);
            let help = format!("name a file that this user may read, or set {name} instead");
            about(path, &file, format!("{file}: failed to read {at}: {error}")).helped(Some(help))
        })?;
        // Editors end files with a newline.
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        if text.is_empty() {
            let help = format!("write the value into the file, or unset {file}");
            let message = format!("{file}: the file is empty");
            return Err(about(path, &file, message).helped(Some(help)));
        }
        Ok(Some((text, Origin::Variable(file))))
    }

    /// What the variables say, those that win last.
    pub(crate) fn entries(
        &self,
        own: &[&'static Own],
        problems: &mut Vec<Problem>,
    ) -> Vec<(String, Raw, Origin)> {
        let mut entries = Vec::new();
        let own_keys = own.iter().flat_map(|own| &own.keys);
        for key in keys::all().iter().chain(own_keys) {
            for name in key.variables().iter().rev() {
                match self.value(&key.path, name) {
                    Ok(Some(_)) if self.is_service_link(name) => {}
                    Ok(Some((text, origin))) => {
                        entries.push((key.path.clone(), Raw::Word(text), origin));
                    }
                    Ok(None) => {}
                    Err(problem) => problems.push(problem),
                }
            }
        }
        problems.extend(self.strangers(own));
        entries
    }

    /// Kubernetes tells every container of a service named `redis` that `REDIS_PORT` is a URL, and of one named
    /// `tingkat-redis` that `TINGKAT_REDIS_PORT` is.
    fn is_service_link(&self, name: &str) -> bool {
        let value = self.variables.get(name).and_then(|value| value.to_str());
        matches!(name, "REDIS_PORT" | "TINGKAT_REDIS_PORT")
            && value.is_some_and(|text| text.starts_with("tcp://"))
    }

    /// Variables that look like ours and are none.
    fn strangers(&self, own: &[&'static Own]) -> impl Iterator<Item = Problem> {
        let names = self.variables.keys().map(String::as_str);
        names.filter_map(move |name| {
            if let Some(rest) = name.strip_prefix("TINGKAT__") {
                let direct = rest.to_lowercase().replace("__", ".");
                let of_file = direct.strip_suffix("_file");
                let found = |path: &str| document::find(path, own).map(keys::Key::own_variable);
                let of_key = found(&direct)
                    .or_else(|| found(of_file?).map(|of_file| format!("{of_file}_FILE")));
                return match of_key {
                    Some(own) if own == name => None,
                    Some(own) => Some(misnamed(name, &own)),
                    None => Some(unknown(name, &direct, own)),
                };
            }
            // Others begin with TINGKAT_ as well, so that only those are told that were meant for us.
            let meant = meant(name.strip_prefix("TINGKAT_")?)?;
            if self.is_service_link(name) {
                return None;
            }
            Some(misnamed(name, &meant))
        })
    }
}

fn misnamed(name: &str, meant: &str) -> Problem {
    let message = format!("{name}: there is no such variable");
    let help = format!("did you mean {meant}?");
    about(name, name, message).helped(Some(help))
}

fn unknown(name: &str, path: &str, own: &[&'static Own]) -> Problem {
    let (_, help) = document::unknown(path, own);
    let all: Vec<String> = keys::all().iter().map(keys::Key::own_variable).collect();
    let nearest = suggest::nearest(name, all.iter().map(String::as_str));
    let help = match (nearest, help) {
        (Some(nearest), _) => Some(format!("did you mean {nearest}?")),
        (None, help) => help,
    };
    about(name, name, format!("{name}: there is no such key")).helped(help)
}

fn about(path: &str, name: &str, message: String) -> Problem {
    Problem::new(path, Some(Origin::Variable(name.to_owned())), message)
}

/// The variable that somebody meant who wrote `TINGKAT_` and this.
fn meant(rest: &str) -> Option<String> {
    let letters = |name: &str| name.to_uppercase().replace('_', "");
    let (stem, end) = match rest.strip_suffix("_FILE") {
        Some(stem) => (stem, "_FILE"),
        None => (rest, ""),
    };
    if stem == "ENV" || stem == "SCENARIO" {
        return None;
    }
    if letters(stem).starts_with("ENVIR") {
        return Some(format!("{ENVIRONMENT}{end}"));
    }
    if let Some(near) = suggest::nearest(stem, ["ENV", "SCENARIO"].into_iter()) {
        return Some(format!("TINGKAT_{near}{end}"));
    }
    let meant = keys::all().iter().find_map(|key| {
        if key.path.contains('.') && letters(&key.path.replace('.', "")) == letters(stem) {
            return Some(key.own_variable());
        }
        // PORT is said by many.
        let known = key.variable.filter(|known| known.contains('_'))?;
        (letters(known) == letters(stem)).then(|| known.to_owned())
    })?;
    Some(format!("{meant}{end}"))
}

/// Whether the user asked for output without colours (no-color.org).
#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]
pub(crate) fn wants_no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// A file, and of one that is too long one byte more than is allowed.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?
        .take(most)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    let message = "it is not UTF-8";
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, message))
}
