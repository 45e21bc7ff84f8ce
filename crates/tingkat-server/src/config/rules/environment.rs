//! What staging and production ask for. Each rule has a name, by which an operator may waive it.

use std::net::IpAddr;

use secrecy::ExposeSecret as _;
use tingkat_http::{Scope, Tokens};
use tingkat_sql::Url;

use crate::config::origin::Origin;
use crate::config::problem::Problem;
use crate::config::redis;
use crate::config::settings::{Environment, Settings};
use crate::config::tls::{self, Term};

const EMBEDDED: &str = "embedded-database";
const PLAIN_DATABASE: &str = "database-without-tls";
const NO_REDIS: &str = "redis-unset";
pub(crate) const PLAIN_REDIS: &str = "redis-without-tls";
const OPEN_REDIS: &str = "redis-without-password";
const NO_PREFIX: &str = "key-prefix-unset";
const NO_TOKEN: &str = "tokens-unset";
pub(crate) const OUT_OF_DATE: &str = "certificate-out-of-date";

/// The names of all rules.
pub(crate) const WAIVERS: &[&str] = &[
    EMBEDDED,
    PLAIN_DATABASE,
    NO_REDIS,
    PLAIN_REDIS,
    OPEN_REDIS,
    NO_PREFIX,
    NO_TOKEN,
    OUT_OF_DATE,
];

/// Tells which rules are broken and not waived. `term` is that of the service's certificate.
pub(super) fn check(settings: &Settings, term: Option<&Term>, problems: &mut Vec<Problem>) {
    let waived = settings.list("allow");
    let broken = broken(settings, term, problems);
    let told = broken.into_iter().filter(|problem| {
        let is_waived = |rule| waived.iter().any(|it| it == rule);
        !problem.rule.is_some_and(is_waived)
    });
    let told: Vec<Problem> = told.collect();
    problems.extend(told);
}

/// The rules that are broken and waived.
pub(crate) fn waived(settings: &Settings, term: Option<&Term>) -> Vec<&'static str> {
    let allowed = settings.list("allow");
    let broken = broken(settings, term, &[]);
    let rules = broken.iter().filter_map(|problem| problem.rule);
    rules
        .filter(|rule| allowed.iter().any(|it| it == rule))
        .collect()
}

/// All that are broken; what is malformed is told already.
fn broken(settings: &Settings, term: Option<&Term>, told: &[Problem]) -> Vec<Problem> {
    match settings.environment {
        Environment::Development | Environment::Unknown => return Vec::new(),
        Environment::Staging | Environment::Production => {}
    }
    let is_told = |path: &str| told.iter().any(|problem| problem.about == path);
    let mut broken = Vec::new();
    if !is_told("source.url") {
        broken.extend(database(settings));
    }
    if !is_told("redis.url") && !is_told("redis.host") {
        let found = cache(settings).into_iter();
        // A password that could not be read is there all the same.
        let is_answered = |problem: &Problem| {
            is_told(&problem.about)
                || (problem.rule == Some(OPEN_REDIS) && is_told("redis.password"))
        };
        broken.extend(found.filter(|problem| !is_answered(problem)));
    }
    if !is_told("server.tokens") {
        broken.extend(tokens(settings));
    }
    if let Some(why) = term.and_then(Term::refused) {
        broken.push(out_of_date(settings, &why));
    }
    broken
}

/// Writes may go past the service, but a cache that nobody may operate can not be told to forget what
/// is wrong.
fn tokens(settings: &Settings) -> Option<Problem> {
    const HELP: &str = "set TINGKAT__SERVER__TOKENS to operate:<SHA-256>, and write:<SHA-256> after a comma for who writes products; `printf %s \"$TOKEN\" | sha256sum` prints it";
    let path = "server.tokens";
    let Some(tokens) = settings.secret(path) else {
        let why = "nobody could operate it, which is to forget and to warm";
        return Some(missing(settings, path, why, HELP, NO_TOKEN));
    };
    // What is malformed is told already.
    let tokens: Tokens = tokens.expose_secret().parse().ok()?;
    (!tokens.has(Scope::Operate)).then(|| {
        let environment = settings.environment.name();
        let (origin, name) = origin(settings, path);
        let message = format!(
            "{name}: expected a token for `operate` in {environment}: with these nobody could forget or warm"
        );
        Problem::new(path, origin, message)
            .helped(Some(HELP.to_owned()))
            .waivable(NO_TOKEN)
    })
}

fn out_of_date(settings: &Settings, why: &str) -> Problem {
    let (origin, name) = origin(settings, tls::CERTIFICATE);
    let help =
        "put one there that is valid now, and its key; or set the clock of this machine right";
    Problem::new(tls::CERTIFICATE, origin, format!("{name}: {why}"))
        .helped(Some(help.to_owned()))
        .waivable(OUT_OF_DATE)
}

