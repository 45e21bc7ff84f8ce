//! What a Redis server is started with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::certificates::{Certificates, Identity};
use crate::error::Result;
use crate::free_port::BUS_OFFSET;
use crate::redis::server::Redis;

/// The options of one server. The default keeps its data through a kill (an append-only file that
/// is written but not synced), asks for no password and speaks plain TCP.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) role: Role,
    pub(crate) password: Option<String>,
    pub(crate) tls: Option<Tls>,
    pub(crate) dump: Option<PathBuf>,
    pub(crate) port: Option<u16>,
    announce_port: Option<u16>,
    master_port: Option<u16>,
    is_volatile: bool,
    /// Lines of the configuration file; the last one of a kind counts.
    lines: Vec<String>,
}

/// What kind of server it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    #[default]
    Data,
    ClusterNode,
    Sentinel,
}

/// How a server speaks TLS.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    certificates: Certificates,
    identity: Identity,
    asks_clients: bool,
}

/// What only the started server knows.
pub(crate) struct Site<'a> {
    pub(crate) port: u16,
    pub(crate) dir: &'a Path,
    pub(crate) socket: &'a Path,
}

impl Config {
    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// `redis-server` is missing or does not come up; with its log.
    pub async fn start(self) -> Result<Redis> {
        Redis::launch(self).await
    }

    /// The password of the default user (`requirepass`), and what a replica tells its master.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// A user with these ACL rules: `.user("reader", "on >secret ~app:* +get")`.
    pub fn user(self, name: &str, rules: &str) -> Self {
        self.line(format!("user {name} {rules}"))
    }

    /// At most this much memory, and what is done when it is full (`noeviction`, `allkeys-lru`, …).
    pub fn max_memory(self, bytes: u64, policy: &str) -> Self {
        self.set("maxmemory", bytes).set("maxmemory-policy", policy)
    }

    /// Speaks TLS only, as [`Identity::Server`].
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some(Tls {
            certificates: certificates.clone(),
            identity: Identity::default(),
            asks_clients: false,
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

    /// Asks clients for a certificate. Has no effect without [`tls`](Self::tls).
    pub fn client_certificates(mut self) -> Self {
        if let Some(tls) = &mut self.tls {
            tls.asks_clients = true;
        }
        self
    }

    /// Follows a master, which must be a server of ours with the same password and TLS.
    pub fn replica_of(mut self, master: &Redis) -> Self {
        self.master_port = Some(master.port());
        self
    }

    /// Listens on this port, which must be free, and not on any free one: for a server that comes
    /// later than its clients.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Names another port to replicas, Sentinel and the cluster: that of a proxy in front.
    pub fn announce_port(mut self, port: u16) -> Self {
        self.announce_port = Some(port);
        self
    }

    /// Forgets everything when it is killed, unless `SAVE` was called before.
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Starts with the data of this RDB file.
    pub fn dump(mut self, rdb: impl Into<PathBuf>) -> Self {
        self.dump = Some(rdb.into());
        self
    }

    /// Takes this long per key to load its data, and answers `LOADING` meanwhile. `SAVE` before the
    /// kill, and [`Redis::restart_loading`], show it.
    pub fn slow_load(self, per_key: Duration) -> Self {
        self.volatile()
            .set("key-load-delay", per_key.as_micros())
            // Look at clients after a few keys, not after the usual 2 MiB of the file.
            .set("loading-process-events-interval-bytes", 1024)
            .set("rdbcompression", "no")
    }

    /// Any other directive of the configuration file: `.set("databases", 4)`.
    pub fn set(self, directive: &str, value: impl std::fmt::Display) -> Self {
        self.line(format!("{directive} {value}"))
    }

    pub(crate) fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// How replicas, cluster nodes and Sentinels reach each other must be as for the clients.
    pub(crate) fn same_transport(mut self, other: &Config) -> Self {
        self.tls.clone_from(&other.tls);
        self
    }

    fn line(mut self, line: String) -> Self {
        self.lines.push(line);
        self
    }

    /// The configuration file. Secrets stand here and not among the process arguments.
    pub(crate) fn file(&self, site: &Site<'_>) -> String {
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            "protected-mode no".to_owned(),
            "daemonize no".to_owned(),
            format!("dir {}", quoted(&site.dir.to_string_lossy())),
        ];
        match &self.tls {
            None => lines.push(format!("port {}", site.port)),
            Some(tls) => lines.extend(tls.lines(site)),
        }
        match self.role {
            Role::Data => lines.extend(self.data_lines()),
            Role::ClusterNode => {
                lines.extend(self.data_lines());
                lines.push("cluster-enabled yes".to_owned());
            }
            Role::Sentinel => {}
        }
        lines.extend(self.announce_lines(site.port));
        if let Some(password) = &self.password {
            lines.push(format!("requirepass {}", quoted(password)));
        }
        lines.extend(self.lines.iter().cloned());
        lines.push(String::new());
        lines.join("\n")
    }

    fn data_lines(&self) -> Vec<String> {
        let keeps = if self.is_volatile || self.dump.is_some() {
            "no"
        } else {
            "yes"
        };
        let mut lines = vec![
            format!("appendonly {keeps}"),
            // A killed process loses nothing that it has written; only a dead machine would.
            "appendfsync no".to_owned(),
            "save \"\"".to_owned(),
            // Otherwise a replica waits 5 s for others to come.
            "repl-diskless-sync-delay 0".to_owned(),
            "repl-ping-replica-period 1".to_owned(),
        ];
        if let Some(port) = self.master_port {
            lines.push(format!("replicaof 127.0.0.1 {port}"));
        }
        if let Some(password) = &self.password {
            lines.push(format!("masterauth {}", quoted(password)));
        }
        lines
    }

    fn announce_lines(&self, real_port: u16) -> Vec<String> {
        let Some(port) = self.announce_port else {
            return Vec::new();
        };
        match self.role {
            Role::Data => vec![format!("replica-announce-port {port}")],
            Role::ClusterNode => vec![
                format!("cluster-announce-port {port}"),
                format!("cluster-announce-bus-port {}", real_port + BUS_OFFSET),
            ],
            Role::Sentinel => vec![format!("sentinel announce-port {port}")],
        }
    }
}

impl Tls {
    fn lines(&self, site: &Site<'_>) -> Vec<String> {
        let path = |path: PathBuf| quoted(&path.to_string_lossy());
        let asks_clients = if self.asks_clients { "yes" } else { "no" };
        vec![
            "port 0".to_owned(),
            // For our own commands: no test can talk to the TCP port without TLS by mistake.
            format!("unixsocket {}", quoted(&site.socket.to_string_lossy())),
            format!("tls-port {}", site.port),
            format!(
                "tls-cert-file {}",
                path(self.certificates.certificate(self.identity))
            ),
            format!(
                "tls-key-file {}",
                path(self.certificates.key(self.identity))
            ),
            format!("tls-ca-cert-file {}", path(self.certificates.authority())),
            format!("tls-auth-clients {asks_clients}"),
            "tls-replication yes".to_owned(),
            "tls-cluster yes".to_owned(),
        ]
    }
}

/// A value as the configuration file wants it when it may hold spaces or quotes.
pub(crate) fn quoted(value: &str) -> String {
    let mut quoted = String::from('"');
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            b' '..=b'~' => quoted.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => {
                let _ = write!(quoted, "\\x{byte:02x}");
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_as_the_configuration_file_wants_it() {
        assert_eq!(quoted(r#"a "b" \ é"#), r#""a \"b\" \\ \xc3\xa9""#);
    }
}
