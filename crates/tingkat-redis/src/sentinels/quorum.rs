//! Whether the Sentinels can still name another master, and what they think of this one.

use std::collections::HashMap;
use std::sync::PoisonError;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tingkat_health::MasterSeen;

use super::{Sentinels, only_master};

impl Sentinels {
    /// How many answer, and whether these are enough.
    pub(crate) async fn sample(&self) -> tingkat_health::Sentinels {
        let (known, answering) = {
            let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
            let answering = troubles.iter().filter(|trouble| trouble.is_none());
            (troubles.len(), answering.count())
        };
        tingkat_health::Sentinels {
            known,
            answering,
            ..self.ask_for_all().await
        }
    }

    /// What the first of them that answers says of all; nothing if none does, or none may.
    async fn ask_for_all(&self) -> tingkat_health::Sentinels {
        for place in self.address.places() {
            let Ok(mut connection) = self.dial(place, |_| ()).await else {
                continue;
            };
            let name = match &self.config.sentinels.master {
                Some(name) => name.clone(),
                None => match only_master(&mut connection).await {
                    Ok(name) => name,
                    Err(_) => continue,
                },
            };
            let Some(has_quorum) = has_quorum(&mut connection, &name).await else {
                continue;
            };
            let (master, epoch) = master(&mut connection, &name).await;
            return tingkat_health::Sentinels {
                has_quorum: Some(has_quorum),
                is_tilted: is_tilted(&mut connection).await,
                master,
                epoch,
                ..tingkat_health::Sentinels::default()
            };
        }
        tingkat_health::Sentinels::default()
    }
}

async fn has_quorum(connection: &mut MultiplexedConnection, name: &str) -> Option<bool> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("CKQUORUM").arg(name);
    match command.query_async::<Value>(connection).await {
        Ok(_) => Some(true),
        Err(error) if error.code() == Some("NOQUORUM") => Some(false),
        Err(_) => None,
    }
}

/// What it thinks of the master, and how often one was named.
async fn master(
    connection: &mut MultiplexedConnection,
    name: &str,
) -> (Option<MasterSeen>, Option<u64>) {
    let mut command = redis::cmd("SENTINEL");
    command.arg("MASTER").arg(name);
    let told = command.query_async::<HashMap<String, String>>(connection);
    let Ok(told) = told.await else {
        return (None, None);
    };
    let seen = told.get("flags").map(|flags| {
        let has = |word| flags.split(',').any(|flag| flag == word);
        if has("o_down") {
            MasterSeen::Failed
        } else if has("s_down") {
            MasterSeen::Suspected
        } else {
            MasterSeen::Up
        }
    });
    let epoch = told
        .get("config-epoch")
        .and_then(|epoch| epoch.parse().ok());
    (seen, epoch)
}

async fn is_tilted(connection: &mut MultiplexedConnection) -> Option<bool> {
    let mut command = redis::cmd("INFO");
    command.arg("sentinel");
    let text: String = command.query_async(connection).await.ok()?;
    let mut lines = text.lines();
    let tilt = lines.find_map(|line| line.strip_prefix("sentinel_tilt:"))?;
    Some(tilt.trim() == "1")
}
