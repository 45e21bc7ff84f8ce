//! Where a database is. Reads what people write in `DATABASE_URL`, and never shows a password.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Where a database is: `postgres://user:password@host:port/database` or `sqlite:path`.
///
/// What a PostgreSQL URL leaves out comes from where every PostgreSQL client takes it: the `PG…`
/// variables and the password file.
#[derive(Clone)]
pub struct Url(Place);

/// A PostgreSQL server, and the schema of the store's tables in it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) options: PgConnectOptions,
    /// Nothing for the one that the role finds by itself.
    pub(crate) schema: Option<String>,
    /// Files that the parameters name, each with the parameter.
    pub(crate) files: Vec<(&'static str, PathBuf)>,
}

impl Server {
    /// Where it is, for messages.
    pub(crate) fn address(&self) -> String {
        match self.options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    /// With the schema as a setting of the session, which a pooler would refuse.
    pub(crate) fn with_search_path(&self) -> PgConnectOptions {
        let options = self.options.clone();
        match &self.schema {
            Some(schema) => options.options([("search_path", quoted(schema))]),
            None => options,
        }
    }
}

#[derive(Clone)]
pub(crate) enum Place {
    Postgres(Box<Server>),
    Sqlite(PathBuf),
}

/// A text that is no database URL. Does not repeat the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct UrlError {
    problem: String,
}

impl UrlError {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
        }
    }
}

/// Parameters that name files, under all their names, and what such a file holds.
const FILES: &[(&str, &str, &str)] = &[
    ("sslrootcert", "CERTIFICATE", "certificate"),
    ("ssl-root-cert", "CERTIFICATE", "certificate"),
    ("ssl-ca", "CERTIFICATE", "certificate"),
    ("sslcert", "CERTIFICATE", "certificate"),
    ("ssl-cert", "CERTIFICATE", "certificate"),
    ("sslkey", "PRIVATE KEY", "private key"),
    ("ssl-key", "PRIVATE KEY", "private key"),
];

/// Parameters of a PostgreSQL URL that have a meaning here; others are for other programs.
const KNOWN: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

impl Url {
    /// The embedded database in this file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Place::Sqlite(path.into()))
    }

    /// The file, if the database is embedded.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Postgres(_) => None,
            Place::Sqlite(path) => Some(path),
        }
    }

    /// Whether it is on another machine, or may be.
    pub fn is_remote(&self) -> bool {
        match &self.0 {
            Place::Sqlite(_) => false,
            Place::Postgres(server) => {
                let host = server.options.get_host();
                let is_here = server.options.get_socket().is_some()
                    || host.starts_with('/')
                    || host == "localhost"
                    || host
                        .trim_matches(['[', ']'])
                        .parse::<IpAddr>()
                        .is_ok_and(|it| it.is_loopback());
                !is_here
            }
        }
    }

    /// Whether the server must prove who it is, by a certificate with its name (`verify-full`).
    pub fn is_verified(&self) -> bool {
        match &self.0 {
            Place::Sqlite(_) => false,
            Place::Postgres(server) => {
                matches!(server.options.get_ssl_mode(), PgSslMode::VerifyFull)
            }
        }
    }

    /// The files that its parameters name, each with the parameter.
    pub fn files(&self) -> &[(&'static str, PathBuf)] {
        match &self.0 {
            Place::Postgres(server) => &server.files,
            Place::Sqlite(_) => &[],
        }
    }

    /// Looks whether they are what they should be. A client finds out when it connects, and does not say
    /// which file it was.
    ///
    /// # Errors
    /// The first that can not be read or holds nothing of its kind.
    pub fn check_files(
        &self,
        read: impl Fn(&Path) -> std::io::Result<Vec<u8>>,
    ) -> Result<(), UrlError> {
        for (name, path) in self.files() {
            let kind = FILES.iter().find(|(known, ..)| known == name);
            let (mark, what) = kind.map_or(("", ""), |(_, mark, what)| (*mark, *what));
            let shown = path.display();
            let bytes = read(path).map_err(|error| {
                UrlError::new(format!("{name}: failed to read {shown}: {error}"))
            })?;
            if !String::from_utf8_lossy(&bytes).contains(mark) {
                let problem = format!("{name}: {shown} holds no {what} in PEM");
                return Err(UrlError::new(problem));
            }
        }
        Ok(())
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let expected = "expected postgres://user:password@host:port/database or sqlite:path";
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| UrlError::new(expected))?;
        match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => {
                postgres(rest).map(|place| Self(Place::Postgres(Box::new(place))))
            }
            "sqlite" => sqlite(rest).map(|path| Self(Place::Sqlite(path))),
            // Whatever stands before the colon may be the beginning of a password.
            _ => Err(UrlError::new(expected)),
        }
    }
}

