//! Where clients come in: up to three addresses, and the socket of a sidecar. All are opened before
//! anything is created, so that one that is taken stops the start.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tingkat_http::{App, Face, Limits, Listener, Tls, face};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use super::socket::{self, SocketFile};
use crate::config::Config;
use crate::exit::{Code, Failure};

/// Connections at a time of those who operate or scrape: they are few, and must find a place when
/// shoppers have taken all of theirs.
const ASIDE: usize = 256;

/// All of them, open.
pub(super) struct Doors {
    shoppers: TcpListener,
    operators: Option<TcpListener>,
    scrapers: Option<TcpListener>,
    sidecar: Option<(UnixListener, SocketFile)>,
}

impl Doors {
    /// What the address for everybody is called.
    pub(super) const SHOPPERS: &str = "listening on";

    /// Opens what is configured.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            shoppers: listen(config.listen, "choose a port with --listen or PORT").await?,
            operators: aside(config.admin_listen, "server.admin_listen").await?,
            scrapers: aside(config.metrics_listen, "server.metrics_listen").await?,
            sidecar: match &config.socket {
                Some(socket) => Some(socket::bind(socket).await?),
                None => None,
            },
        })
    }

    /// Where they are, each with whom it is for; shoppers first.
    pub(super) fn places(&self, tls: bool) -> Vec<(&'static str, String)> {
        let address = |listener: &TcpListener| listener.local_addr().ok();
        let mut places: Vec<(&'static str, String)> = [
            (Self::SHOPPERS, address(&self.shoppers)),
            ("operators", self.operators.as_ref().and_then(address)),
            ("scrapers", self.scrapers.as_ref().and_then(address)),
        ]
        .into_iter()
        .filter_map(|(whose, address)| {
            let address = address?;
            let is_plain = !tls || (whose != Self::SHOPPERS && address.ip().is_loopback());
            let scheme = if is_plain { "http" } else { "https" };
            Some((whose, format!("{scheme}://{address}")))
        })
        .collect();
        if let Some((_, file)) = &self.sidecar {
            places.push(("socket", file.path().display().to_string()));
        }
        places
    }

    /// Where shoppers come in.
    pub(super) fn shoppers_at(&self) -> Result<SocketAddr, Failure> {
        let at = self.shoppers.local_addr();
        at.map_err(|error| Failure::unexpected(format!("failed to listen: {error}")))
    }

    /// Serves through all of them until `stop`, and returns when no connection is left.
    pub(super) async fn serve(self, app: App, tls: Option<Tls>, stop: CancellationToken) {
        let limits = app.limits;
        let few = Limits {
            connections: limits.connections.min(ASIDE),
            ..limits
        };
        let shoppers = Face {
            look_ups: true,
            operations: self.operators.is_none(),
            metrics: self.operators.is_none() && self.scrapers.is_none(),
        };
        let scrapers = Face {
            look_ups: false,
            operations: false,
            metrics: true,
        };
        let serve = async |name, listener: Listener, whose, limits| {
            let listener = listener
                .counted(app.metrics.connections(name))
                .trusting(&app.edge.proxies);
            let routes = face(app.clone(), whose);
            tingkat_http::serve(listener, routes, limits, stop.clone()).await;
        };
        // What stays on this machine needs no TLS, and has no name that a certificate could prove.
        let quiet = |listener: TcpListener| {
            let is_local = listener.local_addr().is_ok_and(|it| it.ip().is_loopback());
            encrypted(listener, tls.clone().filter(|_| !is_local))
        };
        let sidecar = async {
            if let Some((listener, file)) = self.sidecar {
                let gone = async {
                    stop.cancelled().await;
                    drop(file);
                };
                let served = serve("socket", listener.into(), shoppers, limits);
                tokio::join!(served, gone);
            }
        };
        let operating = async {
            if let Some(listener) = self.operators {
                serve("admin", quiet(listener), Face::WHOLE, few).await;
            }
        };
        let scraping = async {
            if let Some(listener) = self.scrapers {
                serve("metrics", quiet(listener), scrapers, few).await;
            }
        };
        let shopping = encrypted(self.shoppers, tls.clone());
        tokio::join!(
            serve("main", shopping, shoppers, limits),
            sidecar,
            operating,
            scraping
        );
    }
}

fn encrypted(listener: TcpListener, tls: Option<Tls>) -> Listener {
    match tls {
        Some(tls) => (listener, tls).into(),
        None => listener.into(),
    }
}

async fn aside(address: Option<SocketAddr>, key: &str) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = address else {
        return Ok(None);
    };
    let help = format!("set {key} to another address, or to off");
    listen(address, &help).await.map(Some)
}

async fn listen(address: SocketAddr, help: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = if error.kind() == ErrorKind::AddrInUse {
            format!("; another program listens there: {help}")
        } else if error.kind() == ErrorKind::PermissionDenied {
            "; ports below 1024 need a right that this user has not".to_owned()
        } else {
            String::new()
        };
        Failure::new(
            Code::Configuration,
            format!("failed to listen on {address}: {error}{remedy}"),
        )
    })
}
