//! The protocol as a model, explored to the end: what it promises holds in every state, and each
//! rule that is switched off breaks a promise.
//!
//! `cargo nextest run -p tingkat --test model --no-capture` prints what was explored.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    missing_docs,
    unreachable_pub,
    reason = "the model is a test, and the checker hands out references"
)]

mod core;
mod database;
mod explore;
mod folding;
mod hints;
mod joiners;
mod publication;
mod rule;
mod transactions;

use crate::core::{Boot, Company, Core, Limits};
use crate::explore::{Explored, exhaust, explore};
use crate::folding::Folding;
use crate::hints::Hints;
use crate::joiners::Joiners;
use crate::publication::Publication;
use crate::rule::{Rule, Rules};
use crate::transactions::Transactions;

/// With a bound of no time at all a value must have been current in the tick of its read: the
/// smallest model in which all can go wrong.
const CORE: Core = Core {
    rules: Rules::ALL,
    company: Company::Filler,
    boot: Boot::History,
    leases: true,
    bound: 0,
    end: 1,
    transactions: 2,
    tagged: Transactions::NONE,
    limits: LIMITS,
};

const LIMITS: Limits = Limits {
    loads: 1,
    redis_failovers: 0,
    flushes: 0,
    restarts: 0,
    aborts: 0,
    crashes: 0,
    losses: 0,
};

const RESTART: Limits = Limits {
    restarts: 1,
    ..LIMITS
};

const LOSS: Limits = Limits {
    losses: 1,
    ..LIMITS
};

const CRASH: Limits = Limits {
    aborts: 1,
    crashes: 1,
    ..LIMITS
};

const FOLDING: Folding = Folding {
    rules: Rules::ALL,
    transactions: 4,
    longest_list: 8,
    lets_go: false,
    others: Transactions::NONE,
};

const HINTS: Hints = Hints {
    rules: Rules::ALL,
    transactions: 3,
};

const JOINERS: Joiners = Joiners {
    rules: Rules::ALL,
    bound: 0,
    end: 1,
    writes: 2,
    flights: 3,
    redis: true,
};

const PUBLICATION: Publication = Publication {
    rules: Rules::ALL,
    bound: 1,
    end: 2,
};

#[test]
fn no_value_is_older_than_the_bound_while_redis_fails_over_and_forgets_and_a_node_restarts() {
    let limits = Limits {
        redis_failovers: 1,
        flushes: 1,
        restarts: 1,
        ..LIMITS
    };
    exhaust(
        "core: Redis failover, flush, restart",
        Core { limits, ..CORE },
    )
    .assert_holds();
}

#[test]
fn no_value_is_older_than_the_bound_when_two_loads_cross() {
    let limits = Limits { loads: 2, ..LIMITS };
    exhaust("core: two loads", Core { limits, ..CORE }).assert_holds();
}

#[test]
fn no_value_is_older_than_the_bound_when_two_loads_cross_a_failover_of_redis() {
    let limits = Limits {
        loads: 2,
        redis_failovers: 1,
        ..LIMITS
    };
    let core = Core {
        transactions: 1,
        limits,
        ..CORE
    };
    exhaust("core: two loads, Redis failover, one write", core).assert_holds();
}

#[test]
fn truth_does_not_depend_on_leases() {
    let limits = Limits { loads: 2, ..LIMITS };
    let core = Core {
        leases: false,
        transactions: 1,
        limits,
        ..CORE
    };
    exhaust("core: two loads without leases, one write", core).assert_holds();
}

#[test]
fn no_value_is_older_than_the_bound_after_a_boot_without_history() {
    let core = Core {
        boot: Boot::Floor,
        limits: RESTART,
        ..CORE
    };
    exhaust("core: restart without history", core).assert_holds();
}

#[test]
fn no_value_is_older_than_a_bound_of_more_than_one_tick() {
    let core = Core {
        bound: 1,
        end: 2,
        ..CORE
    };
    exhaust("core: longer bound", core).assert_holds();
}

#[test]
fn no_value_is_older_than_the_bound_when_a_failover_of_the_database_loses_a_commit() {
    exhaust(
        "core: lost commit",
        Core {
            limits: LOSS,
            ..CORE
        },
    )
    .assert_holds();
}

