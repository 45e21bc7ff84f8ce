//! Whether several servers go together: replicas, a cluster, Sentinels.

use crate::buckets::exact;
use crate::check::{Check, Group, Reading};
use crate::field::{Field, number};
use crate::look::MasterSeen;
use crate::ring::LONG;
use crate::view::View;

use Reading::{Is, Skipped};

/// How many slots a cluster has.
const SLOTS: f64 = 16_384.0;

pub(super) const CHECKS: &[Check] = &[
    Check::server("replica_link", Group::Replication, link)
        .weight(4)
        .unit("s")
        .above(0.0, 60.0)
        .advice(|_, seconds| {
            let seconds = number(seconds);
            format!(
                "This server is a replica that lost its primary {seconds} s ago: it refuses writes and what it \
                 holds grows old. Point `redis.url` to the primary, or mend the way between the two."
            )
        }),
    Check::server("replication_lag", Group::Replication, lag)
        .weight(2)
        .unit("MB")
        .above(10.0, 100.0)
        .needs(&[Field::ReplicaLag])
        .advice(|_, behind| {
            let behind = number(behind);
            format!("A replica is {behind} MB behind: it, or the way to it, is too slow. A failover would lose that.")
        }),
    Check::server("replicas_lost", Group::Replication, lost)
        .weight(2)
        .unit("% of replicas")
        .above(0.0, 100.0)
        .needs(&[Field::Replicas])
        .advice(|view, share| {
            let left = view.read(Field::Replicas).unwrap_or_default();
            format!(
                "{} % of the replicas that this process had are gone, {} are left. Without one nobody can take \
                 over: start them again.",
                number(share.round()),
                number(left)
            )
        }),
    Check::server("full_resyncs", Group::Replication, resyncs)
        .weight(1)
        .unit("times")
        .above(1.0, 4.0)
        .over(LONG)
        .needs(&[Field::FullResyncs])
        .advice(|_, count| {
            let count = number(count);
            format!(
                "Replicas had to copy everything {count} times within 5 minutes: `repl-backlog-size` is too \
                 small for how often they lose their primary."
            )
        }),
    Check::server("cluster_state", Group::Replication, |view| {
        if !is_clustered(view)? {
            return Some(Skipped);
        }
        Some(Is(view.read(Field::ClusterFailed)?))
    })
    .weight(4)
    .fails(1.0)
    .caps(19)
    .advice(|view, _| {
        let slots = view.read(Field::SlotsOk).unwrap_or_default();
        format!(
            "The cluster calls itself down: {} of 16384 slots are served. Start the node that is missing, or \
             let a replica take over: `CLUSTER FAILOVER TAKEOVER`.",
            number(slots)
        )
    }),
    Check::server("cluster_slots", Group::Replication, slots)
        .weight(3)
        .above(0.0, 2.0)
        .advice(|view, _| {
            let of = |field| view.read(field).map_or_else(String::new, number);
            format!(
                "Of the 16384 slots of the cluster {} have a node, {} of them one that failed and {} one that is \
                 suspected: the others' keys are misses, and come from the database. `CLUSTER NODES` names it.",
                of(Field::SlotsAssigned),
                of(Field::SlotsFailed),
                of(Field::SlotsSuspected)
            )
        }),
    Check::redis("sentinel_quorum", Group::Replication, quorum)
        .weight(4)
        .unit("% of Sentinels")
        .below(100.0, 50.0)
        .advice(|view, _| {
            let sentinels = view.redis().and_then(|redis| redis.sentinels);
            let (answering, known) = sentinels.map_or((0, 0), |it| (it.answering, it.known));
            format!(
                "{answering} of {known} Sentinels answer. Without most of them nobody names another master when \
                 this one fails: start the others."
            )
        }),
    Check::redis("sentinel_master", Group::Replication, master)
        .above(0.0, 2.0)
        .advice(|view, _| {
            let sentinels = view.redis().and_then(|redis| redis.sentinels);
            let who = match sentinels.and_then(|it| it.master) {
                Some(MasterSeen::Failed) => "Enough Sentinels to name another one do",
                Some(MasterSeen::Suspected | MasterSeen::Up) | None => "A Sentinel does",
            };
            format!(
                "{who} not reach the master. Where none takes over, see whether there is a replica that is not too \
                 far behind: `SENTINEL REPLICAS`."
            )
        }),
    Check::redis("sentinel_failovers", Group::Replication, failovers)
        .unit("failovers")
        .warns(0.0)
        .over(LONG)
        .advice(|_, count| {
            let count = number(count);
            format!(
                "Sentinels named another master {count} times within 5 minutes. Look into the log of the one \
                 before; what it had not yet sent to its replica is loaded again."
            )
        }),
    Check::redis("memory_imbalance", Group::Replication, imbalance)
        .unit("times the mean")
        .above(1.5, 3.0)
        .advice(|_, times| {
            let times = number(times);
            format!("One node of the cluster holds {times} times what the others do on average: move slots.")
        }),
    Check::server("primary_alone", Group::Replication, |view| {
        if !is_clustered(view)? || view.server?.is_replica()? {
            return Some(Skipped);
        }
        let replicas = view.read(Field::Replicas)?;
        Some(Is(f64::from(u8::from(replicas == 0.0))))
    })
    .warns(0.0)
    .advice(|view, _| {
        let name = view.server.map_or("", |server| &server.name);
        format!("The node {name} has no replica: when it fails, its keys come from the database.")
    }),
];

