//! One `redis-server` process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::config::{Config, Role, Site};
use super::reply::Reply;
use super::wire::Wire;
use crate::deadline::eventually;
use crate::error::{Error, Result};
use crate::free_port::{free_port, free_port_with_bus};
use crate::home::{Home, Medium};
use crate::process::{Ending, PORT_ATTEMPTS, Process, READY_WITHIN, once_port_is_free};
use crate::program::redis_server;
use crate::url::encoded;

/// How long a command may take: a stopped server answers never.
const COMMAND_DEADLINE: Duration = Duration::from_secs(5);

/// The program, unless `TINGKAT_TEST_REDIS` names another.
const SERVER: &str = "redis-server";

/// A Redis server of its own: data node, cluster node or Sentinel. It ends with this value.
///
/// Its port, folder and configuration file stay the same through [`kill`](Self::kill) and
/// [`restart`](Self::restart).
#[derive(Debug)]
pub struct Redis {
    config: Config,
    port: u16,
    process: Mutex<Option<Process>>,
    /// Last: the process lives in it.
    home: Arc<Home>,
}

/// When a server counts as started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// It answers, if only with LOADING.
    Answering,
    /// It has its data.
    Loaded,
}

impl Redis {
    /// Starts a plain server.
    ///
    /// # Errors
    /// `redis-server` is missing or does not come up; with its log.
    pub async fn start() -> Result<Self> {
        Self::config().start().await
    }

    /// The options of a server to start.
    pub fn config() -> Config {
        Config::default()
    }

    pub(crate) async fn launch(config: Config) -> Result<Self> {
        let mut redis = Self {
            config,
            port: 0,
            process: Mutex::new(None),
            home: Arc::new(Home::new(Medium::Fast)?),
        };
        redis.run_on_free_port().await?;
        if redis.config.dump.is_some() {
            redis.keep_from_now_on().await?;
        }
        Ok(redis)
    }

    /// Switches the append-only file on. Had it been on from the beginning, Redis would have ignored
    /// the dump; so would a restart before the file holds all of it.
    async fn keep_from_now_on(&self) -> Result<()> {
        self.cmd(&["CONFIG", "SET", "appendonly", "yes"]).await?;
        eventually(READY_WITHIN, || async {
            for (field, value) in [
                ("aof_rewrite_scheduled", "0"),
                ("aof_rewrite_in_progress", "0"),
                ("aof_last_bgrewrite_status", "ok"),
            ] {
                if !self.info(field).await.is_ok_and(|now| now == value) {
                    return false;
                }
            }
            true
        })
        .await
        .map_err(|_| Error::new(format!("the dump was not taken over; {}", self.log())))?;
        self.cmd(&["CONFIG", "REWRITE"]).await?;
        Ok(())
    }

    async fn run_on_free_port(&mut self) -> Result<()> {
        if let Some(port) = self.config.port {
            self.port = port;
            self.write_files()?;
            return self.run(Until::Loaded).await;
        }
        let mut attempts = 1;
        loop {
            self.port = match self.config.role {
                Role::Data | Role::Sentinel => free_port()?,
                Role::ClusterNode => free_port_with_bus()?,
            };
            self.write_files()?;
            match self.run(Until::Loaded).await {
                Err(e) if e.is_lost_port() && attempts < PORT_ATTEMPTS => attempts += 1,
                done => return done,
            }
        }
    }

    /// Sends one command over a connection of its own, as the default user.
    ///
    /// # Errors
    /// The server answers with an error (which is then the text), or not within 5 s.
    pub async fn cmd(&self, args: &[impl AsRef<[u8]>]) -> Result<Reply> {
        self.call(&self.login(), args).await
    }

    /// Sends one command as this user.
    ///
    /// # Errors
    /// As [`cmd`](Self::cmd); also when the server does not know the user.
    pub async fn cmd_as(
        &self,
        user: &str,
        password: &str,
        args: &[impl AsRef<[u8]>],
    ) -> Result<Reply> {
        self.call(&["AUTH", user, password], args).await
    }

    /// The value of a field of `INFO`.
    ///
    /// # Errors
    /// As [`cmd`](Self::cmd); also when there is no such field.
    pub async fn info(&self, field: &str) -> Result<String> {
        let info = self.cmd(&["INFO", "everything"]).await?.to_string();
        info.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .map(str::to_owned)
            .ok_or_else(|| Error::new(format!("INFO of {SERVER} has no field {field}")))
    }