#[test]
fn no_value_is_older_than_the_bound_when_a_crash_of_the_database_gives_ids_out_again() {
    exhaust(
        "core: crash",
        Core {
            limits: CRASH,
            ..CORE
        },
    )
    .assert_holds();
}

#[test]
fn no_value_is_older_than_the_bound_on_two_full_nodes() {
    let core = Core {
        company: Company::Equal,
        transactions: 1,
        ..CORE
    };
    exhaust("core: two full nodes, one write", core).assert_holds();
}

#[test]
fn what_is_accepted_has_seen_every_change_however_the_log_is_folded() {
    exhaust("folding", FOLDING).assert_holds();
    let cut = Folding {
        transactions: 3,
        longest_list: 1,
        ..FOLDING
    };
    exhaust("folding: lists cut above one id", cut).assert_holds();
    // One that writes something else may run for so long that all others are folded.
    let beside_others = Folding {
        others: Transactions::NONE.with(0),
        ..FOLDING
    };
    exhaust("folding: beside a long write", beside_others).assert_holds();
    let lets_go = Folding {
        lets_go: true,
        ..beside_others
    };
    exhaust("folding: a full map", lets_go).assert_holds();
}

#[test]
fn what_a_node_knows_is_complete_whatever_hints_say() {
    exhaust("hints", HINTS).assert_holds();
}

#[test]
fn callers_who_share_a_flight_get_what_each_may_have() {
    exhaust("joiners", JOINERS).assert_holds();
    let longer = Joiners {
        bound: 1,
        end: 2,
        writes: 1,
        ..JOINERS
    };
    exhaust("joiners: longer bound", longer).assert_holds();
}

#[test]
fn a_reader_that_is_stopped_anywhere_serves_nothing_beyond_the_bound() {
    exhaust("publication", PUBLICATION).assert_holds();
}

#[test]
fn each_rule_that_is_switched_off_breaks_a_promise() {
    for rule in Rule::ALL {
        without(rule).assert_broken();
    }
}

/// Explores the smallest configuration in which the rule matters.
fn without(rule: Rule) -> Explored {
    let (name, rules) = (rule.without(), Rules::without(rule));
    let core = Core { rules, ..CORE };
    match rule {
        Rule::Anchor
        | Rule::JudgeRemote
        | Rule::LoadedAtSnapshot
        | Rule::FreshAtSend
        | Rule::JudgeOnEntry
        | Rule::SnapshotDifference
        | Rule::SnapshotFirst => explore(name, core),
        Rule::Tags => {
            let tagged = Transactions::of(&[1]);
            explore(name, Core { tagged, ..core })
        }
        Rule::Incarnation => {
            let limits = CRASH;
            explore(name, Core { limits, ..core })
        }
        Rule::ColdReset => {
            let limits = LOSS;
            explore(name, Core { limits, ..core })
        }
        Rule::HistoryAtBoot => {
            let limits = RESTART;
            explore(name, Core { limits, ..core })
        }
        Rule::Floor => {
            let (boot, limits) = (Boot::Floor, RESTART);
            explore(
                name,
                Core {
                    boot,
                    limits,
                    ..core
                },
            )
        }
        Rule::KeepRecent | Rule::OldMaxBelowXmin | Rule::FoldBelowTick | Rule::ReloadAfterSleep => {
            explore(name, Folding { rules, ..FOLDING })
        }
        Rule::AcceptedSince | Rule::CutNeedsCursor => {
            let longest_list = 1;
            explore(
                name,
                Folding {
                    rules,
                    longest_list,
                    ..FOLDING
                },
            )
        }
        Rule::HintsOnlyWake => explore(name, Hints { rules, ..HINTS }),
        Rule::JoinAge
        | Rule::JoinChange
        | Rule::JoinLateChange
        | Rule::JoinProof
        | Rule::OwnWrites => explore(name, Joiners { rules, ..JOINERS }),
        Rule::KnowledgeBeforeEpoch
        | Rule::EpochBeforeFreshAt
        | Rule::FreshAtReadFirst
        | Rule::EpochBeforeJudgement
        | Rule::AnchorBeforeJudgement => explore(
            name,
            Publication {
                rules,
                ..PUBLICATION
            },
        ),
    }
}
