//! What an operator insists on: a node without it takes no requests, although it could answer them.

use crate::readiness::{DataState, Observed, RedisState, SourceState};

/// A neighbour that may be insisted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbour {
    /// The database answers.
    Source,
    /// Redis is used.
    Redis,
    /// The change log is followed within the staleness bound.
    Feed,
    /// The change log is whole.
    Data,
}

impl Neighbour {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Source, Self::Redis, Self::Feed, Self::Data];

    /// The words for all of them, in the same order.
    pub const NAMES: [&str; 4] = ["source", "redis", "feed", "data"];

    /// The word for it in configurations and answers.
    pub const fn name(self) -> &'static str {
        let [source, redis, feed, data] = Self::NAMES;
        match self {
            Self::Source => source,
            Self::Redis => redis,
            Self::Feed => feed,
            Self::Data => data,
        }
    }

    /// Whether nothing is missing of it.
    pub fn is_well(self, observed: &Observed) -> bool {
        match self {
            Self::Source => observed.source == SourceState::Up,
            // Nothing is missing where it was never wanted.
            Self::Redis => match observed.redis {
                RedisState::Off | RedisState::Up | RedisState::Limited { .. } => true,
                RedisState::Connecting | RedisState::Down { .. } => false,
            },
            Self::Feed => !observed.feed_is_adrift,
            Self::Data => observed.data == DataState::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Readiness, Status};

    fn well() -> Observed {
        Observed {
            source: SourceState::Up,
            source_was_ever_up: true,
            redis: RedisState::Up,
            data: DataState::Whole,
            ..Observed::default()
        }
    }

    #[test]
    fn a_node_takes_no_requests_without_what_is_insisted_on_and_says_so() {
        type Loss = fn(&mut Observed);
        let cases: [(Neighbour, Loss); 4] = [
            (Neighbour::Source, |it| it.source = SourceState::Unknown),
            (Neighbour::Redis, |it| it.redis = RedisState::Connecting),
            (Neighbour::Feed, |it| it.feed_is_adrift = true),
            (Neighbour::Data, |it| it.data = DataState::Unknown),
        ];
        for (neighbour, breaks) in cases {
            let mut observed = well();
            observed.required = vec![neighbour];
            assert_eq!(Readiness::of(&observed).status, Status::Ready);
            breaks(&mut observed);
            let readiness = Readiness::of(&observed);
            assert_eq!(readiness.status, Status::NotReady, "{neighbour:?}");
            let reason = format!("readiness.require insists on {}", neighbour.name());
            assert!(readiness.reasons.contains(&reason), "{readiness:?}");
            observed.required = Neighbour::ALL
                .into_iter()
                .filter(|it| *it != neighbour)
                .collect();
            assert_ne!(Readiness::of(&observed).status, Status::NotReady);
        }
        let observed = Observed {
            redis: RedisState::Limited {
                why: "a part of it is away".to_owned(),
            },
            required: vec![Neighbour::Redis],
            ..well()
        };
        assert_eq!(Readiness::of(&observed).status, Status::Degraded);
    }

    #[test]
    fn a_node_that_leaves_says_that_first() {
        let observed = Observed {
            draining: true,
            required: vec![Neighbour::Redis],
            ..Observed::default()
        };
        assert_eq!(Readiness::of(&observed).status, Status::Draining);
    }
}
