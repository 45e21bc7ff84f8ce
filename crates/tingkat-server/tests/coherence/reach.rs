//! How nodes reach Redis: one server over a way of their own, on which everything can go wrong, or
//! Sentinels and a cluster as they are.

use tingkat_testkit::Redis;
use tingkat_testkit::redis::{Cluster, Sentinel};

use crate::way::Way;

/// What the nodes of a run share as Redis.
pub(crate) trait Remote {
    /// How another node reaches it.
    async fn reach(&self) -> Reach;
}

/// How one node reaches Redis.
pub(crate) struct Reach {
    /// Nothing where the servers themselves say where they are.
    pub(crate) way: Option<Way>,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Remote for Redis {
    async fn reach(&self) -> Reach {
        let way = Way::to(self.addr()).await;
        Reach {
            variables: vec![("REDIS_URL", self.url_at(way.port()))],
            way: Some(way),
        }
    }
}

impl Remote for Sentinel {
    async fn reach(&self) -> Reach {
        Reach {
            way: None,
            variables: vec![
                ("REDIS_URL", "redis://nowhere".to_owned()),
                ("TINGKAT__REDIS__MODE", "sentinel".to_owned()),
                ("TINGKAT__REDIS__SENTINEL__HOSTS", hosts(&self.sentinels)),
                ("TINGKAT__REDIS__SENTINEL__MASTER", Self::SERVICE.to_owned()),
            ],
        }
    }
}

impl Remote for Cluster {
    async fn reach(&self) -> Reach {
        Reach {
            way: None,
            variables: vec![
                ("REDIS_URL", format!("redis://{}", hosts(&self.nodes))),
                ("TINGKAT__REDIS__MODE", "cluster".to_owned()),
            ],
        }
    }
}

fn hosts(servers: &[Redis]) -> String {
    let hosts: Vec<String> = servers.iter().map(Redis::addr).collect();
    hosts.join(",")
}
