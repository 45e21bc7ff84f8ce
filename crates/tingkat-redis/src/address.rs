//! Where a Redis server is, and how to log in, without ever showing the password.

use std::fmt;
use std::str::FromStr;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion};

/// A parsed `redis://`, `rediss://` or `redis+unix://` URL. Its `Display` has no secret in it.
#[derive(Clone)]
pub struct Address(ConnectionInfo);

/// A text that is no Redis URL; does not repeat the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a Redis URL ({reason}); expected something like redis://user:password@host:6379/0 or rediss://host"
)]
pub struct AddressError {
    reason: String,
}

impl Address {
    /// As the client wants it, with RESP3, and without Nagle's algorithm, which would hold each
    /// command back until the one before it is answered.
    pub(crate) fn info(&self) -> ConnectionInfo {
        let settings = self
            .0
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        let tcp = TcpSettings::default().set_nodelay(true);
        self.0
            .clone()
            .set_redis_settings(settings)
            .set_tcp_settings(tcp)
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.0.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// Whether it names a user or a password.
    pub fn has_credentials(&self) -> bool {
        self.0.redis_settings().password().is_some()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if redis::parse_redis_url(text).is_none() {
            let reason = "it begins with no scheme that Redis clients know".to_owned();
            return Err(AddressError { reason });
        }
        // The client's own message names the part that is wrong and never the password.
        let info = text.into_connection_info().map_err(|error| AddressError {
            reason: error
                .detail()
                .unwrap_or_else(|| error.category())
                .to_owned(),
        })?;
        Ok(Self(info))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.addr())
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
        assert!(address.info().tcp_settings().nodelay());
    }

    #[test]
    fn a_malformed_url_is_refused_without_repeating_it() {
        for text in [
            "",
            "cache:6379",
            "http://cache",
            "redis://user:hunter2@cache:port",
            "redis://:hunter2@cache/x",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
