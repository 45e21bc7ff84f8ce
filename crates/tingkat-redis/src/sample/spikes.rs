//! Moments in which a server stood still, as it remembers them by itself.

use std::collections::HashMap;

use redis::{FromRedisValue as _, Value};

/// A server knows about twenty kinds of them.
const MOST_KINDS: usize = 64;

/// Those that a seat has seen.
#[derive(Debug, Default)]
pub(super) struct Spikes {
    /// When the last one of each kind was, in the server's seconds; nothing before the first look.
    last: Option<HashMap<Vec<u8>, i64>>,
    /// How many came since then.
    pub(super) count: u32,
    /// The longest of those that are the last of their kind, in milliseconds.
    pub(super) worst_ms: i64,
}

impl Spikes {
    /// Takes in an answer to `LATENCY LATEST`: for each kind its name, when the last one was, how many
    /// milliseconds that took, and the most that any took.
    pub(super) fn take(&mut self, answer: &Value) {
        let Value::Array(kinds) = answer else { return };
        let mut now = HashMap::new();
        self.worst_ms = 0;
        for kind in kinds.iter().take(MOST_KINDS) {
            let Some((name, at, millis)) = read(kind) else {
                continue;
            };
            if let Some(last) = &self.last
                && last.get(&name).is_none_or(|before| at > *before)
            {
                self.count = self.count.saturating_add(1);
            }
            self.worst_ms = self.worst_ms.max(millis);
            now.insert(name, at);
        }
        self.last = Some(now);
    }
}

fn read(kind: &Value) -> Option<(Vec<u8>, i64, i64)> {
    let Value::Array(parts) = kind else {
        return None;
    };
    let [name, Value::Int(at), Value::Int(millis), ..] = parts.as_slice() else {
        return None;
    };
    let name = Vec::from_redis_value_ref(name).ok()?;
    Some((name, *at, *millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kinds: &[(&str, i64, i64)]) -> Value {
        let kinds = kinds.iter().map(|(name, at, millis)| {
            let name = Value::BulkString(name.as_bytes().to_vec());
            let numbers = [*at, *millis, 900].map(Value::Int);
            Value::Array([vec![name], numbers.to_vec()].concat())
        });
        Value::Array(kinds.collect())
    }

    #[test]
    fn those_before_the_first_look_do_not_count_and_each_counts_once() {
        let mut spikes = Spikes::default();
        spikes.take(&answer(&[("fork", 7, 300)]));
        assert_eq!((spikes.count, spikes.worst_ms), (0, 300));
        spikes.take(&answer(&[("fork", 7, 300), ("command", 8, 20)]));
        assert_eq!(spikes.count, 1);
        spikes.take(&answer(&[("fork", 9, 10), ("command", 8, 20)]));
        assert_eq!((spikes.count, spikes.worst_ms), (2, 20));
        // Forgotten by the server, and seen again.
        spikes.take(&answer(&[]));
        spikes.take(&answer(&[("command", 12, 30)]));
        assert_eq!(spikes.count, 3);
    }

    #[test]
    fn rubbish_is_passed_over() {
        let mut spikes = Spikes::default();
        for rubbish in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![Value::Array(vec![Value::Int(1)])]),
        ] {
            spikes.take(&rubbish);
            assert_eq!((spikes.count, spikes.worst_ms), (0, 0));
        }
    }
}
