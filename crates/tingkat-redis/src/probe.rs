//! Redis as an operator sees it who trusts nobody: keys and bytes as they are, and what servers say of
//! themselves. What is refused is told and not tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError};
use tingkat::error::RemoteError;
use tingkat::ports::{Acquired, CellHead, Clock, Remote as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::config::Config;
use crate::dial::dial;
use crate::order::Order;
use crate::place::Place;
use crate::refusal::{self, Access};
use crate::state::State;
use crate::tier::Redis;

/// Keys that a server looks through at a time.
const LOOKED_THROUGH: usize = 2_000;

/// How often one server is asked for more, so that it ends whatever the server says.
const MOST_STEPS: usize = 1_000_000;

/// A lease that is tried out ends by itself after this long.
const LEASE: Duration = Duration::from_secs(10);

/// The length of what tells one cell from another.
const HEAD: usize = 17;

/// A server as it describes itself; empty where it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Where it is.
    pub place: String,
    /// Its release.
    pub version: String,
    /// Whether it is Valkey.
    pub is_valkey: bool,
    /// What it evicts when it is full.
    pub maxmemory_policy: String,
    /// When it is full, in bytes; 0 for never, nothing where it does not say.
    pub maxmemory: Option<u64>,
}

impl ServerFacts {
    /// What it calls itself, such as `redis 7.4.1`; nothing where it does not say.
    pub fn release(&self) -> Option<String> {
        let name = if self.is_valkey { "valkey" } else { "redis" };
        (!self.version.is_empty()).then(|| format!("{name} {}", self.version))
    }
}

/// Asks past a service, on connections that it does not use.
pub struct Probe {
    config: Config,
    redis: Redis,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ProbeError {
    what: String,
    is_refused: bool,
}

impl ProbeError {
    fn away(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            is_refused: false,
        }
    }

    fn of(error: &RedisError) -> Self {
        Self {
            what: refusal::describe(error),
            is_refused: refusal::is_forbidden(error) || refusal::is_unknown(error),
        }
    }

    /// Whether asking again is of no use: the user may not, or the server can not.
    pub const fn is_refused(&self) -> bool {
        self.is_refused
    }
}

impl From<RemoteError> for ProbeError {
    fn from(error: RemoteError) -> Self {
        Self {
            what: error.to_string(),
            // What the service needs as well is no right that only this lacks.
            is_refused: false,
        }
    }
}

impl Probe {
    /// Begins to connect; the servers may be away.
    pub fn start(mut config: Config, clock: Arc<dyn Clock>) -> Self {
        // Nobody waits for it but whoever asks, and a slow answer is one.
        config.response_timeout = config.response_timeout.max(config.connect_timeout);
        Self {
            redis: Redis::start(config.clone(), clock),
            config,
        }
    }

    /// Waits so long until Redis is there.
    ///
    /// # Errors
    /// It is not; the text says why.
    pub async fn is_there(&self, within: Duration) -> Result<(), String> {
        let mut state = self.redis.state();
        // A part of it may be usable at once, and the rest soon.
        let whole = tokio::time::timeout(within, state.wait_for(|state| *state == State::Up));
        drop(whole.await);
        let state = self.redis.state().borrow().clone();
        if state.is_usable() {
            return Ok(());
        }
        Err(state.trouble().unwrap_or("it does not answer").to_owned())
    }

    /// Host and port of the one server that commands go to, if it is one and not a cluster, or behind
    /// a socket.
    pub fn one_server(&self) -> Option<(String, u16)> {
        match self.redis.places().as_slice() {
            [Place::Net { host, port }] if !self.redis.is_cluster() => Some((host.clone(), *port)),
            _ => None,
        }
    }

    /// At most `most` keys that begin with a prefix, in any order.
    ///
    /// # Errors
    /// A server does not answer, or the user may not scan.
    pub async fn keys(&self, prefix: &str, most: usize) -> Result<Vec<String>, ProbeError> {
        self.keys_like(&format!("{}*", escaped(prefix)), most).await
    }

