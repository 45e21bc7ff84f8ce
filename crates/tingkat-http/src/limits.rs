//! What one request, one connection and the whole server may cost.

use std::time::Duration;

/// The bounds of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest address, path and query together. The largest batch of the longest ids fits.
    pub uri_bytes: usize,
    /// The largest request head; at least 8 KiB whatever is written here.
    pub head_bytes: usize,
    /// The largest request body.
    pub body_bytes: u64,
    /// How long the body of a request may take to arrive: its client is waited for, so it holds no
    /// place among the requests in flight meanwhile. It is a part of `request_timeout`, and at most
    /// half of it.
    pub body_timeout: Duration,
    /// How long a request may take before it is given up. Longer than the hard deadlines of two
    /// loads: a product by its sku may need both.
    pub request_timeout: Duration,
    /// How long the head of a request may take from its first byte to its last; of the first request,
    /// from the moment at which the client connected.
    pub head_timeout: Duration,
    /// A connection without a request for this long is closed. More than a minute, since that is for how long proxies keep their connections,
    /// and the side that sends requests should be the one that closes.
    pub idle_timeout: Duration,
    /// A connection that takes no byte of an answer for this long is closed.
    pub send_timeout: Duration,
    /// How long requests in flight have to finish once the server stops.
    pub drain_timeout: Duration,
    /// Requests that are answered at a time, probes aside; one more is refused at once.
    pub in_flight: usize,
    /// Clients that follow the changes at a time.
    pub streams: usize,
    /// Connections at a time; one more waits in the backlog of the kernel.
    pub connections: usize,
    /// Connections of one address at a time, or of one network of IPv6; one more is closed. Proxies
    /// that are trusted have as many as they like, and so has a socket in the file system.
    pub connections_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uri_bytes: 16 << 10,
            head_bytes: 32 << 10,
            body_bytes: 1 << 20,
            body_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            send_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(20),
            in_flight: 3072,
            streams: 64,
            connections: 4096,
            connections_per_address: 1024,
        }
    }
}
