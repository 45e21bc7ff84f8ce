//! Where Redis servers are, and how to log in, without ever showing the password.

use std::fmt;
use std::str::FromStr;

use redis::io::tcp::TcpSettings;
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo,
    RedisResult,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::place::Place;
use crate::tls::Tls;

/// More hosts than this are nobody's list of hosts.
const MOST_HOSTS: usize = 64;

/// A parsed `redis://`, `rediss://` or `redis+unix://` URL, whose host may be a list of hosts:
/// `redis://user:password@one:6379,two:6379/0`. Its `Display` has no secret in it.
#[derive(Clone)]
pub struct Address {
    places: Vec<Place>,
    is_encrypted: bool,
    login: Login,
    database: i64,
}

/// Who logs in.
#[derive(Clone, Default)]
struct Login {
    username: Option<String>,
    password: Option<SecretString>,
}

/// A text that is no Redis URL; does not repeat the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a Redis URL ({reason}); expected something like redis://user:password@host:6379/0 or rediss://host"
)]
pub struct AddressError {
    reason: String,
}

impl AddressError {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

impl Address {
    /// Hosts without a login: `one:26379,two`, each with this port unless it names its own.
    ///
    /// # Errors
    /// One of them is no host.
    pub fn of_hosts(text: &str, default_port: u16) -> Result<Self, AddressError> {
        Ok(Self {
            places: places(text, default_port)?,
            is_encrypted: false,
            login: Login::default(),
            database: 0,
        })
    }

    /// With this user, or the one that it names, and password.
    pub fn login(mut self, username: Option<&str>, password: Option<&SecretString>) -> Self {
        if let Some(username) = username {
            self.login.username = Some(username.to_owned());
        }
        if let Some(password) = password {
            self.login.password = Some(password.clone());
        }
        self
    }

    /// With TLS, or without.
    pub fn encrypted(mut self, is_encrypted: bool) -> Self {
        self.is_encrypted = is_encrypted;
        self
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether it names a user or a password.
    pub fn has_credentials(&self) -> bool {
        self.login.password.is_some()
    }

    /// The number of the database; only a standalone server has others than 0.
    pub fn database(&self) -> i64 {
        self.database
    }

    /// The same login at a port of this machine.
    pub(crate) fn at(mut self, port: u16) -> Self {
        self.places = vec![Place::net("127.0.0.1", port)];
        self
    }

    /// The user who logs in.
    pub(crate) fn username(&self) -> &str {
        self.login.username.as_deref().unwrap_or("default")
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The same hosts, entered by nobody in particular.
    pub(crate) fn without_login(&self) -> Self {
        Self {
            login: Login::default(),
            database: 0,
            ..self.clone()
        }
    }

    /// One of its places as the client wants it, with RESP3, and without Nagle's algorithm, which
    /// would hold each command back until the one before it is answered.
    pub(crate) fn info(&self, place: &Place, tls: &Tls) -> RedisResult<ConnectionInfo> {
        let addr = match place {
            Place::Socket(path) => ConnectionAddr::Unix(path.clone()),
            Place::Net { host, port } if self.is_encrypted => tls.addr(host, *port),
            Place::Net { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let settings = RedisConnectionInfo::default()
            .set_db(self.database)
            .set_protocol(ProtocolVersion::RESP3)
            // The user may not be allowed to, and nobody reads it.
            .set_skip_set_lib_name();
        let settings = self.login.told(settings);
        let tcp = TcpSettings::default().set_nodelay(true);
        Ok(addr
            .into_connection_info()?
            .set_redis_settings(settings)
            .set_tcp_settings(tcp))
    }
}

impl Login {
    /// That of a URL.
    fn of(settings: &RedisConnectionInfo) -> Self {
        Self {
            username: settings.username().map(str::to_owned),
            password: settings.password().map(SecretString::from),
        }
    }

    /// The same, as the client wants it: as texts.
    fn told(&self, mut settings: RedisConnectionInfo) -> RedisConnectionInfo {
        if let Some(username) = &self.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password.expose_secret());
        }
        settings
    }
}

fn places(hosts: &str, default_port: u16) -> Result<Vec<Place>, AddressError> {
    let places: Option<Vec<Place>> = hosts
        .split(',')
        .map(|host| Place::parse(host.trim(), Some(default_port)))
        .collect();
    let places = places.ok_or_else(|| AddressError::new("one of its hosts is none"))?;
    if places.len() > MOST_HOSTS {
        return Err(AddressError::new("it names too many hosts"));
    }
    Ok(places)
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // The client knows URLs of one host.
        let (first, others) = split_hosts(text);
        if redis::parse_redis_url(&first).is_none() {
            return Err(AddressError::new(
                "it begins with no scheme that Redis clients know",
            ));
        }
        // The client's own message names the part that is wrong and never the password.
        let info = first.into_connection_info().map_err(|error| {
            AddressError::new(error.detail().unwrap_or_else(|| error.category()))
        })?;
        let (place, is_encrypted) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (Place::net(host, *port), false),
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                return Err(AddressError::new("certificates are always checked"));
            }
            ConnectionAddr::TcpTls { host, port, .. } => (Place::net(host, *port), true),
            ConnectionAddr::Unix(path) => (Place::Socket(path.clone()), false),
            _ => return Err(AddressError::new("it names no host")),
        };
        let mut all = vec![place];
        if let Some(others) = others {
            all.extend(places(&others, DEFAULT_PORT)?);
        }
        Ok(Self {
            places: all,
            is_encrypted,
            login: Login::of(info.redis_settings()),
            database: info.redis_settings().db(),
        })
    }
}

