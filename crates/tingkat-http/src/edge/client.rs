//! Who sends a request, behind proxies that are trusted to say so, and behind no others.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::http::header::{FORWARDED, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

tokio::task_local! {
    static PEER: Option<IpAddr>;
}

/// Talks over a connection from this address; nothing where connections have none.
pub(crate) async fn over<T>(peer: Option<IpAddr>, talking: impl Future<Output = T>) -> T {
    PEER.scope(peer, talking).await
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Address(IpAddr),
    /// Whoever is at the other end of a socket in the file system, for itself.
    Sidecar,
    /// Nobody can tell: there is no connection.
    Unknown,
}

/// A range of addresses, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text that is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a range such as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let range = text.parse::<IpNet>().ok();
        let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
        range.or_else(one).map(Self).ok_or(NetworkError)
    }
}

/// The header in which the proxies say who the client is. One of them, not both: a proxy hands on
/// what a client wrote into the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, to which a proxy adds an address.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    trusted: Arc<[IpNet]>,
    header: ProxyHeader,
}

impl Proxies {
    /// Proxies in these ranges, which tell their clients in this header.
    pub fn new(trusted: impl IntoIterator<Item = Network>, header: ProxyHeader) -> Self {
        Self {
            trusted: trusted.into_iter().map(|network| network.0).collect(),
            header,
        }
    }

    /// Who sends the request that the calling task answers.
    pub(super) fn sender(&self, headers: &HeaderMap) -> Sender {
        let Ok(peer) = PEER.try_with(|peer| *peer) else {
            return Sender::Unknown;
        };
        match peer.map(|peer| peer.to_canonical()) {
            Some(peer) if !self.trusts(peer) => Sender::Address(peer),
            // Whoever may open the socket was let in by the operator, as a trusted proxy was.
            peer => {
                let behind = self.behind(peer, headers);
                behind.map_or(Sender::Sidecar, Sender::Address)
            }
        }
    }

    /// The nearest address that is no trusted proxy: what stands left of it, anybody may have written.
    /// It begins behind a peer that is believed.
    fn behind(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut nearest = peer;
        let hops: Vec<Option<IpAddr>> = match self.header {
            ProxyHeader::XForwardedFor => x_forwarded_for(headers),
            ProxyHeader::Forwarded => forwarded(headers),
        };
        for hop in hops.into_iter().rev() {
            // A hop without an address, as proxies may have it, ends what is known.
            let Some(address) = hop else { break };
            nearest = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }
}

fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    // A line that is no text is one hop that nobody knows.
    values.map(|value: &HeaderValue| value.to_str().unwrap_or("unknown"))
}

fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    lines(headers, &X_FORWARDED_FOR)
        .flat_map(|line| line.split(','))
        .map(|hop| node(hop.trim()))
        .collect()
}

fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    lines(headers, &FORWARDED)
        .flat_map(|line| split(line, ','))
        .map(|element| {
            let mut pairs = split(element, ';').into_iter();
            let value = pairs.find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then_some(value)
            })?;
            let value = value.trim();
            let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            node(quoted.unwrap_or(value))
        })
        .collect()
}

/// Splits, but not inside of quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_end = |c: char| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match c {
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        c == at && !is_quoted
    };
    text.split(is_end).collect()
}

/// An address as proxies write it: with a port or without, IPv6 in brackets or without.
fn node(text: &str) -> Option<IpAddr> {
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            is_port(port).then_some(address)?
        }
        None => match text.find(':') {
            // More than one, and it is an address of IPv6 that ends without a port.
            Some(at) if text.rfind(':') == Some(at) => {
                let (address, port) = text.split_at(at);
                is_port(port).then_some(address)?
            }
            _ => text,
        },
    };
    let address: IpAddr = address.parse().ok()?;
    Some(address.to_canonical())
}

/// Nothing, or a colon and a port; proxies may hide it behind a name.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else {
        return text.is_empty();
    };
    port.parse::<u16>().is_ok() || port.starts_with('_')
}