    /// At most `most` keys that begin with a prefix and have `part` after it, in any order.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    pub async fn keys_with(
        &self,
        prefix: &str,
        part: &str,
        most: usize,
    ) -> Result<Vec<String>, ProbeError> {
        let pattern = format!("{}*{}*", escaped(prefix), escaped(part));
        self.keys_like(&pattern, most).await
    }

    /// At most `most` keys that begin with one text and end with another, in any order.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    pub async fn keys_between(
        &self,
        begin: &str,
        end: &str,
        most: usize,
    ) -> Result<Vec<String>, ProbeError> {
        let pattern = format!("{}*{}", escaped(begin), escaped(end));
        self.keys_like(&pattern, most).await
    }

    async fn keys_like(&self, pattern: &str, most: usize) -> Result<Vec<String>, ProbeError> {
        let mut found = Vec::new();
        for place in self.redis.places() {
            let mut wire = self.connect(&place).await?;
            let mut cursor = "0".to_owned();
            for _ in 0..MOST_STEPS {
                let mut command = Cmd::new();
                command.arg("SCAN").arg(&cursor);
                command.arg("MATCH").arg(pattern);
                command.arg("COUNT").arg(LOOKED_THROUGH);
                let answer = command.query_async(&mut wire).await;
                let (next, keys): (String, Vec<Vec<u8>>) =
                    answer.map_err(|error| ProbeError::of(&error))?;
                // Whatever is no text is no key of ours.
                found.extend(
                    keys.into_iter()
                        .filter_map(|key| String::from_utf8(key).ok()),
                );
                if next == "0" || found.len() >= most {
                    break;
                }
                cursor = next;
            }
        }
        // A key may be seen twice, and on the replica of a node of a cluster as well.
        found.sort_unstable();
        found.dedup();
        found.truncate(most);
        Ok(found)
    }

    /// Whether a server answers.
    ///
    /// # Errors
    /// None does.
    pub async fn ping(&self) -> Result<(), ProbeError> {
        Ok(self.redis.ping().await?)
    }

    /// The bytes under a key; nothing if there are none.
    ///
    /// # Errors
    /// Redis does not answer or refuses.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, ProbeError> {
        Ok(self.redis.get(key).await?)
    }

    /// Writes bytes under a key, whose life stays as it was.
    ///
    /// # Errors
    /// Redis does not answer or refuses.
    pub async fn set(&self, key: &str, bytes: &[u8]) -> Result<(), ProbeError> {
        let mut command = Cmd::set(key, bytes);
        command.arg("KEEPTTL");
        let answer = self.redis.call(Access::Write, key, Order::new(command));
        answer
            .await?
            .map(drop)
            .map_err(|error| ProbeError::of(&error))
    }

    /// Writes bytes that go by themselves.
    ///
    /// # Errors
    /// Redis does not answer or refuses.
    pub async fn put(&self, key: &str, bytes: Bytes, life: Duration) -> Result<(), ProbeError> {
        let cell = (key.to_owned(), bytes, life);
        Ok(self.redis.set_many(vec![cell]).await?)
    }

    /// Removes keys.
    ///
    /// # Errors
    /// Redis does not answer or refuses.
    pub async fn remove(&self, keys: &[String]) -> Result<(), ProbeError> {
        Ok(self.redis.remove(keys).await?)
    }

    /// Goes through a lease as a load does; what went otherwise, if anything did.
    ///
    /// # Errors
    /// Redis does not answer or refuses.
    pub async fn lease(&self, key: &str) -> Result<Option<String>, ProbeError> {
        let otherwise = |what: &str| Ok(Some(what.to_owned()));
        let (holder, other) = (head(b'1'), head(b'2'));
        let value = Bytes::from_static(b"Vtingkat-verify");
        self.redis.remove(&[key.to_owned()]).await?;
        let lease = Bytes::copy_from_slice(&holder);
        if self.redis.acquire(key, None, lease.clone(), LEASE).await? != Acquired::Granted {
            return otherwise("a lease on a key that there is not was refused");
        }
        let second = Bytes::copy_from_slice(&other);
        match self.redis.acquire(key, None, second, LEASE).await? {
            Acquired::Held(held) if held == lease => {}
            Acquired::Held(_) => return otherwise("the second taker was shown another lease"),
            Acquired::Granted => return otherwise("two takers hold one lease"),
        }
        if !self.redis.renew(key, &holder, LEASE).await? {
            return otherwise("the holder of a lease may not renew it");
        }
        if self.redis.fill(key, &other, value.clone(), LEASE).await? {
            return otherwise("who does not hold the lease could fill");
        }
        if !self.redis.fill(key, &holder, value.clone(), LEASE).await? {
            return otherwise("the holder of a lease may not fill");
        }
        if self.redis.get(key).await? != Some(value) {
            return otherwise("what was filled is not what is there");
        }
        self.redis.remove(&[key.to_owned()]).await?;
        Ok(None)
    }

    /// What each server says of itself.
    ///
    /// # Errors
    /// A server does not answer, or the user may not ask.
    pub async fn servers(&self) -> Result<Vec<ServerFacts>, ProbeError> {
        let mut servers = Vec::new();
        for place in self.redis.places() {
            let mut wire = self.connect(&place).await?;
            let text: String = ask(&mut wire, "INFO").await?;
            let mut facts = ServerFacts {
                place: place.to_string(),
                ..ServerFacts::default()
            };
            for line in text.lines() {
                match line.trim_end().split_once(':') {
                    Some(("valkey_version", version)) => {
                        facts.is_valkey = true;
                        version.clone_into(&mut facts.version);
                    }
                    // Valkey names a release of Redis for those that look for one.
                    Some(("redis_version", version)) if !facts.is_valkey => {
                        version.clone_into(&mut facts.version);
                    }
                    Some(("maxmemory_policy", policy)) => {
                        policy.clone_into(&mut facts.maxmemory_policy);
                    }
                    Some(("maxmemory", bytes)) => {
                        facts.maxmemory = bytes.parse().ok();
                    }
                    _ => {}
                }
            }
            servers.push(facts);
        }
        Ok(servers)
    }

    /// Whether a server answers who does not log in; nothing where no login is configured.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn serves_strangers(&self) -> Result<Option<bool>, ProbeError> {
        if !self.config.address.has_credentials() {
            return Ok(None);
        }
        let stranger = self.config.address.without_login();
        for place in self.answering().await? {
            let Ok(mut wire) = dial(&place, &stranger, &self.config, |_| ()).await else {
                // It was thrown out before it could ask.
                continue;
            };
            let mut questions = Pipeline::new();
            questions.add_command(Cmd::get(self.config.scratch_key()));
            let asked = wire.send_packed_commands(&questions, 0, 1);
            if let Ok(answers) = asked.await
                && refusal::first_in(&answers).is_none()
            {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }

    /// Whether a server answers who speaks without TLS; nothing where TLS is not configured.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn serves_plain(&self) -> Result<Option<bool>, ProbeError> {
        if !self.config.address.is_encrypted() {
            return Ok(None);
        }
        for place in self.answering().await? {
            let asked = tokio::time::timeout(self.config.connect_timeout, plain(&place));
            if matches!(asked.await, Ok(Ok(true))) {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.redis.close().await;
    }

    /// The servers, each of which answers who asks as configured: one that is away keeps strangers out
    /// as well, and says nothing of what it would do.
    async fn answering(&self) -> Result<Vec<Place>, ProbeError> {
        let places = self.redis.places();
        if places.is_empty() {
            return Err(ProbeError::away("no server is known"));
        }
        for place in &places {
            self.connect(place).await?;
        }
        Ok(places)
    }

    async fn connect(&self, place: &Place) -> Result<MultiplexedConnection, ProbeError> {
        let dialed = dial(place, &self.config.address, &self.config, |_| ()).await;
        dialed.map_err(|why| ProbeError::away(format!("{place}: {why}")))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

async fn ask<T: FromRedisValue>(
    wire: &mut MultiplexedConnection,
    command: &str,
) -> Result<T, ProbeError> {
    let answer = redis::cmd(command).query_async(wire).await;
    answer.map_err(|error| ProbeError::of(&error))
}

/// Whether the first byte of an answer to PING is one of Redis: a server that speaks TLS answers with
/// an alert, or not at all.
async fn plain(place: &Place) -> std::io::Result<bool> {
    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    let mut first = [0_u8; 1];
    match place {
        Place::Net { host, port } => {
            let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.write_all(PING).await?;
            stream.read_exact(&mut first).await?;
        }
        Place::Socket(path) => {
            let mut stream = UnixStream::connect(path).await?;
            stream.write_all(PING).await?;
            stream.read_exact(&mut first).await?;
        }
    }
    Ok(matches!(first, [b'+' | b'-']))
}

/// What tells a lease from another.
fn head(id: u8) -> CellHead {
    let mut head = [id; HEAD];
    if let Some(kind) = head.first_mut() {
        *kind = b'L';
    }
    head
}

/// A text that stands for itself in a pattern.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if "*?[]^\\".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_for_itself_in_a_pattern() {
        assert_eq!(escaped("shop:1:"), "shop:1:");
        assert_eq!(escaped("a*b?[c]\\"), r"a\*b\?\[c\]\\");
    }
}