/// The port of a server that names none.
const DEFAULT_PORT: u16 = 6379;

/// The URL of the first host, and the other hosts.
fn split_hosts(text: &str) -> (String, Option<String>) {
    let whole = || (text.to_owned(), None);
    let Some((scheme, rest)) = text.split_once("://") else {
        return whole();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // A password may have commas in it.
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), authority),
    };
    let Some((first, others)) = hosts.split_once(',') else {
        return whole();
    };
    let url = format!("{scheme}://{login}{first}{tail}");
    (url, Some(others.to_owned()))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.places.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{place}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password() {
        let address: Address = "redis://user:hunter2@cache.example:6380/3".parse().unwrap();
        assert_eq!(
            format!("{address} {address:?}"),
            "cache.example:6380 cache.example:6380"
        );
        assert!(address.has_credentials());
        assert!(!address.is_encrypted());
        assert!(
            "rediss://cache.example"
                .parse::<Address>()
                .unwrap()
                .is_encrypted()
        );
    }

    #[test]
    fn commands_are_sent_without_waiting_for_earlier_answers() {
        let address: Address = "redis://cache.example".parse().unwrap();
        let info = address.info(&address.places[0], &Tls::default()).unwrap();
        assert!(info.tcp_settings().nodelay());
    }

    #[test]
    fn a_malformed_url_is_refused_without_repeating_it() {
        for text in [
            "",
            "cache:6379",
            "http://cache",
            "redis://user:hunter2@cache:port",
            "redis://:hunter2@cache/x",
            "redis://:hunter2@one,two:x",
            "redis://:hunter2@one,,two",
            "rediss://:hunter2@one#insecure",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_address_may_have_several_hosts() {
        let address: Address = "rediss://shop:a,b@one:1,two,[::1]:3/4".parse().unwrap();
        assert_eq!(address.to_string(), "one:1,two:6379,[::1]:3");
        assert!(address.is_encrypted());
        assert_eq!((address.username(), address.database()), ("shop", 4));
        let info = address.info(&address.places[0], &Tls::default()).unwrap();
        let told = info.redis_settings();
        assert_eq!(told.password(), Some("a,b"));
        assert_eq!((told.username(), told.db()), (Some("shop"), 4));
    }

    #[test]
    fn hosts_alone_are_an_address_without_a_login() {
        let address = Address::of_hosts("one, two:7", 26_379).unwrap();
        assert_eq!(address.to_string(), "one:26379,two:7");
        assert!(!address.has_credentials());
        let address = address.login(None, Some(&"hunter2".into()));
        assert!(address.has_credentials());
        assert!(!format!("{address:?}").contains("hunter2"));
        assert!(Address::of_hosts("one,two:x", 1).is_err());
        assert!(Address::of_hosts(&"a,".repeat(100), 1).is_err());
    }
}
