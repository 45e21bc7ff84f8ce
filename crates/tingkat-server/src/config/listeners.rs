//! Where the service listens, and where it is found by the commands that operate it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::origin::Origin;
use super::settings::Settings;
use super::tls::CERTIFICATE;

/// The keys of those that are not for shoppers.
pub(super) const ASIDE: [&str; 2] = ["server.admin_listen", "server.metrics_listen"];

/// A socket for a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) path: PathBuf,
    /// The rights of its file.
    pub(crate) mode: u32,
}

/// Where a service is reached from this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Url(String),
    Socket(PathBuf),
}

/// `server.port` changes the port of an address that is not from the same place or a later one.
pub(super) fn main(settings: &Settings) -> SocketAddr {
    let mut listen = settings
        .text("server.listen")
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    let rank = |path: &str| settings.chosen(path).map(Origin::rank);
    let port = settings.number_if_set("server.port");
    if let Some(port) = port.and_then(|port| u16::try_from(port).ok())
        && rank("server.port") > rank("server.listen")
    {
        listen.set_port(port);
    }
    listen
}

/// Another address, unless it is off.
pub(super) fn aside(settings: &Settings, key: &str) -> Option<SocketAddr> {
    settings.text(key)?.parse().ok()
}

pub(super) fn socket(settings: &Settings) -> Option<Socket> {
    let mode = settings.text("server.socket_mode").unwrap_or("0660");
    Some(Socket {
        path: settings.text("server.socket")?.into(),
        // The key takes nothing else.
        mode: u32::from_str_radix(mode, 8).unwrap_or(0o660),
    })
}

/// Whether one of two listeners would take the other's place.
pub(super) fn collide(one: SocketAddr, two: SocketAddr) -> bool {
    let (a, b) = (one.ip(), two.ip());
    let overlap = a == b || a.is_unspecified() || b.is_unspecified();
    // Port 0 is another one each time.
    overlap && one.port() == two.port() && one.port() != 0
}

/// Where operators reach the service from this machine without TLS, if anywhere.
pub(crate) fn operators(settings: &Settings) -> Option<String> {
    let admin = aside(settings, "server.admin_listen");
    let is_plain = settings.text(CERTIFICATE).is_none()
        // What stays on this machine is served without, as `serve/doors.rs` does.
        || admin.is_some_and(|it| it.ip().is_loopback());
    is_plain.then(|| url(admin.unwrap_or_else(|| main(settings))))
}

/// Where a probe reaches the service from this machine without TLS, if anywhere.
pub(crate) fn nearest(settings: &Settings) -> Option<Place> {
    if settings.text(CERTIFICATE).is_none() {
        return Some(Place::Url(url(main(settings))));
    }
    if let Some(socket) = socket(settings) {
        return Some(Place::Socket(socket.path));
    }
    let mut others = ASIDE.iter().filter_map(|key| aside(settings, key));
    let plain = others.find(|it| it.ip().is_loopback())?;
    Some(Place::Url(url(plain)))
}

/// The address by which this machine reaches a service that listens everywhere.
fn url(listen: SocketAddr) -> String {
    let mut reachable = listen;
    if listen.ip().is_unspecified() {
        reachable.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    format!("http://{reachable}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_collide_where_one_address_is_a_part_of_the_other() {
        let collide = |one: &str, two: &str| collide(one.parse().unwrap(), two.parse().unwrap());
        for (one, two) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::1]:80", "[::]:80"),
            ("[::]:80", "127.0.0.1:80"),
        ] {
            assert!(collide(one, two) && collide(two, one), "{one} {two}");
        }
        for (one, two) in [
            ("127.0.0.1:80", "127.0.0.1:81"),
            ("127.0.0.1:80", "127.0.0.2:80"),
            ("127.0.0.1:80", "[::1]:80"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert!(!collide(one, two), "{one} {two}");
        }
    }
}
