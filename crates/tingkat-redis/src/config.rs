//! What the tier is told about the servers that it uses.

use std::str::FromStr;
use std::time::Duration;

use crate::address::Address;
use crate::tls::Tls;

/// What stands at the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Whatever the server there says it is.
    #[default]
    Auto,
    /// One server, or a proxy that behaves like one.
    Standalone,
    /// The master that Sentinels name.
    Sentinel,
    /// The nodes of a cluster.
    Cluster,
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        match text {
            "auto" => Ok(Self::Auto),
            "standalone" => Ok(Self::Standalone),
            "sentinel" => Ok(Self::Sentinel),
            "cluster" => Ok(Self::Cluster),
            _ => Err(ModeError),
        }
    }
}

/// A text that is no [`Mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, standalone, sentinel or cluster")]
pub struct ModeError;

/// How to reach the Sentinels.
#[derive(Clone, Debug, Default)]
pub struct Sentinels {
    /// Where they are and how to log in to them; nothing for the hosts of the tier's own address,
    /// without a login.
    pub address: Option<Address>,
    /// The name of the master; nothing for the only one that they watch.
    pub master: Option<String>,
}

/// How to reach the servers and how long to wait for them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where they are, or some of them, and how to log in. With [`Mode::Sentinel`] the hosts are
    /// those of the Sentinels unless [`sentinels`](Self::sentinels) names others.
    pub address: Address,
    /// What stands there.
    pub mode: Mode,
    /// How to reach the Sentinels.
    pub sentinels: Sentinels,
    /// Whom to trust, and who we are.
    pub tls: Tls,
    /// What all keys begin with; the rights of the user are tried on a key that does.
    pub prefix: String,
    /// To connect and log in.
    pub connect_timeout: Duration,
    /// For the answer to a command, over all round trips that it takes. Keep it shorter than what
    /// a request may spend on the tier: who leaves before the answer is due can not tell a node of
    /// a cluster that is silent from a tier that is.
    pub response_timeout: Duration,
    /// The channel on which hints are published: the log's incarnation in 32 hexadecimal digits, a
    /// space, and the hint's number in 16.
    pub hint_channel: String,
}

impl Config {
    /// Servers at `address`, whatever they are, with keys under `prefix`.
    pub fn new(address: Address, prefix: &str) -> Self {
        let config = Self {
            address,
            mode: Mode::default(),
            sentinels: Sentinels::default(),
            tls: Tls::default(),
            prefix: String::new(),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_millis(40),
            hint_channel: String::new(),
        };
        config.under(prefix)
    }

    /// The same servers, with keys and hints under another prefix.
    pub fn under(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self.hint_channel = format!("{prefix}hint");
        self
    }

    /// The same, reached through a proxy on this machine that stands before its one server, which is
    /// called `host` in its certificate.
    pub fn behind(mut self, port: u16, host: &str) -> Self {
        if self.tls.server_name().is_none() {
            self.tls = self.tls.named(host);
        }
        self.address = self.address.at(port);
        self.mode = Mode::Standalone;
        self.sentinels = Sentinels::default();
        self
    }

    /// On it is tried what the user may do; breakers probe with it, and nobody reads it.
    pub(crate) fn scratch_key(&self) -> String {
        format!("{}p", self.prefix)
    }
}
