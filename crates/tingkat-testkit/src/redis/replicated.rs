//! A master and its replicas.

use super::config::Config;
use super::server::Redis;
use crate::deadline::eventually;
use crate::error::{Error, Result};
use crate::process::READY_WITHIN;

/// A master with replicas that follow it.
#[derive(Debug)]
pub struct Replicated {
    /// The one that takes writes.
    pub master: Redis,
    /// The ones that follow.
    pub replicas: Vec<Redis>,
}

impl Replicated {
    /// Starts a master and this many replicas, and waits until they follow.
    ///
    /// # Errors
    /// A server does not come up, or a replica does not find its master.
    pub async fn start(replicas: usize) -> Result<Self> {
        Self::start_with(Config::default(), replicas).await
    }

    /// The same, each server with these options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(config: Config, replicas: usize) -> Result<Self> {
        let master = config.clone().start().await?;
        let mut followers = Vec::new();
        for _ in 0..replicas {
            followers.push(config.clone().replica_of(&master).start().await?);
        }
        for replica in &followers {
            is_following(replica).await?;
        }
        Ok(Self {
            master,
            replicas: followers,
        })
    }
}

impl Redis {
    /// Waits until its replicas, of which there must be this many, have confirmed all that has been
    /// written so far. (`WAIT` would only count what the same connection has written.)
    ///
    /// # Errors
    /// It takes more than 20 s.
    pub async fn replicated(&self, replicas: usize) -> Result<()> {
        let written: u64 = number(&self.info("master_repl_offset").await?).unwrap_or(u64::MAX);
        eventually(READY_WITHIN, || async {
            let info = self.cmd(&["INFO", "replication"]).await.ok()?.text()?;
            let offsets = info.lines().filter_map(|line| {
                let (_, offset) = line.strip_prefix("slave")?.split_once(",offset=")?;
                number(offset.split(',').next()?)
            });
            let confirmed = offsets.filter(|offset| *offset >= written).count();
            (confirmed == replicas).then_some(())
        })
        .await
        .map_err(|_| Error::new(format!("not all replicas follow; {}", self.log())))
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// Waits until this replica is in step with its master.
pub(crate) async fn is_following(replica: &Redis) -> Result<()> {
    eventually(READY_WITHIN, || async {
        replica
            .info("master_link_status")
            .await
            .is_ok_and(|status| status == "up")
    })
    .await
    .map_err(|_| {
        Error::new(format!(
            "a replica does not find its master; its log:\n{}",
            replica.log()
        ))
    })
}