/// Where a key was set, and what it is called there.
fn origin(settings: &Settings, path: &str) -> (Option<Origin>, String) {
    let origin = settings.get(path).map(|setting| setting.origin.clone());
    let name = origin.as_ref().map(|it| it.called(path));
    let name = name.unwrap_or_else(|| path.to_owned());
    (origin, name)
}

fn missing(settings: &Settings, path: &str, why: &str, help: &str, rule: &'static str) -> Problem {
    let environment = settings.environment.name();
    let message = format!("{path}: must be set in {environment}: {why}");
    Problem::new(path, None, message)
        .helped(Some(help.to_owned()))
        .waivable(rule)
}

fn wrong(settings: &Settings, path: &str, why: &str, help: &str, rule: &'static str) -> Problem {
    let environment = settings.environment.name();
    let (origin, name) = origin(settings, path);
    let message = format!("{name}: {why}, which {environment} must not");
    Problem::new(path, origin, message)
        .helped(Some(help.to_owned()))
        .waivable(rule)
}

fn database(settings: &Settings) -> Option<Problem> {
    let Some(url) = settings.secret("source.url") else {
        let why = "the embedded demo store is nobody's store";
        let help = "set DATABASE_URL to postgres://user:password@host/database?sslmode=verify-full";
        return Some(missing(settings, "source.url", why, help, EMBEDDED));
    };
    let url: Url = url.expose_secret().parse().ok()?;
    if url.path().is_some() {
        let help = "set DATABASE_URL to postgres://user:password@host/database?sslmode=verify-full";
        return Some(wrong(
            settings,
            "source.url",
            "is an embedded database",
            help,
            EMBEDDED,
        ));
    }
    let is_exposed = url.is_remote() && !url.is_verified();
    let is_production = settings.environment == Environment::Production;
    (is_exposed && is_production).then(|| {
        let why = "reaches another machine without proof that it is the right one";
        let help =
            "add sslmode=verify-full to the URL, and sslrootcert=… for an authority of your own";
        wrong(settings, "source.url", why, help, PLAIN_DATABASE)
    })
}

fn cache(settings: &Settings) -> Vec<Problem> {
    let mut broken = Vec::new();
    let is_set = ["redis.url", "redis.host"]
        .iter()
        .any(|path| settings.chosen(path).is_some());
    if !is_set {
        let why = "the one on localhost is for development";
        let help = "set REDIS_URL to rediss://user:password@host:6379, or to off";
        broken.push(missing(settings, "redis.url", why, help, NO_REDIS));
    }
    if redis::is_off(settings) {
        return broken;
    }
    if settings.text("redis.key_prefix").is_none() {
        let why = "services that share a Redis must not see each other's keys";
        let help = "set REDIS_KEY_PREFIX, such as shop:prod:";
        broken.push(missing(settings, "redis.key_prefix", why, help, NO_PREFIX));
    }
    if settings.environment != Environment::Production {
        return broken;
    }
    let Some((address, path)) = redis::address(settings) else {
        return broken;
    };
    // Sentinels name the servers, so that the URL's own host says nothing about where those are.
    let sentinels = redis::sentinels(settings).filter(|it| !is_local(&it.to_string()));
    if let Some(sentinels) = &sentinels
        && address.is_encrypted()
        && !sentinels.is_encrypted()
    {
        let why = "has Sentinels on another machine asked without TLS";
        let help = "leave it out, and they are asked as the URL says";
        let told = wrong(settings, "redis.sentinel.tls", why, help, PLAIN_REDIS);
        broken.push(told);
    }
    // What stands alone on this machine needs neither; what names others is not known to.
    let is_here = is_local(&address.to_string());
    if is_here && !redis::names_others(settings) {
        return broken;
    }
    let reaches = if is_here && sentinels.is_none() {
        "reaches whatever servers are named there"
    } else {
        "reaches another machine"
    };
    if !address.is_encrypted() {
        let (why, help) = (
            format!("{reaches} without TLS"),
            "begin the URL with rediss://",
        );
        broken.push(wrong(settings, path, &why, help, PLAIN_REDIS));
    }
    if !address.has_credentials() {
        let why = &format!("{reaches} without a password");
        let help = "write it into the URL, or set REDIS_PASSWORD";
        broken.push(wrong(settings, path, why, help, OPEN_REDIS));
    }
    broken
}

/// Whether all of these hosts, each with a port, are this machine.
fn is_local(hosts: &str) -> bool {
    hosts.split(',').all(|host| {
        if host.starts_with('/') {
            return true;
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
    })
}
