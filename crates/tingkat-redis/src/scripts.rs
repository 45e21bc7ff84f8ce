//! Compare-and-set on one cell. Each script touches one key and uses plain string commands, so it
//! runs wherever Redis is spoken.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, Script, ServerErrorKind, ToRedisArgs};

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

    /// Runs it by its hash; with its text where the server does not know it (any more).
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        key: &str,
        arguments: impl ToRedisArgs,
    ) -> RedisResult<T> {
        let command = |name: &str, script: &str| -> Cmd {
            let mut command = redis::cmd(name);
            command.arg(script).arg(1).arg(key).arg(&arguments);
            command
        };
        match command("EVALSHA", &self.hash).query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", self.source).query_async(connection).await
            }
            result => result,
        }
    }
}