fn postgres(rest: &str) -> Result<Server, UrlError> {
    let rest = rest.strip_prefix("//").ok_or_else(|| {
        UrlError::new("expected // after postgres:, as in postgres://host/database")
    })?;
    check_separators(rest)?;
    let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut kept = String::new();
    let (mut schema, mut files) = (None, Vec::new());
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name == "schema" {
            schema = Some(decoded(value)?);
        } else if KNOWN.contains(&name) || name.starts_with("options[") {
            let of_file = FILES.iter().find(|(known, ..)| *known == name);
            let path = of_file.map(|_| decoded(value)).transpose()?;
            // What is in a file may stand there itself.
            if let (Some((name, ..)), Some(path)) = (of_file, path)
                && !path.contains("-----BEGIN")
            {
                files.push((*name, PathBuf::from(path)));
            }
            kept.push(if kept.is_empty() { '?' } else { '&' });
            kept.push_str(parameter);
        }
    }
    let options: PgConnectOptions = format!("postgres://{base}{kept}")
        .parse()
        .map_err(|error: sqlx::Error| UrlError::new(reason(&error)))?;
    Ok(Server {
        options,
        schema,
        files,
    })
}

/// An unescaped `/`, `?` or `#` in a password ends the authority early, and the rest of the password
/// would be taken for a database or a parameter, which are shown.
fn check_separators(rest: &str) -> Result<(), UrlError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let path = tail.split('?').next().unwrap_or_default();
    if tail.contains('#') || path.contains('@') || (tail.contains('@') && !authority.contains('@'))
    {
        return Err(UrlError::new(
            "write / ? # and @ in a user or password as %2F %3F %23 and %40",
        ));
    }
    Ok(())
}

/// What is wrong, without the layers that only say that something is.
fn reason(error: &sqlx::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("the PostgreSQL URL has a mistake: {source}"),
        None => "the PostgreSQL URL has a mistake".into(),
    }
}

/// A schema's name as an identifier in SQL.
fn quoted(schema: &str) -> String {
    format!("\"{}\"", schema.replace('"', "\"\""))
}

fn sqlite(rest: &str) -> Result<PathBuf, UrlError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.contains('?') {
        return Err(UrlError::new(
            "a SQLite URL takes no parameters; write ? in a path as %3F",
        ));
    }
    let path = decoded(path)?;
    if path.is_empty() || path.contains('\0') {
        return Err(UrlError::new(
            "expected a path after sqlite:, as in sqlite:tingkat.db",
        ));
    }
    if path.starts_with(":memory:") {
        return Err(UrlError::new(
            "expected a file after sqlite:; a database in memory is not shared",
        ));
    }
    Ok(PathBuf::from(path))
}

fn decoded(text: &str) -> Result<String, UrlError> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| UrlError::new("the %-encoded part of the URL is not UTF-8"))
}

impl fmt::Display for Url {
    /// The URL without password and parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Place::Postgres(server) => {
                let user = server.options.get_username();
                let database = server.options.get_database().unwrap_or(user);
                write!(f, "postgres://{user}@{}/{database}", server.address())
            }
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Url, UrlError> {
        text.parse()
    }

    #[test]
    fn a_password_is_never_shown() {
        let url =
            parse("postgresql://ali:s3cret%40x@db.example:6543/shop?sslmode=require").unwrap();
        assert_eq!(url.to_string(), "postgres://ali@db.example:6543/shop");
        assert!(!format!("{url:?}").contains("s3cret"));
    }

    #[test]
    fn a_wrong_url_is_told_without_its_text() {
        for text in [
            "",
            "s3cret",
            "mysql://ali:s3cret@db/shop",
            "s3cret:x",
            "postgres:s3cret",
            "postgres://ali:s3cret@db:port/shop",
            "postgres://ali:s3cret@db:99999/shop",
            "postgres://ali:s3cret@db/shop?sslmode=s0metimes",
            "postgres://ali:s3/cret@db/shop",
            "postgres://ali:12/s3cret@db/shop",
            "postgres://ali:12?s3cret@db/shop",
            "postgres://ali:12#s3cret@db/shop",
            "postgres://ali:s3cret@db/shop?port=s3cret",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite:shop.db?mode=ro",
            "sqlite:%ff",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(!error.contains("s3"), "{text}: {error}");
            assert!(!error.contains("cret"), "{text}: {error}");
            assert!(
                !error.contains('\n') && !error.is_empty(),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn parameters_of_other_programs_are_left_out() {
        let url =
            parse("postgres://ali@db/shop?schema=store&connection_limit=5&pgbouncer=true").unwrap();
        let Place::Postgres(server) = url.place() else {
            panic!("{url}")
        };
        assert_eq!(server.schema.as_deref(), Some("store"));
        assert_eq!(server.options.get_options(), None);
        let session = server.with_search_path();
        assert_eq!(session.get_options(), Some("-c search_path=\"store\""));
    }

    #[test]
    fn a_sqlite_url_is_a_path() {
        for (text, path) in [
            ("sqlite:tingkat.db", "tingkat.db"),
            ("sqlite://tingkat.db", "tingkat.db"),
            ("sqlite:///var/lib/tingkat.db", "/var/lib/tingkat.db"),
            ("sqlite:/var/lib/my%20shop.db", "/var/lib/my shop.db"),
            ("SQLITE:./a.db", "./a.db"),
        ] {
            assert_eq!(parse(text).unwrap().path(), Some(Path::new(path)), "{text}");
        }
    }
}
