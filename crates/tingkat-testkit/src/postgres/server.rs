//! One `PostgreSQL` server.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::config::Config;
use super::installation::Installation;
use super::session::Session;
use super::template::{self, SUPERUSER};
use crate::error::{Error, Result};
use crate::free_port::free_port;
use crate::home::{Home, Medium};
use crate::process::{Ending, PORT_ATTEMPTS, Process, READY_WITHIN, once_port_is_free};
use crate::program::Program;
use crate::url::encoded;

/// The program.
const SERVER: &str = "postgres";

/// Which line of `postmaster.pid` says whether the server is up, counted from 0.
const PID_FILE_STATUS_LINE: usize = 7;

/// The database that every server has.
const MAINTENANCE: &str = "postgres";

/// A `PostgreSQL` server of its own, which ends with this value (immediate shutdown).
///
/// Its port and data stay the same through [`kill_immediate`](Self::kill_immediate) and
/// [`restart`](Self::restart). Started by root, it runs as `postgres` or `nobody`.
#[derive(Debug)]
pub struct Postgres {
    config: Config,
    installation: Installation,
    port: u16,
    process: Mutex<Option<Process>>,
    home: Arc<Home>,
}

impl Postgres {
    /// Starts a server.
    ///
    /// # Errors
    /// A program of `PostgreSQL` is missing, or the server does not come up; with its log.
    pub async fn start() -> Result<Self> {
        Self::config().start().await
    }

    /// The options of a server to start.
    pub fn config() -> Config {
        Config::default()
    }

    pub(crate) async fn launch(config: Config) -> Result<Self> {
        let mut server = Self::new(config, Installation::find().await?)?;
        template::copy_to(&server.data(), &server.installation).await?;
        server.write_access()?;
        server.run_on_free_port().await?;
        if let Some(sql) = server.config.password_sql() {
            server.psql(&sql).await?;
        }
        Ok(server)
    }

    /// Starts a standby: a copy of this server (`pg_basebackup`) that follows it.
    ///
    /// # Errors
    /// This server does not run, or the new one does not come up; with its log.
    pub async fn standby(&self) -> Result<Self> {
        let mut standby = Self::new(self.config.clone(), self.installation.clone())?;
        let backup = self
            .installation
            .program_as_owner("pg_basebackup")
            .with(|c| {
                c.arg("--pgdata").arg(standby.data());
                c.arg("--host").arg(self.home.path());
                c.arg("--port").arg(self.port.to_string());
                c.args([
                    "--username",
                    SUPERUSER,
                    "--write-recovery-conf",
                    "--no-sync",
                ]);
                c.args(["--wal-method", "stream", "--checkpoint", "fast"]);
            });
        backup.run("").await?;
        standby.run_on_free_port().await?;
        Ok(standby)
    }

    fn new(config: Config, installation: Installation) -> Result<Self> {
        let medium = if config.syncs {
            Medium::Disk
        } else {
            Medium::Fast
        };
        let home = Arc::new(Home::new(medium)?);
        if let Some(account) = installation.account {
            account.own(home.path())?;
        }
        Ok(Self {
            config,
            installation,
            port: 0,
            process: Mutex::new(None),
            home,
        })
    }

    async fn run_on_free_port(&mut self) -> Result<()> {
        let mut attempts = 1;
        loop {
            self.port = free_port()?;
            self.append_settings()?;
            match self.run().await {
                Err(e) if e.is_lost_port() && attempts < PORT_ATTEMPTS => attempts += 1,
                done => return done,
            }
        }
    }

    /// The URL of a database for clients, with the password.
    pub fn url(&self, database: &str) -> String {
        self.url_at(self.port, database)
    }

    /// The URL for clients that go through a proxy on this port of 127.0.0.1.
    pub fn url_at(&self, port: u16, database: &str) -> String {
        let password = self.config.password.as_deref();
        let password = password.map_or_else(String::new, |p| format!(":{}", encoded(p)));
        let tls = self.config.tls.as_ref().map_or_else(String::new, |tls| {
            let authority = tls.certificates.authority();
            let authority = authority.to_string_lossy();
            format!("?sslmode=verify-full&sslrootcert={}", encoded(&authority))
        });
        format!(
            "postgres://{SUPERUSER}{password}@127.0.0.1:{port}/{}{tls}",
            encoded(database)
        )
    }

