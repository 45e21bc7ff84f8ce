//! Callers and their flights, step by step.

use super::{Joiners, State};
use crate::rule::Rule;

/// A caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reader {
    Idle,
    Started(Start),
    Waiting {
        start: Start,
        flight: u8,
        joined: bool,
    },
    Answered {
        value: u8,
        started: u8,
        owed: u8,
    },
}

/// When a caller began, and what its node knew then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    at: u8,
    epoch: u8,
    /// The newest own write that had returned.
    owed: u8,
}

/// One flight; the times and epochs are those of what was before the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    /// On its way to Redis.
    Searching,
    /// Redis has answered with the first value.
    Found,
    /// That was accepted.
    Opened {
        epoch: u8,
        proven_at: u8,
    },
    Sent {
        at: u8,
        epoch: u8,
    },
    Read {
        at: u8,
        epoch: u8,
        value: u8,
    },
    Judged {
        at: u8,
        epoch: u8,
        value: u8,
        accepted_in: Option<u8>,
    },
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Tick,
    OthersCommit,
    OwnCommit,
    OwnReturn,
    Poll,
    Start(usize),
    Depart(usize),
    Fly(u8, FlightStep),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightStep {
    AskRedis,
    Judge,
    Send,
    Read,
    Complete,
}

/// What a flight brings to those who wait.
struct Landing {
    value: u8,
    /// The last epoch in which it was known to have seen all.
    good_in: u8,
    /// Whether it had seen all when it came in.
    is_accepted: bool,
    /// For a find in Redis: as of when what it was judged by was complete.
    proven_at: Option<u8>,
}

impl Joiners {
    pub(super) fn possible_flights(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, reader) in state.readers.iter().enumerate() {
            match reader {
                Reader::Idle => actions.push(Action::Start(number)),
                Reader::Started(_) => actions.push(Action::Depart(number)),
                Reader::Waiting { .. } | Reader::Answered { .. } => {}
            }
        }
        for (flight, number) in state.flights.iter().zip(0..) {
            let steps: &[FlightStep] = match flight {
                Flight::Searching if self.redis => &[FlightStep::AskRedis, FlightStep::Send],
                Flight::Searching => &[FlightStep::Send],
                Flight::Found | Flight::Read { .. } => &[FlightStep::Judge],
                Flight::Sent { .. } => &[FlightStep::Read],
                Flight::Opened { .. } | Flight::Judged { .. } => &[FlightStep::Complete],
                Flight::Over => &[],
            };
            actions.extend(steps.iter().map(|&step| Action::Fly(number, step)));
        }
    }

    pub(super) fn start(state: &mut State, reader: usize) {
        state.readers[reader] = Reader::Started(Start {
            at: state.now,
            epoch: state.known,
            owed: state.returned,
        });
    }

    /// Joins the listed flight or leads a new one.
    pub(super) fn depart(&self, state: &mut State, reader: usize) {
        let Reader::Started(start) = state.readers[reader] else {
            return;
        };
        let is_too_old = |flight: u8| match state.flights[usize::from(flight)] {
            Flight::Sent { at, .. } | Flight::Read { at, .. } | Flight::Judged { at, .. } => {
                self.rules.follow(Rule::JoinAge) && at + self.bound < start.at
            }
            Flight::Searching | Flight::Found | Flight::Opened { .. } | Flight::Over => false,
        };
        let joined = state.listed.filter(|&flight| !is_too_old(flight));
        let flight = joined.or_else(|| {
            let number = u8::try_from(state.flights.len()).unwrap_or(u8::MAX);
            (number < self.flights).then_some(number)
        });
        let Some(flight) = flight else { return };
        if joined.is_none() {
            state.flights.push(Flight::Searching);
            state.listed = Some(flight);
        }
        state.readers[reader] = Reader::Waiting {
            start,
            flight,
            joined: joined.is_some(),
        };
    }

    pub(super) fn fly(&self, state: &mut State, number: u8, step: FlightStep) {
        let index = usize::from(number);
        let sent = Flight::Sent {
            at: state.now,
            epoch: state.known,
        };
        let next = match (step, state.flights[index]) {
            (FlightStep::AskRedis, _) => Flight::Found,
            (FlightStep::Send, _) => sent,
            (FlightStep::Read, Flight::Sent { at, epoch }) => Flight::Read {
                at,
                epoch,
                value: state.value,
            },
            (FlightStep::Judge, Flight::Read { at, epoch, value }) => Flight::Judged {
                at,
                epoch,
                value,
                accepted_in: (value >= state.known).then_some(state.known),
            },
            (FlightStep::Judge, _) => {
                let is_anchored = state.now <= state.fresh_at + self.bound;
                if state.known == 0 && is_anchored {
                    Flight::Opened {
                        epoch: state.known,
                        proven_at: state.fresh_at,
                    }
                } else {
                    sent
                }
            }
            (FlightStep::Complete, flight) => {
                self.complete(state, number, flight);
                Flight::Over
            }
            (FlightStep::Read, flight) => flight,
        };
        state.flights[index] = next;
    }

    fn complete(&self, state: &mut State, number: u8, flight: Flight) {
        let landing = match flight {
            Flight::Opened { epoch, proven_at } => Landing {
                value: 0,
                good_in: epoch,
                is_accepted: true,
                proven_at: Some(proven_at),
            },
            Flight::Judged {
                epoch,
                value,
                accepted_in,
                ..
            } => Landing {
                value,
                good_in: accepted_in.unwrap_or(epoch),
                is_accepted: accepted_in.is_some(),
                proven_at: None,
            },
            Flight::Searching
            | Flight::Found
            | Flight::Sent { .. }
            | Flight::Read { .. }
            | Flight::Over => return,
        };
        if state.listed == Some(number) {
            state.listed = None;
        }
        for index in 0..state.readers.len() {
            if let Reader::Waiting {
                start,
                flight,
                joined,
            } = state.readers[index]
                && flight == number
            {
                let is_answered = self.may_have(start, &landing);
                state.past.joined_answer |= is_answered && joined;
                state.past.early_caller_served |= is_answered && !landing.is_accepted;
                state.past.caller_sent_back |= !is_answered;
                state.readers[index] = if is_answered {
                    Reader::Answered {
                        value: landing.value,
                        started: start.at,
                        owed: start.owed,
                    }
                } else {
                    Reader::Started(start)
                };
            }
        }
    }

    /// Whether a caller takes what its flight brought (rule R5, for an answer of Redis R1).
    fn may_have(&self, start: Start, landing: &Landing) -> bool {
        let rule = if landing.is_accepted {
            Rule::JoinLateChange
        } else {
            Rule::JoinChange
        };
        let knew_no_more = start.epoch <= landing.good_in || !self.rules.follow(rule);
        let is_proven = landing.proven_at.is_none_or(|proven_at| {
            start.at <= proven_at + self.bound || !self.rules.follow(Rule::JoinProof)
        });
        knew_no_more && is_proven
    }
}