/// Addresses that are one client's: of IPv6 it has as many as it likes.
pub(crate) fn one_client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn behind(peer: &str, header: ProxyHeader, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"].map(|it| it.parse().unwrap());
        let proxies = Proxies::new(trusted, header);
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = match header {
                ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
                ProxyHeader::Forwarded => FORWARDED,
            };
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        sender(&proxies, Some(peer), &headers)
    }

    fn sender(proxies: &Proxies, peer: Option<&str>, headers: &HeaderMap) -> String {
        let peer = peer.map(|peer| peer.parse().unwrap());
        let sender = over(peer, async { proxies.sender(headers) });
        match sender.now_or_never().unwrap() {
            Sender::Address(address) => address.to_string(),
            other @ (Sender::Sidecar | Sender::Unknown) => format!("{other:?}"),
        }
    }

    #[test]
    fn a_sidecar_is_believed_and_speaks_for_itself_where_it_names_nobody() {
        let proxies = Proxies::default();
        let mut headers = HeaderMap::new();
        assert_eq!(sender(&proxies, None, &headers), "Sidecar");
        assert_eq!(proxies.sender(&headers), Sender::Unknown);
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.9"));
        assert_eq!(sender(&proxies, None, &headers), "203.0.113.9");
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("unknown"));
        assert_eq!(sender(&proxies, None, &headers), "Sidecar");
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_is_the_client() {
        let x = |peer, lines: &[&str]| behind(peer, ProxyHeader::XForwardedFor, lines);
        assert_eq!(x(PROXY, &[]), PROXY);
        assert_eq!(x(PROXY, &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(x(PROXY, &["6.6.6.6, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            x(PROXY, &["6.6.6.6", "203.0.113.9, 10.2.2.2"]),
            "203.0.113.9"
        );
        assert_eq!(
            x(PROXY, &["6.6.6.6, 203.0.113.9,192.0.2.7 ,10.1.1.1"]),
            "203.0.113.9"
        );
        assert_eq!(x(PROXY, &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(x(PROXY, &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(x(PROXY, &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(x(PROXY, &["::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(x("fd00::1", &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn nobody_but_a_proxy_is_believed() {
        let x = |peer, lines: &[&str]| behind(peer, ProxyHeader::XForwardedFor, lines);
        assert_eq!(x("203.0.113.9", &["6.6.6.6"]), "203.0.113.9");
        assert_eq!(x("192.0.2.8", &["6.6.6.6"]), "192.0.2.8");
        // All of them are proxies: the farthest is the one that asked.
        assert_eq!(x(PROXY, &["10.3.3.3, 10.2.2.2"]), "10.3.3.3");
        // What is no address ends what is known.
        for odd in [
            "unknown",
            "",
            "6.6.6.6.6",
            "[::1",
            "1.2.3.4:99999",
            "_hidden",
        ] {
            assert_eq!(x(PROXY, &["6.6.6.6", odd, "10.2.2.2"]), "10.2.2.2", "{odd}");
        }
    }

    #[test]
    fn the_standard_header_is_read_as_its_rfc_says() {
        let f = |lines: &[&str]| behind(PROXY, ProxyHeader::Forwarded, lines);
        assert_eq!(
            f(&["for=203.0.113.9;proto=https;by=10.0.0.1"]),
            "203.0.113.9"
        );
        assert_eq!(f(&["For=\"[2001:db8::1]:4711\""]), "2001:db8::1");
        assert_eq!(
            f(&["for=6.6.6.6, for=203.0.113.9, for=10.1.1.1"]),
            "203.0.113.9"
        );
        assert_eq!(
            f(&["for=6.6.6.6", "host=x; FOR=\"203.0.113.9:_port\""]),
            "203.0.113.9"
        );
        assert_eq!(
            f(&["for=203.0.113.9;host=\"a,b;for=6.6.6.6\""]),
            "203.0.113.9"
        );
        assert_eq!(
            f(&["for=203.0.113.9;host=\"a\\\",for=6.6.6.6\""]),
            "203.0.113.9"
        );
        for odd in [
            "for=unknown",
            "for=_hidden",
            "proto=https",
            "for=\"203.0.113.9",
            "for",
        ] {
            assert_eq!(f(&["for=6.6.6.6", odd]), PROXY, "{odd}");
        }
        // The other header is not asked.
        let proxies = Proxies::new(["10.0.0.0/8".parse().unwrap()], ProxyHeader::Forwarded);
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("6.6.6.6"));
        assert_eq!(sender(&proxies, Some(PROXY), &headers), PROXY);
    }

    #[test]
    fn networks_are_ranges_and_single_addresses() {
        for right in ["10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8"] {
            assert!(right.parse::<Network>().is_ok(), "{right}");
        }
        for wrong in ["", "10.0.0.0/33", "10.0.0", "localhost", "*"] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }

    #[test]
    fn a_client_of_ipv6_is_its_network() {
        let one = |text: &str| one_client(text.parse().unwrap()).to_string();
        assert_eq!(one("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(one("203.0.113.9"), "203.0.113.9");
    }
}
