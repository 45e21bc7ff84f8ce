//! How many connections each address has, so that none of them takes all that there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::edge::client::one_client;

/// The open connections by address. There are no more entries than connections.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

/// One of them; dropped when it ends.
#[derive(Debug)]
pub(super) struct Counted {
    client: IpAddr,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// An address has as many as it may.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooMany;

impl Addresses {
    pub(super) fn new(most: usize) -> Self {
        Self {
            open: Arc::default(),
            most,
        }
    }

    /// One more of an address, unless it has as many as it may.
    pub(super) fn count(&self, address: IpAddr) -> Result<Counted, TooMany> {
        let client = one_client(address.to_canonical());
        let mut open = lock(&self.open);
        let count = open.entry(client).or_insert(0);
        if *count >= self.most {
            return Err(TooMany);
        }
        *count += 1;
        Ok(Counted {
            client,
            open: Arc::clone(&self.open),
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        let Some(count) = open.get_mut(&self.client) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            open.remove(&self.client);
        }
    }
}

fn lock(open: &Mutex<HashMap<IpAddr, usize>>) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_so_many_and_none_is_remembered_without_one() {
        let addresses = Addresses::new(2);
        let count = |text: &str| addresses.count(text.parse().unwrap());
        let (one, two) = (count("192.0.2.1"), count("::ffff:192.0.2.1"));
        assert!(one.is_ok() && two.is_ok());
        assert!(count("192.0.2.1").is_err());
        let other = count("192.0.2.2");
        assert!(other.is_ok());
        drop(one);
        let again = count("192.0.2.1");
        assert!(again.is_ok());
        let ipv6 = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(count);
        assert!(ipv6[1].is_ok() && ipv6[2].is_err(), "one network");
        drop((two, other, again, ipv6));
        assert!(lock(&addresses.open).is_empty());
    }
}
