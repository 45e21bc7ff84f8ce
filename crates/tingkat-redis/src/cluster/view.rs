//! What one node of a cluster says about all of them.

use std::ops::Range;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Pipeline, RedisError, Value};

use crate::config::Config;
use crate::place::Place;
use crate::{refusal, rights};

/// How many slots a cluster has.
pub(super) const SLOTS: usize = 16_384;

/// More nodes than a cluster can sensibly have are not believed.
const MOST_NODES: usize = 1_000;

/// Who has which slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Grows whenever the cluster decides something; of two views the younger is right.
    pub(super) epoch: u64,
    pub(super) ranges: Vec<(Range<usize>, Place)>,
}

/// Why a node has no view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blind {
    /// It is in no cluster that tells.
    NoCluster(String),
    Failed(String),
}

impl View {
    /// Asks the node at `asked`, for at most `patience`.
    pub(super) async fn ask(
        connection: &mut MultiplexedConnection,
        asked: &Place,
        config: &Config,
        patience: Duration,
    ) -> Result<Self, Blind> {
        let mut questions = Pipeline::with_capacity(2);
        questions.cmd("CLUSTER").arg("SLOTS");
        questions.cmd("CLUSTER").arg("INFO");
        connection.set_response_timeout(patience);
        let answers = connection
            .send_packed_commands(&questions, 0, questions.len())
            .await
            .map_err(|error| Blind::Failed(refusal::describe(&error)))?;
        match answers.as_slice() {
            [Value::ServerError(error), _] => {
                Err(Self::blind(&RedisError::from(error.clone()), config))
            }
            // Without the epoch nobody can tell which of two views is the younger.
            [_, Value::ServerError(error)] if error.code() == "NOPERM" => {
                Err(Self::blind(&RedisError::from(error.clone()), config))
            }
            [slots, info] => {
                Self::read(slots, info, asked).map_err(|why| Blind::Failed(why.to_owned()))
            }
            _ => Err(Blind::Failed("an answer is missing".to_owned())),
        }
    }

    fn blind(error: &RedisError, config: &Config) -> Blind {
        let text = refusal::describe(error);
        if refusal::is_forbidden(error) {
            Blind::Failed(rights::lacking_slots(config))
        } else if refusal::is_unknown(error) || text.contains("cluster support disabled") {
            Blind::NoCluster(text)
        } else {
            Blind::Failed(text)
        }
    }

    fn read(slots: &Value, info: &Value, asked: &Place) -> Result<Self, &'static str> {
        let Value::Array(items) = slots else {
            return Err("CLUSTER SLOTS answers no list");
        };
        if items.len() > SLOTS {
            return Err("CLUSTER SLOTS names more ranges than there are slots");
        }
        let ranges: Vec<_> = items.iter().filter_map(|item| range(item, asked)).collect();
        let mut places: Vec<&Place> = Vec::new();
        for (_, place) in &ranges {
            if !places.contains(&place) {
                places.push(place);
            }
            if places.len() > MOST_NODES {
                return Err("CLUSTER SLOTS names too many nodes");
            }
        }
        Ok(Self {
            epoch: epoch(info),
            ranges,
        })
    }

    /// The places of all masters with slots.
    pub(super) fn places(&self) -> Vec<&Place> {
        let mut places: Vec<&Place> = Vec::new();
        for (_, place) in &self.ranges {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }
}

/// A range of CLUSTER SLOTS: first, last, master, replicas. A node that does not know its own name
/// is where we asked it; one that nobody knows the place of serves nobody.
fn range(item: &Value, asked: &Place) -> Option<(Range<usize>, Place)> {
    let Value::Array(parts) = item else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(master),
        ..,
    ] = parts.as_slice()
    else {
        return None;
    };
    let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
    let [host, Value::Int(port), ..] = master.as_slice() else {
        return None;
    };
    let named: Option<String> = FromRedisValue::from_redis_value_ref(host).ok()?;
    let host = match named.as_deref() {
        None | Some("") => asked.host()?,
        Some("?") => return None,
        Some(host) => host,
    };
    let place = Place::net(host, u16::try_from(*port).ok()?);
    (first <= last && last < SLOTS).then(|| (first..last + 1, place))
}

fn epoch(info: &Value) -> u64 {
    let Ok(text) = String::from_redis_value_ref(info) else {
        return 0;
    };
    text.lines()
        .find_map(|line| line.strip_prefix("cluster_current_epoch:"))
        .and_then(|epoch| epoch.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn item(first: i64, last: i64, host: Value, port: i64) -> Value {
        let master = Value::Array(vec![host, Value::Int(port), bulk("id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), master])
    }

    #[test]
    fn a_view_names_masters_where_they_can_be_reached() {
        let asked = Place::net("asked", 1);
        let slots = Value::Array(vec![
            item(0, 9, bulk("one"), 7),
            item(10, 10, Value::Nil, 8),
            item(11, 11, bulk(""), 9),
            item(12, 12, bulk("?"), 0),
            item(13, 16_383, bulk("one"), 7),
        ]);
        let info = bulk("cluster_state:ok\r\ncluster_current_epoch:6\r\n");
        let view = View::read(&slots, &info, &asked).unwrap();
        let one = Place::net("one", 7);
        assert_eq!(view.epoch, 6);
        assert_eq!(
            view.ranges,
            [
                (0..10, one.clone()),
                (10..11, Place::net("asked", 8)),
                (11..12, Place::net("asked", 9)),
                (13..16_384, one),
            ]
        );
        assert_eq!(view.places().len(), 3);
    }

    #[test]
    fn rubbish_is_no_range_and_a_forbidden_question_no_reason_to_give_up() {
        let rubbish = Value::Array(vec![
            Value::Nil,
            item(-1, 9, bulk("one"), 7),
            item(9, 1, bulk("one"), 7),
            item(0, 16_384, bulk("one"), 7),
            item(0, 9, bulk("one"), 70_000),
        ]);
        let refused = bulk("");
        let view = View::read(&rubbish, &refused, &Place::net("asked", 1)).unwrap();
        assert_eq!(view, View::default());
        assert!(View::read(&Value::Nil, &refused, &Place::net("asked", 1)).is_err());
    }

    #[test]
    fn a_cluster_of_countless_nodes_is_not_believed() {
        let many = (0..2_000).map(|slot| item(slot, slot, bulk("h"), slot));
        let many = Value::Array(many.collect());
        assert!(View::read(&many, &bulk(""), &Place::net("asked", 1)).is_err());
    }
}
