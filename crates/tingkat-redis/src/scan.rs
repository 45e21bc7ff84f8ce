//! What tools ask of the servers, and the cache does not: which keys there are, and who answers.

use redis::{Cmd, FromRedisValue, RedisError, Value};
use tingkat::error::RemoteError;

use crate::order::Order;
use crate::refusal::{self, Access};
use crate::tier::Redis;

/// Keys that a server looks at for one answer.
const STEP: usize = 1000;

/// How often one server is asked, so that it ends whatever the server says.
const MOST_STEPS: usize = 1_000_000;

impl Redis {
    /// At most `most` keys that begin with `prefix`, in any order. It goes through all keys of every
    /// server in small steps, so it is for tools and never for a request.
    ///
    /// # Errors
    /// A server does not answer, or refuses.
    pub async fn keys(&self, prefix: &str, most: usize) -> Result<Vec<String>, RemoteError> {
        let pattern = format!("{}*", escaped(prefix));
        let mut keys: Vec<String> = Vec::new();
        for server in 0.. {
            let mut cursor = "0".to_owned();
            for _ in 0..MOST_STEPS {
                let mut command = Cmd::new();
                command.arg("SCAN").arg(&cursor);
                command.arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP);
                let Some(answer) = self.ask_server(server, command).await else {
                    return Ok(keys);
                };
                let (next, found): (String, Vec<String>) = read(answer?)?;
                keys.extend(found);
                if keys.len() >= most {
                    keys.truncate(most);
                    return Ok(keys);
                }
                if next == "0" {
                    break;
                }
                cursor = next;
            }
        }
        Ok(keys)
    }

    /// What a server calls itself, such as `redis 7.4.1`; nothing where it does not say.
    pub async fn version(&self) -> Option<String> {
        let mut command = Cmd::new();
        command.arg("INFO").arg("server");
        let answer = self.ask_server(0, command).await?.ok()?;
        let text: String = read(answer).ok()?;
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let (name, version) = match field("valkey_version") {
            Some(version) => ("valkey", version),
            None => ("redis", field("redis_version")?),
        };
        Some(format!("{name} {}", version.trim()))
    }

    /// The answer of the server at a place; nothing where there are fewer.
    async fn ask_server(&self, place: usize, command: Cmd) -> Option<Result<Value, RemoteError>> {
        let order = Order::new(command);
        let topology = self.topology();
        topology.call_at(self.config(), place, &order).await
    }
}

fn read<T: FromRedisValue>(value: Value) -> Result<T, RemoteError> {
    T::from_redis_value(value).map_err(|error| {
        let error = RedisError::from(error);
        let kind = refusal::translate(&error, Access::Read).kind();
        RemoteError::new(kind, "the server's answer is not understood")
    })
}

/// A text that stands for itself in a pattern.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if "*?[]^\\".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_for_itself_in_a_pattern() {
        assert_eq!(escaped("shop:1:"), "shop:1:");
        assert_eq!(escaped("a*b?[c]\\"), r"a\*b\?\[c\]\\");
    }
}
