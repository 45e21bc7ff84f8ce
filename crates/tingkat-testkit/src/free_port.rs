//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::{Error, Result};

/// A developer's own Redis and PostgreSQL live there. A test that finds one must not touch it.
const NEVER: [u16; 2] = [6379, 5432];

/// A node of a Redis Cluster talks to the others on its port plus this.
pub(crate) const BUS_OFFSET: u16 = 10_000;

/// How often the kernel is asked for a port that has a free bus port too.
const ATTEMPTS: usize = 100;

/// A TCP port of 127.0.0.1 that was free a moment ago. Between this call and the server's `bind`
/// another process may take it, so whoever starts a server tries again with another port.
///
/// # Errors
/// The kernel has no port left.
pub fn free_port() -> Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = bind(0)?;
        if !NEVER.contains(&port) {
            return Ok(port);
        }
    }
    Err(Error::new("found no free port"))
}

/// A free port whose cluster bus port is free as well.
pub(crate) fn free_port_with_bus() -> Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = free_port()?;
        if port
            .checked_add(BUS_OFFSET)
            .is_some_and(|bus| bind(bus).is_ok())
        {
            return Ok(port);
        }
    }
    Err(Error::new(
        "found no free port whose cluster bus port is free",
    ))
}

fn bind(port: u16) -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .and_then(|listener| listener.local_addr())
        .map(|addr| addr.port())
        .map_err(Error::io(format!("listen on port {port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_with_a_bus_leaves_room_for_it() {
        let port = free_port_with_bus().unwrap();
        assert!(port < u16::MAX - BUS_OFFSET);
    }
}
