//! Compare-and-set on one cell. Each script touches one key and uses plain string commands, so it
//! runs wherever Redis is spoken.

use redis::{Cmd, Script, ToRedisArgs};

use crate::order::Order;

/// The scripts, hashed once.
#[derive(Clone)]
pub(crate) struct Scripts {
    pub(crate) acquire: OneKey,
    pub(crate) fill: OneKey,
    pub(crate) renew: OneKey,
}

/// A script on one key.
#[derive(Clone)]
pub(crate) struct OneKey {
    source: &'static str,
    hash: String,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            acquire: OneKey::new(include_str!("lua/acquire.lua")),
            fill: OneKey::new(include_str!("lua/fill.lua")),
            renew: OneKey::new(include_str!("lua/renew.lua")),
        }
    }
}

impl OneKey {
    fn new(source: &'static str) -> Self {
        Self {
            source,
            hash: Script::new(source).get_hash().to_owned(),
        }
    }

    /// What runs it on a key: by its hash, and with its text where the server does not know it (any
    /// more).
    pub(crate) fn order(&self, key: &str, arguments: impl ToRedisArgs) -> Order {
        let mut command = Cmd::new();
        command
            .arg("EVALSHA")
            .arg(&self.hash)
            .arg(1)
            .arg(key)
            .arg(arguments);
        Order::script(command, self.source)
    }
}
