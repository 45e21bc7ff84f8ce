//! Whether the Sentinels can still name another master.

use std::sync::PoisonError;

use redis::Value;

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
            has_quorum: self.has_quorum().await,
        }
    }

    /// What the first of them that answers says of all; nothing if none does, or none may.
    async fn has_quorum(&self) -> Option<bool> {
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
            let mut command = redis::cmd("SENTINEL");
            command.arg("CKQUORUM").arg(&name);
            match command.query_async::<Value>(&mut connection).await {
                Ok(_) => return Some(true),
                Err(error) if error.code() == Some("NOQUORUM") => return Some(false),
                Err(_) => {}
            }
        }
        None
    }
}
