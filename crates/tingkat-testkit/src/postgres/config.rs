//! What a `PostgreSQL` server is started with.

use std::path::Path;

use super::server::Postgres;
use super::template::SUPERUSER;
use crate::certificates::{Certificates, Identity};
use crate::error::Result;

/// The options of one server. The default trusts everybody on 127.0.0.1 and does not sync, nor need
/// its files be on a disk: a killed server loses nothing, a dead machine would lose the test anyway.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) password: Option<String>,
    pub(crate) tls: Option<Tls>,
    pub(crate) syncs: bool,
    has_statements: bool,
    settings: Vec<(String, String)>,
}

/// How a server speaks TLS.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) certificates: Certificates,
    pub(crate) identity: Identity,
}

impl Config {
    /// Starts the server and waits until it takes connections.
    ///
    /// # Errors
    /// A program of `PostgreSQL` is missing, or the server does not come up; with its log.
    pub async fn start(self) -> Result<Postgres> {
        Postgres::launch(self).await
    }

    /// Keeps its files on a disk and syncs them, as in production.
    pub fn fsync(mut self) -> Self {
        self.syncs = true;
        self
    }

    /// Loads `pg_stat_statements`; `CREATE EXTENSION` is left to the test.
    pub fn pg_stat_statements(mut self) -> Self {
        self.has_statements = true;
        self
    }

    /// Asks for this password over TCP (SCRAM).
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Speaks only TLS over TCP, as [`Identity::Server`].
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some(Tls {
            certificates: certificates.clone(),
            identity: Identity::default(),
        });
        self
    }

    /// Shows another certificate. Has no effect without [`tls`](Self::tls).
    pub fn identity(mut self, identity: Identity) -> Self {
        if let Some(tls) = &mut self.tls {
            tls.identity = identity;
        }
        self
    }

    /// Any other setting of `postgresql.conf`; the last one of a name counts.
    pub fn set(mut self, setting: &str, value: impl std::fmt::Display) -> Self {
        self.settings.push((setting.to_owned(), value.to_string()));
        self
    }

    /// What is appended to `postgresql.conf` of a server that lives in `home`.
    pub(crate) fn settings(&self, port: u16, home: &Path) -> String {
        let on_off = |is_on| if is_on { "on" } else { "off" };
        let socket_folder = home.to_string_lossy();
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("unix_socket_directories", socket_folder.into_owned()),
            ("fsync", on_off(self.syncs).to_owned()),
            ("full_page_writes", on_off(self.syncs).to_owned()),
            ("wal_level", "replica".to_owned()),
            // The files may be in memory.
            ("max_wal_size", "256MB".to_owned()),
            ("min_wal_size", "32MB".to_owned()),
            ("max_prepared_transactions", "16".to_owned()),
            ("shared_buffers", "32MB".to_owned()),
            ("password_encryption", "scram-sha-256".to_owned()),
            ("timezone", "UTC".to_owned()),
        ];
        if self.has_statements {
            settings.push(("shared_preload_libraries", "pg_stat_statements".to_owned()));
        }
        if self.tls.is_some() {
            settings.push(("ssl", "on".to_owned()));
            settings.push(("ssl_cert_file", "server.pem".to_owned()));
            settings.push(("ssl_key_file", "server.key".to_owned()));
        }
        let own = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        let lines = settings.into_iter().chain(own);
        let lines = lines.map(|(name, value)| format!("{name} = {}\n", literal(&value)));
        std::iter::once("\n# From tingkat-testkit:\n".to_owned())
            .chain(lines)
            .collect()
    }

    /// `pg_hba.conf`: the Unix socket is ours and always open.
    pub(crate) fn access(&self) -> String {
        let how = if self.tls.is_some() {
            "hostssl"
        } else {
            "host"
        };
        let check = if self.password.is_some() {
            "scram-sha-256"
        } else {
            "trust"
        };
        let line = |database| {
            format!(
                "local {database} all trust\n\
                 {how} {database} all 127.0.0.1/32 {check}\n"
            )
        };
        ["all", "replication"].map(line).concat()
    }

    /// The statement that sets the password.
    pub(crate) fn password_sql(&self) -> Option<String> {
        let password = self.password.as_deref()?;
        Some(format!(
            "ALTER ROLE {SUPERUSER} PASSWORD {}",
            literal(password)
        ))
    }
}

/// A text in quotes, as SQL and `postgresql.conf` both want it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
