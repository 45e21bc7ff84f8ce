//! What a server says about itself: HELLO needs no right, and every server that speaks RESP3 has it.

use redis::{FromRedisValue as _, Value};

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One server, or something that behaves like one.
    Standalone,
    Sentinel,
    ClusterNode,
}

/// What a server says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) kind: Kind,
    pub(crate) is_master: bool,
}

impl Hello {
    /// Reads the answer to HELLO. What is silent about itself is one server that takes writes.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all else says nothing, whatever it is"
    )]
    pub(crate) fn read(answer: &Value) -> Self {
        let fields: Vec<(&Value, &Value)> = match answer {
            Value::Map(pairs) => pairs.iter().map(|(name, value)| (name, value)).collect(),
            Value::Array(items) => items
                .chunks_exact(2)
                .filter_map(|pair| Some((pair.first()?, pair.get(1)?)))
                .collect(),
            _ => Vec::new(),
        };
        let field = |name: &str| {
            let found = fields
                .iter()
                .find(|(field, _)| text(field).as_deref() == Some(name));
            found.and_then(|(_, value)| text(value))
        };
        let kind = match field("mode").as_deref() {
            Some("cluster") => Kind::ClusterNode,
            Some("sentinel") => Kind::Sentinel,
            Some(_) | None => Kind::Standalone,
        };
        let role = field("role");
        Self {
            kind,
            is_master: !matches!(role.as_deref(), Some("replica" | "slave")),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    String::from_redis_value_ref(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_server_is_what_it_says() {
        let answer = |mode: &str, role: &str| {
            Value::Map(vec![
                (bulk("proto"), Value::Int(3)),
                (bulk("mode"), bulk(mode)),
                (bulk("role"), bulk(role)),
            ])
        };
        let hello = Hello::read(&answer("cluster", "replica"));
        assert_eq!((hello.kind, hello.is_master), (Kind::ClusterNode, false));
        let hello = Hello::read(&answer("sentinel", "master"));
        assert_eq!((hello.kind, hello.is_master), (Kind::Sentinel, true));
    }

    #[test]
    fn a_server_that_is_silent_about_itself_is_one_server() {
        let silent = [
            Value::Nil,
            Value::Map(Vec::new()),
            Value::Array(vec![Value::Nil]),
        ];
        for answer in silent {
            let hello = Hello::read(&answer);
            assert_eq!((hello.kind, hello.is_master), (Kind::Standalone, true));
        }
    }
}
