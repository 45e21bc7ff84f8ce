//! A node's own way to a server, on which everything can go wrong, and at whose end another server
//! can take the place of the first: what clients see of a failover behind one address.

use tingkat_faults::{Control, Proxy};
use tokio::sync::{Mutex, MutexGuard};

/// A proxy whose address stays.
#[derive(Debug)]
pub(crate) struct Way {
    /// Nothing only while the server at its end is replaced.
    proxy: Mutex<Option<Proxy>>,
    port: u16,
}

impl Way {
    pub(crate) async fn to(server: String) -> Self {
        let proxy = Proxy::start(server).await.unwrap();
        Self {
            port: proxy.addr().port(),
            proxy: Mutex::new(Some(proxy)),
        }
    }

    /// Where the node connects.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// What can go wrong.
    pub(crate) async fn control(&self) -> Control {
        self.proxy().await.as_ref().unwrap().control()
    }

    /// Leads to another server from now on; connections to the old one end.
    pub(crate) async fn lead_to(&self, server: String) {
        let mut proxy = self.proxy().await;
        let old = proxy.take().unwrap();
        let address = old.addr();
        old.stop().await;
        *proxy = Some(Proxy::bind(address, server).await.unwrap());
    }

    async fn proxy(&self) -> MutexGuard<'_, Option<Proxy>> {
        self.proxy.lock().await
    }
}
