//! Whether Redis is there.

use crate::buckets::exact;
use crate::check::{Check, Group, Reading};
use crate::field::{Field, number};
use crate::look::Look;
use crate::ring::LONG;
use crate::view::View;

use Reading::{Is, Skipped};

pub(super) const CHECKS: &[Check] = &[
    Check::redis("redis_reachable", Group::Availability, reachable)
        .weight(10)
        .unit("looks without an answer")
        .above(0.0, 3.0)
        .caps(0)
        .advice(|view, looks| {
            let looks = number(looks);
            if let Some(why) = unusable(view) {
                return format!(
                    "Redis answers, but may not be used: {why}. Look-ups are served from memory and the \
                     database meanwhile."
                );
            }
            format!(
                "Redis has not answered the last {looks} looks; look-ups are served from memory and the \
                 database meanwhile. Check that it runs, its host and port, TLS and the firewall."
            )
        }),
    Check::redis("redis_limited", Group::Availability, limited)
        .weight(3)
        .warns(0.0)
        .advice(|view, _| {
            let limit = view.redis().and_then(|redis| redis.limit.clone());
            let silent = silent(view).join(", ");
            let why = match limit {
                Some(limit) => limit,
                None => format!("{silent} does not answer; see whether it runs, and the way to it"),
            };
            format!("A part of Redis can not be used: {why}.")
        }),
    Check::server("redis_loading", Group::Availability, loading)
        .weight(4)
        .unit("s")
        .above(0.0, 60.0)
        .needs(&[Field::Loading])
        .advice(|_, seconds| {
            let seconds = number(seconds.ceil());
            format!("Redis loads its data and answers in about {seconds} s; nothing needs to be done.")
        }),
    Check::server("redis_restarts", Group::Availability, restarts)
        .weight(3)
        .unit("restarts")
        .above(0.0, 3.0)
        .over(LONG)
        .advice(|view, restarts| {
            let uptime = view.read(Field::Uptime).map_or_else(String::new, |uptime| {
                format!(", the last time {} s ago", number(uptime))
            });
            let restarts = number(restarts);
            format!(
                "Redis was restarted {restarts} times within 5 minutes{uptime}. Look for the reason in its \
                 log (OOM killer, crash, deploy); what it held is loaded again as it is asked for."
            )
        }),
    Check::server("redis_version", Group::Availability, version)
        .below(6.2, 5.0)
        .advice(|view, _| {
            let version = view.server.and_then(|server| server.version.clone());
            let version = version.unwrap_or_default();
            format!("Redis {version} gets no fixes any more; plan for 7.0 or later, or Valkey.")
        }),
    Check::server("redis_exposed", Group::Availability, exposed)
        .unit("of encryption and login")
        .warns(0.0)
        .needs(&[Field::IsPublic, Field::IsEncrypted, Field::HasLogin])
        .advice(|view, _| {
            let lacks = |field| view.read(field) == Some(0.0);
            let missing = match (lacks(Field::IsEncrypted), lacks(Field::HasLogin)) {
                (true, true) => "neither TLS nor a login",
                (true, false) => "no TLS",
                (false, _) => "no login",
            };
            format!(
                "Redis is reached over a public address with {missing}: whoever is on the way, or finds the port, \
                 reads and writes what is cached. Use `rediss://` and a user with a password, or a private network."
            )
        }),
];

fn is_away(look: &Look) -> bool {
    look.redis.as_ref().is_some_and(|redis| {
        !redis.is_usable || !redis.servers.iter().any(|server| server.is_reached)
    })
}

/// Why a Redis that answers is not used.
fn unusable<'a>(view: &View<'a>) -> Option<&'a str> {
    let redis = view.redis().filter(|redis| !redis.is_usable)?;
    let is_reached = redis.servers.iter().any(|server| server.is_reached);
    redis.limit.as_deref().filter(|_| is_reached)
}

#[expect(clippy::unnecessary_wraps, reason = "a measure of the table")]
fn reachable(view: &View<'_>) -> Option<Reading> {
    let Some(redis) = view.redis() else {
        return Some(Skipped);
    };
    let reached = redis
        .servers
        .iter()
        .filter(|server| server.is_reached)
        .count();
    view.note("servers", redis.servers.len());
    view.note("answering", reached);
    view.note("usable", redis.is_usable);
    if let Some(why) = unusable(view) {
        view.note("why", why);
    }
    let looks = view.ring.in_a_row(is_away);
    // One that was never there is not only late.
    let is_unheard_of = looks > 0 && looks == view.ring.len();
    let looks = if is_unheard_of { looks.max(3) } else { looks };
    Some(Is(exact(looks as u64)))
}

fn limited(view: &View<'_>) -> Option<Reading> {
    let Some(redis) = view.redis() else {
        return Some(Skipped);
    };
    // What is away altogether is another check's.
    if !redis.is_usable {
        return None;
    }
    if let Some(limit) = &redis.limit {
        view.note("limit", limit);
    }
    let silent = silent(view);
    for name in &silent {
        view.note("silent", name);
    }
    let is_limited = redis.limit.is_some() || !silent.is_empty();
    Some(Is(f64::from(u8::from(is_limited))))
}

/// Those that do not answer, while others do.
fn silent<'a>(view: &View<'a>) -> Vec<&'a str> {
    let servers = view.redis().map_or(&[][..], |redis| &redis.servers);
    if !servers.iter().any(|server| server.is_reached) {
        return Vec::new();
    }
    let silent = servers.iter().filter(|server| !server.is_reached);
    silent.map(|server| server.name.as_str()).collect()
}

fn loading(view: &View<'_>) -> Option<Reading> {
    if view.read(Field::Loading)? == 0.0 {
        return Some(Is(0.0));
    }
    let left = view.read(Field::LoadingEta).unwrap_or(1.0);
    Some(Is(left.max(1.0)))
}

fn restarts(view: &View<'_>) -> Option<Reading> {
    let server = view.server?;
    let restarts = view.ring.restarts(&server.name, LONG)?;
    // Only by one of these another process would show.
    if restarts == 0 && server.run_id.is_none() {
        view.read(Field::Uptime)?;
    }
    view.note("restarts", restarts);
    Some(Is(exact(restarts as u64)))
}

/// What is missing on a way that anybody may be on.
fn exposed(view: &View<'_>) -> Option<Reading> {
    let is_public = view.read(Field::IsPublic)?;
    let (encrypted, login) = (view.read(Field::IsEncrypted)?, view.read(Field::HasLogin)?);
    Some(Is(if is_public > 0.0 {
        (2.0 - encrypted - login).max(0.0)
    } else {
        0.0
    }))
}

/// The first two numbers of the version as one.
fn version(view: &View<'_>) -> Option<Reading> {
    let version = view.server?.version.as_deref()?;
    view.note("redis_version", version);
    let mut parts = version.split('.').map(|part| part.parse::<f64>().ok());
    let (major, minor) = (parts.next()??, parts.next().flatten().unwrap_or(0.0));
    Some(Is(major + minor.min(9.0) / 10.0))
}