    /// Runs SQL in the database `postgres`, over the Unix socket, and returns what `psql` prints:
    /// a line per row, columns parted by `|`.
    ///
    /// # Errors
    /// A statement fails (the ones after it are not run), or the server does not answer.
    pub async fn psql(&self, sql: &str) -> Result<String> {
        self.psql_in(MAINTENANCE, sql).await
    }

    /// Runs SQL in another database.
    ///
    /// # Errors
    /// As [`psql`](Self::psql).
    pub async fn psql_in(&self, database: &str, sql: &str) -> Result<String> {
        let psql = self.psql_on_socket(database).with(|c| {
            c.args(["--set", "ON_ERROR_STOP=1"]);
        });
        psql.run(sql).await
    }

    /// Opens a connection to a database, over the Unix socket, that stays open. A statement that
    /// is not answered within `deadline` ends it.
    ///
    /// # Errors
    /// `psql` is missing; a server that is away shows in the first statement.
    pub fn session(&self, database: &str, deadline: Duration) -> Result<Session> {
        Session::start(self.psql_on_socket(database), deadline)
    }

    /// Lets so many clients run a script of `pgbench` in a database for about so long, and says how
    /// many transactions a second they made. In the script `:new` is 1 for each client until it sets
    /// that to something else, for what a session does once.
    ///
    /// # Errors
    /// A statement fails, or the server does not answer.
    pub async fn pgbench(
        &self,
        database: &str,
        script: &str,
        clients: u32,
        duration: Duration,
    ) -> Result<f64> {
        let pgbench = self.installation.program("pgbench").with(|c| {
            c.arg("--host").arg(self.home.path());
            c.arg("--port").arg(self.port.to_string());
            c.args([
                "--username",
                SUPERUSER,
                "--no-vacuum",
                "--define",
                "new=1",
                "--file",
                "/dev/stdin",
            ]);
            c.arg("--client").arg(clients.to_string());
            c.arg("--time").arg(duration.as_secs().to_string());
            c.arg(database);
        });
        let printed = pgbench.run(script).await?;
        let tps = printed.lines().find_map(|line| {
            let (tps, _) = line.strip_prefix("tps = ")?.split_once(' ')?;
            tps.parse().ok()
        });
        tps.ok_or_else(|| Error::new(format!("pgbench says no tps: {printed}")))
    }

    /// Runs SQL as any client would, over TCP, with everything that the URL says.
    ///
    /// # Errors
    /// As [`psql`](Self::psql).
    pub async fn psql_url(&self, url: &str, sql: &str) -> Result<String> {
        let psql = self.psql_program().with(|c| {
            c.args(["--dbname", url, "--set", "ON_ERROR_STOP=1"]);
        });
        psql.run(sql).await
    }

    /// Creates an empty database. For a name that does not matter there is
    /// [`database`](Self::database).
    ///
    /// # Errors
    /// It exists already, or the server does not run.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        let name = name.replace('"', "\"\"");
        self.psql(&format!("CREATE DATABASE \"{name}\"")).await?;
        Ok(())
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as a proxy wants its upstream.
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id of the postmaster, while the server runs.
    pub fn pid(&self) -> Option<u32> {
        self.with_process(|process| process.as_ref().map(Process::id))
    }

