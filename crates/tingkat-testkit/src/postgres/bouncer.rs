//! A `PgBouncer` in front of a server, as many stores have one.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use super::account::Account;
use super::server::Postgres;
use super::template::SUPERUSER;
use crate::error::{Error, Result};
use crate::free_port::free_port;
use crate::home::{Home, Medium};
use crate::process::{Ending, PORT_ATTEMPTS, Process};

const POOLER: &str = "pgbouncer";

/// A pooler in transaction mode with its defaults, which ends with this value: every transaction
/// may come to another session of the server, and what a session was told stays in it.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    _process: Process,
}

impl Postgres {
    /// Starts a pooler in front of this server, with so many sessions for all its clients.
    ///
    /// # Errors
    /// `pgbouncer` is missing, or does not come up; with its log.
    pub async fn bouncer(&self, sessions: u32) -> Result<PgBouncer> {
        let mut attempts = 1;
        loop {
            match self.start_bouncer(sessions).await {
                Err(error) if error.is_lost_port() && attempts < PORT_ATTEMPTS => attempts += 1,
                done => return done,
            }
        }
    }

    async fn start_bouncer(&self, sessions: u32) -> Result<PgBouncer> {
        let home = Arc::new(Home::new(Medium::Fast)?);
        let port = free_port()?;
        let (users, settings) = (home.path().join("users"), home.path().join("settings"));
        fs::write(&users, format!("\"{SUPERUSER}\" \"\"\n"))
            .map_err(Error::io("write the pooler's users"))?;
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = transaction\ndefault_pool_size = {sessions}\n",
            self.port(),
            users.display(),
        );
        fs::write(&settings, text).map_err(Error::io("write the pooler's settings"))?;
        let mut command = Command::new(POOLER);
        command.arg(&settings);
        if let Some(account) = Account::for_servers().await? {
            account.own(home.path())?;
            command.args(["--user", account.name]);
        }
        let mut process = Process::spawn(POOLER, command, Ending::KillGroup, &home)?;
        let url = self.url_at(port, "postgres");
        let is_up = || async { self.psql_url(&url, "SELECT 1").await.ok() };
        process.ready(is_up).await?;
        Ok(PgBouncer {
            port,
            _process: process,
        })
    }
}

impl PgBouncer {
    /// Its port on 127.0.0.1; [`Postgres::url_at`] has the URL.
    pub const fn port(&self) -> u16 {
        self.port
    }
}
