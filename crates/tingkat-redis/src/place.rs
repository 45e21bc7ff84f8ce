//! Where one server listens.

use std::fmt;
use std::path::PathBuf;

/// A host and port, or a socket of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Net { host: String, port: u16 },
    Socket(PathBuf),
}

impl Place {
    pub(crate) fn net(host: impl Into<String>, port: u16) -> Self {
        Self::Net {
            host: host.into(),
            port,
        }
    }

    /// Reads `host`, `host:port`, `[::1]:port`, or an address with colons and a port, as redirects
    /// of a cluster name it.
    pub(crate) fn parse(text: &str, default_port: Option<u16>) -> Option<Self> {
        let (host, port) = match (text.strip_prefix('['), text.rsplit_once(':')) {
            (Some(rest), _) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            (None, Some((host, port))) => (host, Some(port)),
            (None, None) => (text, None),
        };
        let port = match port {
            Some(port) => port.parse().ok()?,
            None => default_port?,
        };
        let is_host = !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_graphic() && !"/@?#[]".contains(c));
        is_host.then(|| Self::net(host, port))
    }

    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Net { host, .. } => Some(host),
            Self::Socket(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Net { host, port } => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_in_each_form_that_people_and_clusters_write() {
        let right = [
            ("cache", "cache:26379"),
            ("cache:1", "cache:1"),
            ("[::1]:2", "[::1]:2"),
            ("[::1]", "[::1]:26379"),
            ("fe80::1:7000", "[fe80::1]:7000"),
        ];
        for (text, shown) in right {
            let place = Place::parse(text, Some(26_379)).unwrap();
            assert_eq!(place.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_place_is_none() {
        for text in ["", ":1", "a:", "a:x", "a:70000", "a b:1", "user@a:1", "a/0"] {
            assert_eq!(Place::parse(text, Some(1)), None, "{text}");
        }
        assert_eq!(Place::parse("cache", None), None);
    }
}