    /// The folder of its socket, log and data.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.log()).unwrap_or_default()
    }

    /// Ends it as a crash does (`pg_ctl stop -m immediate`): it recovers when it starts again.
    /// Nothing happens if it does not run.
    ///
    /// # Errors
    /// It goes on running.
    pub async fn kill_immediate(&self) -> Result<()> {
        self.end_by(Signal::QUIT).await
    }

    /// Ends it in order (`pg_ctl stop -m fast`). Nothing happens if it does not run.
    ///
    /// # Errors
    /// It goes on running.
    pub async fn shut_down(&self) -> Result<()> {
        self.end_by(Signal::INT).await
    }

    /// Starts it again, with its port and data, and waits until it takes connections. A running
    /// server is ended as by [`kill_immediate`](Self::kill_immediate) before.
    ///
    /// # Errors
    /// It does not come up; with its log.
    pub async fn restart(&self) -> Result<()> {
        self.kill_immediate().await?;
        once_port_is_free(|| self.run()).await
    }

    /// Stops the postmaster and its children where they stand (SIGSTOP): connections stay open, new
    /// ones are accepted by the kernel, and nothing answers.
    ///
    /// # Errors
    /// It does not run.
    pub fn stop(&self) -> Result<()> {
        // The postmaster first: from then on there are no new children.
        self.with_running(|process| {
            process.signal(Signal::STOP)?;
            process.signal_children(Signal::STOP)
        })
    }

    /// Lets a stopped server go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn cont(&self) -> Result<()> {
        self.with_running(|process| {
            process.signal_children(Signal::CONT)?;
            process.signal(Signal::CONT)
        })
    }

    /// Ends the connections of all clients, as an operator does, and says how many there were.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn kill_backends(&self) -> Result<u64> {
        let killed = self
            .psql(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            )
            .await?;
        killed
            .parse()
            .map_err(|_| Error::new(format!("psql printed {killed} for a count")))
    }

    /// Whether it follows another server.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn is_standby(&self) -> Result<bool> {
        Ok(self.psql("SELECT pg_is_in_recovery()").await? == "t")
    }

    /// Makes a standby a server of its own and waits until it takes writes.
    ///
    /// # Errors
    /// It is not a standby, or takes more than 20 s.
    pub async fn promote(&self) -> Result<()> {
        let within = READY_WITHIN.as_secs();
        match self
            .psql(&format!("SELECT pg_promote(true, {within})"))
            .await?
            .as_str()
        {
            "t" => Ok(()),
            _ => Err(Error::new(format!(
                "the standby was not promoted; its log:\n{}",
                self.log()
            ))),
        }
    }

    async fn run(&self) -> Result<()> {
        let mut command = Command::new(self.installation.path(SERVER));
        command.arg("-D").arg(self.data());
        if let Some(account) = self.installation.account {
            command.uid(account.uid).gid(account.gid);
        }
        let mut process = Process::spawn(SERVER, command, Ending::Quit, &self.home)?;
        let is_up = || async {
            if !self.says_ready() {
                return None;
            }
            self.psql("SELECT 1").await.ok()
        };
        process.ready(is_up).await?;
        self.with_process(|slot| *slot = Some(process));
        Ok(())
    }

    /// Whether the server's own file says that it takes connections. It is looked at first because
    /// it costs less than to run `psql`.
    fn says_ready(&self) -> bool {
        let status = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let status = status.lines().nth(PID_FILE_STATUS_LINE).unwrap_or_default();
        matches!(status.trim(), "ready" | "standby")
    }

    async fn end_by(&self, signal: Signal) -> Result<()> {
        match self.with_process(Option::take) {
            Some(process) => process.end_by(signal).await,
            None => Ok(()),
        }
    }

    fn psql_program(&self) -> Program {
        self.installation.program("psql").with(|c| {
            c.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"]);
            c.args(["--file", "-"]);
        })
    }

    fn psql_on_socket(&self, database: &str) -> Program {
        self.psql_program().with(|c| {
            c.arg("--host").arg(self.home.path());
            c.arg("--port").arg(self.port.to_string());
            c.args(["--username", SUPERUSER, "--dbname", database]);
        })
    }

    fn append_settings(&self) -> Result<()> {
        let settings = self.config.settings(self.port, self.home.path());
        fs::File::options()
            .append(true)
            .open(self.data().join("postgresql.conf"))
            .and_then(|mut file| file.write_all(settings.as_bytes()))
            .map_err(Error::io("write postgresql.conf"))
    }

    fn write_access(&self) -> Result<()> {
        fs::write(self.data().join("pg_hba.conf"), self.config.access())
            .map_err(Error::io("write pg_hba.conf"))?;
        if let Some(tls) = &self.config.tls {
            let (certificates, identity) = (&tls.certificates, tls.identity);
            self.adopt(&certificates.certificate(identity), "server.pem")?;
            self.adopt(&certificates.key(identity), "server.key")?;
        }
        Ok(())
    }

    /// Copies a file into the data folder. The server refuses a key that another user owns.
    fn adopt(&self, file: &Path, name: &str) -> Result<()> {
        let target = self.data().join(name);
        fs::copy(file, &target).map_err(Error::io(format!("copy {}", file.display())))?;
        match self.installation.account {
            Some(account) => account.own(&target),
            None => Ok(()),
        }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn with_running<T>(&self, use_it: impl FnOnce(&mut Process) -> Result<T>) -> Result<T> {
        self.with_process(|process| match process {
            Some(process) => use_it(process),
            None => Err(Error::new(format!("{SERVER} does not run"))),
        })
    }

    fn with_process<T>(&self, use_it: impl FnOnce(&mut Option<Process>) -> T) -> T {
        use_it(&mut self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The postmaster would wait 5 s for children that a test has stopped. This fails only if
        // the server does not run.
        let _ = self.cont();
    }
}