/// Whether it is a node of a cluster. One that may not say so by INFO may still have told how the cluster is.
fn is_clustered(view: &View<'_>) -> Option<bool> {
    let server = view.server?;
    let has_told = server.number(Field::ClusterFailed).is_some();
    server.is_clustered.or(has_told.then_some(true))
}

fn link(view: &View<'_>) -> Option<Reading> {
    if !view.server?.is_replica()? {
        return Some(Skipped);
    }
    if view.read(Field::LinkDown)? == 0.0 {
        return Some(Is(0.0));
    }
    // One that never had its primary says -1.
    Some(Is(view.read(Field::LinkDownSince).unwrap_or(1.0).max(1.0)))
}

fn lag(view: &View<'_>) -> Option<Reading> {
    if view.read(Field::Replicas)? == 0.0 {
        return Some(Skipped);
    }
    Some(Is(view.read(Field::ReplicaLag)? / 1_000_000.0))
}

fn lost(view: &View<'_>) -> Option<Reading> {
    let now = view.read(Field::Replicas)?;
    let most = view.ring.most_replicas(&view.server?.name)?;
    view.note("connected_slaves_before", number(most));
    if most == 0.0 {
        return Some(Skipped);
    }
    Some(Is((most - now) / most * 100.0))
}

/// One is what a replica takes that is new.
fn resyncs(view: &View<'_>) -> Option<Reading> {
    Some(Is(view.grown(Field::FullResyncs, LONG)?.by))
}

/// 1 where a node is suspected, 2 and more where slots are not served.
fn slots(view: &View<'_>) -> Option<Reading> {
    if !is_clustered(view)? {
        return Some(Skipped);
    }
    let assigned = view.read(Field::SlotsAssigned)?;
    let failed = view.read(Field::SlotsFailed)?;
    let suspected = view.read(Field::SlotsSuspected)?;
    let unserved = (SLOTS - assigned + failed).max(0.0);
    Some(Is(if unserved > 0.0 {
        1.0 + unserved
    } else {
        suspected.min(1.0)
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "a measure of the table")]
fn quorum(view: &View<'_>) -> Option<Reading> {
    let Some(redis) = view.redis() else {
        return Some(Skipped);
    };
    let Some(sentinels) = redis.sentinels else {
        return Some(Skipped);
    };
    let is_tilted = sentinels.is_tilted == Some(true);
    // One that judges nothing for a while is as good as silent.
    let answering = sentinels.answering.saturating_sub(usize::from(is_tilted));
    let known = sentinels.known;
    view.note("sentinels", known);
    if is_tilted {
        view.note("sentinel_tilt", 1);
    }
    view.note("answering", answering);
    if let Some(has_quorum) = sentinels.has_quorum {
        view.note("quorum", has_quorum);
        if !has_quorum {
            return Some(Is(0.0));
        }
    }
    Some(Is(
        exact(answering as u64) / exact(known.max(1) as u64) * 100.0
    ))
}

fn master(view: &View<'_>) -> Option<Reading> {
    let Some(sentinels) = view.redis().and_then(|redis| redis.sentinels) else {
        return Some(Skipped);
    };
    let (word, value) = match sentinels.master? {
        MasterSeen::Up => ("up", 0.0),
        MasterSeen::Suspected => ("s_down", 1.0),
        MasterSeen::Failed => ("o_down", 2.0),
    };
    view.note("master", word);
    Some(Is(value))
}

fn failovers(view: &View<'_>) -> Option<Reading> {
    let Some(sentinels) = view.redis().and_then(|redis| redis.sentinels) else {
        return Some(Skipped);
    };
    view.note("config_epoch", sentinels.epoch?);
    let grown = view.ring.redis_grown(LONG, |redis| {
        let epoch = redis.sentinels?.epoch?;
        Some(exact(epoch))
    })?;
    view.spans(grown.seconds);
    Some(Is(grown.by))
}

fn imbalance(view: &View<'_>) -> Option<Reading> {
    let Some(redis) = view.redis() else {
        return Some(Skipped);
    };
    let used = redis
        .servers
        .iter()
        .map(|server| server.number(Field::UsedMemory));
    let used = used.collect::<Option<Vec<f64>>>()?;
    if used.len() < 2 {
        return Some(Skipped);
    }
    let sum: f64 = used.iter().sum();
    let mean = sum / exact(used.len() as u64);
    let most = used.iter().copied().fold(0.0, f64::max);
    view.note("most_bytes", number(most));
    view.note("mean_bytes", format!("{mean:.0}"));
    (mean > 0.0).then(|| Is(most / mean))
}