    /// The TCP port, which speaks TLS if the server does.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.config.password.as_deref()
    }

    /// `host:port`, as a proxy wants its upstream.
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL for clients, with the password of the default user.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The URL for clients that go through a proxy on this port of 127.0.0.1.
    pub fn url_at(&self, port: u16) -> String {
        let scheme = if self.config.tls.is_some() {
            "rediss"
        } else {
            "redis"
        };
        let login = self
            .config
            .password
            .as_deref()
            .map_or_else(String::new, |password| format!(":{}@", encoded(password)));
        format!("{scheme}://{login}127.0.0.1:{port}/")
    }

    /// The process id, while the server runs.
    pub fn pid(&self) -> Option<u32> {
        self.with_process(|process| process.as_ref().map(Process::id))
    }

    /// The folder with its data and configuration.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// Where `SAVE` writes.
    pub fn dump_file(&self) -> PathBuf {
        self.dir().join("dump.rdb")
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.log()).unwrap_or_default()
    }

    /// Ends it as a crash does (SIGKILL). Nothing happens if it does not run.
    pub fn kill(&self) {
        // The drop of a Redis process kills it.
        drop(self.with_process(Option::take));
    }

    /// Asks it to end (SIGTERM) and waits until it has. Nothing happens if it does not run.
    ///
    /// # Errors
    /// It goes on running.
    pub async fn shut_down(&self) -> Result<()> {
        match self.with_process(Option::take) {
            Some(process) => process.end_by(Signal::TERM).await,
            None => Ok(()),
        }
    }

    /// Stops it where it stands (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn stop(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a stopped server go on.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn cont(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Starts it again, with its port and data, and waits until it answers. A running server is
    /// killed before.
    ///
    /// # Errors
    /// It does not come up; with its log.
    pub async fn restart(&self) -> Result<()> {
        self.kill();
        once_port_is_free(|| self.run(Until::Loaded)).await
    }

    /// As [`restart`](Self::restart), but does not wait until the data is loaded: see
    /// [`Config::slow_load`].
    ///
    /// # Errors
    /// It does not come up; with its log.
    pub async fn restart_loading(&self) -> Result<()> {
        self.kill();
        once_port_is_free(|| self.run(Until::Answering)).await
    }

    /// From now on names another port to replicas, Sentinel and the cluster: that of a proxy in
    /// front of it, which can only be started when the server's own port is known.
    ///
    /// # Errors
    /// As [`cmd`](Self::cmd).
    pub async fn announce(&self, port: u16) -> Result<()> {
        let port = port.to_string();
        match self.config.role {
            Role::Data => {
                self.cmd(&["CONFIG", "SET", "replica-announce-port", &port])
                    .await?;
            }
            Role::ClusterNode => {
                let bus = (self.port + crate::free_port::BUS_OFFSET).to_string();
                self.cmd(&["CONFIG", "SET", "cluster-announce-bus-port", &bus])
                    .await?;
                self.cmd(&["CONFIG", "SET", "cluster-announce-port", &port])
                    .await?;
            }
            Role::Sentinel => {
                self.cmd(&["SENTINEL", "CONFIG", "SET", "announce-port", &port])
                    .await?;
            }
        }
        Ok(())
    }

    fn write_files(&self) -> Result<()> {
        let socket = self.socket();
        let file = self.config.file(&Site {
            port: self.port,
            dir: self.dir(),
            socket: &socket,
        });
        fs::write(self.config_file(), file).map_err(Error::io("write redis.conf"))?;
        if let Some(dump) = &self.config.dump {
            fs::copy(dump, self.dump_file())
                .map_err(Error::io(format!("copy {}", dump.display())))?;
        }
        Ok(())
    }

    async fn run(&self, until: Until) -> Result<()> {
        let mut command = Command::new(redis_server().unwrap_or_else(|| SERVER.into()));
        command.arg(self.config_file());
        if self.config.role == Role::Sentinel {
            command.arg("--sentinel");
        }
        let mut process = Process::spawn(SERVER, command, Ending::KillGroup, &self.home)?;
        let pid = process.id();
        process.ready(|| self.is_up(pid, until)).await?;
        self.with_process(|slot| *slot = Some(process));
        Ok(())
    }

    /// Whether the process that answers on our port is this one: for a moment it may be that of
    /// another test, which was faster. Something that lets us see nothing is believed to be ours.
    async fn is_up(&self, pid: u32, until: Until) -> Option<()> {
        let reply = self.ask(&self.login(), &["INFO"]).await.ok()?;
        if matches!(reply, Reply::Error(_)) {
            return Some(());
        }
        let info = reply.text()?;
        let says = |line: &str| info.lines().any(|said| said == line);
        let is_loading = says("loading:1") && until == Until::Loaded;
        (says(&format!("process_id:{pid}")) && !is_loading).then_some(())
    }

    async fn connect(&self) -> std::io::Result<Wire> {
        if self.config.tls.is_some() {
            Wire::unix(&self.socket()).await
        } else {
            Wire::tcp(self.port).await
        }
    }

    /// How we log in as the default user.
    fn login(&self) -> Vec<&str> {
        match &self.config.password {
            Some(password) => vec!["AUTH", password],
            None => Vec::new(),
        }
    }

    async fn call(&self, login: &[&str], args: &[impl AsRef<[u8]>]) -> Result<Reply> {
        let reply = self.ask(login, args).await?;
        if let Reply::Error(message) = reply {
            return Err(Error::new(message));
        }
        Ok(reply)
    }

    /// The reply to one command, or to a login that fails.
    async fn ask(&self, login: &[&str], args: &[impl AsRef<[u8]>]) -> Result<Reply> {
        let asked = async {
            let mut wire = self.connect().await?;
            if !login.is_empty() {
                let reply = wire.call(login).await?;
                if matches!(reply, Reply::Error(_)) {
                    return Ok(reply);
                }
            }
            wire.call(args).await
        };
        tokio::time::timeout(COMMAND_DEADLINE, asked)
            .await
            .map_err(|_| {
                Error::new(format!(
                    "{SERVER} did not answer within {COMMAND_DEADLINE:?}"
                ))
            })?
            .map_err(Error::io(format!("talk to {SERVER}")))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.with_process(|process| match process {
            Some(process) => process.signal(signal),
            None => Err(Error::new(format!("{SERVER} does not run"))),
        })
    }

    fn with_process<T>(&self, use_it: impl FnOnce(&mut Option<Process>) -> T) -> T {
        use_it(&mut self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn config_file(&self) -> PathBuf {
        self.dir().join("redis.conf")
    }

    fn socket(&self) -> PathBuf {
        self.dir().join("redis.sock")
    }
}
