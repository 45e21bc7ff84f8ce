//! Whether anybody may be on the way to a server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::place::Place;

/// Where names of hosts are looked up the port plays no part.
const ANY_PORT: u16 = 0;

/// Whether a place has a public address; nothing where its name is not known.
pub(super) async fn is_public(place: &Place) -> Option<bool> {
    // A socket is of this machine.
    let Some(host) = place.host() else {
        return Some(false);
    };
    if let Ok(address) = host.parse() {
        return Some(is_of_the_internet(address));
    }
    let found = tokio::net::lookup_host((host, ANY_PORT)).await.ok()?;
    found
        .map(|address| is_of_the_internet(address.ip()))
        .reduce(|one, other| one || other)
}

fn is_of_the_internet(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_of_the_internet_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_of_the_internet_v4(address),
            None => is_of_the_internet_v6(address),
        },
    }
}

fn is_of_the_internet_v4(address: Ipv4Addr) -> bool {
    // Providers share 100.64.0.0/10 (RFC 6598) behind their own walls.
    let [first, second, ..] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || is_shared)
}

fn is_of_the_internet_v6(address: Ipv6Addr) -> bool {
    !(address.is_loopback()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_of_this_machine_and_of_private_networks_are_not_public() {
        for (text, expected) in [
            ("127.0.0.1:6379", false),
            ("10.1.2.3:6379", false),
            ("172.31.0.1:6379", false),
            ("192.168.1.9:6379", false),
            ("100.100.0.1:6379", false),
            ("[::1]:6379", false),
            ("[fd12::1]:6379", false),
            ("[::ffff:10.0.0.1]:6379", false),
            ("localhost:6379", false),
            ("8.8.8.8:6379", true),
            ("100.128.0.1:6379", true),
            ("172.32.0.1:6379", true),
            ("[2606:4700::1111]:6379", true),
        ] {
            let place = Place::parse(text, None).unwrap();
            assert_eq!(is_public(&place).await, Some(expected), "{text}");
        }
        let socket = Place::Socket("/run/redis.sock".into());
        assert_eq!(is_public(&socket).await, Some(false));
    }
}
