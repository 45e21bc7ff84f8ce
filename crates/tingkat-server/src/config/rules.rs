//! What must hold between values, and what must hold where a service is in earnest.

mod environment;

use tingkat::privacy::OnPrivate;

use super::keys::{ENTITIES, Own};
use super::kind::{size_text, time_text};
use super::listeners;
use super::origin::Origin;
use super::privacy;
use super::problem::Problem;
use super::settings::Settings;
use super::tls::Term;

pub(crate) use environment::{OUT_OF_DATE, PLAIN_REDIS, WAIVERS, waived};

/// Checks all of them, with the memory that the process may use and the term of its certificate.
pub(crate) fn check(
    settings: &Settings,
    memory: Option<u64>,
    term: Option<&Term>,
    problems: &mut Vec<Problem>,
) {
    let mut rules = Rules { settings, problems };
    rules.feed();
    rules.deadlines();
    rules.sizes(memory);
    rules.listeners();
    rules.server();
    rules.breaker();
    rules.source();
    rules.own();
    rules.placement();
    rules.privacy();
    environment::check(settings, term, problems);
}

struct Rules<'a> {
    settings: &'a Settings,
    problems: &'a mut Vec<Problem>,
}

impl Rules<'_> {
    /// Tells it of the one of these keys that was set last: it is the one to change. What is wrong comes
    /// first, what helps second.
    fn tell(&mut self, paths: &[&str], told: impl FnOnce(&Origin, &str) -> (String, String)) {
        let latest = paths
            .iter()
            .filter_map(|path| Some((*path, &self.settings.get(path)?.origin)))
            // Of equals the first.
            .rev()
            .max_by_key(|(_, origin)| origin.rank());
        if let Some((path, origin)) = latest {
            let (text, help) = told(origin, path);
            let told = Problem::new(path, Some(origin.clone()), text);
            self.problems.push(told.helped(Some(help)));
        }
    }

    /// One time must be longer than another, by a factor.
    fn longer(&mut self, long: &str, times: u32, short: &str, why: &str) {
        let (one, two) = (self.settings.time(long), self.settings.time(short));
        if one > two * times {
            return;
        }
        let by = match times {
            1 => "longer than".to_owned(),
            2 => "more than twice".to_owned(),
            times => format!("more than {times} times"),
        };
        let (one, two) = (time_text(one), time_text(two));
        self.tell(&[long, short], |origin, _| {
            let (long, short) = (origin.name_of(long), origin.name_of(short));
            (
                format!("{long}: expected {by} {short} ({two}), found {one}{why}"),
                format!("set {long} higher, or {short} lower"),
            )
        });
    }

    fn feed(&mut self) {
        // Between two polls that come back well there must be room for one that does not.
        self.longer("feed.staleness_bound", 2, "feed.poll_interval", "");
        self.longer(
            "source.changes_kept_for",
            1,
            "feed.staleness_bound",
            ": a node would miss changes",
        );
    }

    fn deadlines(&mut self) {
        for entity in self.settings.entities() {
            let soft = format!("entity.{}.soft_deadline", entity.section);
            let hard = format!("entity.{}.hard_deadline", entity.section);
            self.longer(&hard, 1, &soft, "");
        }
        if let Some(longest) = self.longest_load() {
            let why = ": a product by its SKU may need two loads";
            self.longer("server.request_timeout", 2, &longest, why);
        }
        self.longer(
            "server.request_timeout",
            1,
            "redis.budget",
            ": nothing would be left for the database",
        );
    }

    fn sizes(&mut self, memory: Option<u64>) {
        let mut total = 0_u64;
        let mut paths = Vec::new();
        for entity in self.settings.entities() {
            let tier = format!("entity.{}.memory_bytes", entity.section);
            let value = format!("entity.{}.max_value_bytes", entity.section);
            let (room, most) = (self.settings.number(&tier), self.settings.number(&value));
            if most > room {
                self.tell(&[&tier, &value], |origin, _| {
                    let (tier, value) = (origin.name_of(&tier), origin.name_of(&value));
                    let (room, most) = (size_text(room), size_text(most));
                    (
                        format!("{value}: expected at most {tier} ({room}), found {most}"),
                        format!("set {tier} higher, or {value} lower"),
                    )
                });
            }
            total = total.saturating_add(room);
            paths.push(tier);
        }
        let Some(memory) = memory.filter(|memory| total > *memory) else {
            return;
        };
        let largest = paths.iter().max_by_key(|path| self.settings.number(path));
        let largest: Vec<&str> = largest.map(String::as_str).into_iter().collect();
        let (total, memory) = (size_text(total), size_text(memory));
        self.tell(&largest, |origin, path| {
            let name = origin.name_of(path);
            (
                format!(
                    "{name}: the memory tiers take {total} together, and this process may use {memory}"
                ),
                "set it and the memory_bytes of other entities lower, or give the process more memory"
                    .to_owned(),
            )
        });
    }

    /// Two listeners can not have one address.
    fn listeners(&mut self) {
        let (listen, number) = ("server.listen", "server.port");
        let rank = |path: &str| self.settings.chosen(path).map(Origin::rank);
        // A platform sets PORT whatever the operator says.
        let is_of_platform = |origin: &Origin| origin.called(number) == "PORT";
        let is_meant = self
            .settings
            .chosen(number)
            .is_some_and(|it| !is_of_platform(it));
        if is_meant && rank(number) == rank(listen) {
            self.tell(&[number], |origin, _| {
                let (name, listen) = (origin.called(number), origin.name_of(listen));
                (
                    format!("{name}: {listen} is set as well, and has a port"),
                    format!("take {name} or {listen} out"),
                )
            });
        }
        let main = listeners::main(self.settings);
        let port = self.settings.chosen("server.port").map(|_| "server.port");
        let mut open = vec![(port.unwrap_or("server.listen"), main)];
        for key in listeners::ASIDE {
            let Some(address) = listeners::aside(self.settings, key) else {
                continue;
            };
            let taken = open.iter().find(|(_, it)| listeners::collide(*it, address));
            if let Some((other, taken)) = taken.copied() {
                self.tell(&[key, other], |origin, _| {
                    let (name, other) = (origin.called(key), origin.called(other));
                    (
                        format!("{name}: {address} is taken by {other} ({taken})"),
                        format!("give one of them another port, or set {key} to off"),
                    )
                });
            }
            open.push((key, address));
        }
    }

    /// The path is a part of its request's head, and nobody waits for what is switched off.
    fn server(&mut self) {
        let (head, uri) = ("server.head_bytes", "server.uri_bytes");
        let (most, part) = (self.settings.number(head), self.settings.number(uri));
        if part >= most {
            self.tell(&[uri, head], |origin, _| {
                let (uri, head) = (origin.name_of(uri), origin.name_of(head));
                let (most, part) = (size_text(most), size_text(part));
                (
                    format!("{uri}: expected less than {head} ({most}), found {part}"),
                    format!("set {head} higher, or {uri} lower"),
                )
            });
        }
        let (places, connections) = ("server.max_in_flight", "server.connections");
        let (few, many) = (
            self.settings.number(places),
            self.settings.number(connections),
        );
        if few >= many {
            self.tell(&[places, connections], |origin, _| {
                let (places, connections) = (origin.name_of(places), origin.name_of(connections));
                (
                    format!("{places}: expected less than {connections} ({many}), found {few}"),
                    format!("set {connections} higher, or {places} lower"),
                )
            });
        }
        // Left out, it is as long as the request leaves it.
        let (body, request) = ("server.body_timeout", "server.request_timeout");
        let (part, most) = (self.settings.time(body), self.settings.time(request) / 2);
        if part > most && self.settings.chosen(body).is_some() {
            self.tell(&[body, request], |origin, _| {
                let (body, request) = (origin.name_of(body), origin.name_of(request));
                let (part, most) = (time_text(part), time_text(most));
                (
                    format!("{body}: expected at most half of {request} ({most}), found {part}"),
                    format!("set {request} higher, or {body} lower"),
                )
            });
        }
        let required = self.settings.list("readiness.require");
        if super::redis::is_off(self.settings) && required.iter().any(|it| it == "redis") {
            self.tell(&["readiness.require"], |origin, path| {
                let name = origin.called(path);
                (
                    format!("{name}: Redis is off, so the node would never be ready"),
                    "take redis out of the list, or set redis.url".to_owned(),
                )
            });
        }
    }

    fn breaker(&mut self) {
        let (first, most) = ("redis.breaker.open_for", "redis.breaker.open_for_most");
        if self.settings.time(first) > self.settings.time(most) {
            self.longer(most, 1, first, "");
        }
    }

    /// A statement that is given up before the load that wants it would fail what could succeed.
    fn source(&mut self) {
        if let Some(longest) = self.longest_load() {
            self.longer("source.statement_timeout", 1, &longest, "");
        }
    }

    /// An entity that the operator adds may not take the connections of the others.
    fn own(&mut self) {
        let most = self.settings.number("source.max_connections");
        let paths = |own: &Own| format!("entity.{}.max_loads", own.known.section);
        let Some(last) = self.settings.own().last().map(|own| paths(own)) else {
            return;
        };
        let loads = self
            .settings
            .entities()
            .map(|entity| format!("entity.{}.max_loads", entity.section))
            .map(|path| self.settings.number(&path));
        let total: u64 = loads.sum();
        if total > most {
            self.tell(&["source.max_connections", &last], |origin, _| {
                let name = origin.name_of("source.max_connections");
                (
                    format!(
                        "{name}: expected at least {total}, the max_loads of all entities together; found {most}"
                    ),
                    format!("set {name} higher, or a max_loads lower"),
                )
            });
        }
    }

    /// The key of the longest hard deadline, the first of equals.
    fn longest_load(&self) -> Option<String> {
        let paths = self
            .settings
            .entities()
            .map(|entity| format!("entity.{}.hard_deadline", entity.section));
        paths.rev().max_by_key(|path| self.settings.time(path))
    }

    /// What would leak, and what could not be read any more.
    fn privacy(&mut self) {
        let names = privacy::names(self.settings);
        for entity in ENTITIES {
            let at = |name: &str| format!("entity.{}.{name}", entity.section);
            let (policy, placement) = (at("privacy"), at("placement"));
            let is_in_redis = matches!(self.settings.text(&placement), Some("both" | "redis"));
            let on_private = privacy::on_private(self.settings, entity.section);
            for field in (entity.private)(&names) {
                let (why, help) = match on_private {
                    OnPrivate::Refuse if is_in_redis => (
                        "which may not reach Redis",
                        format!(
                            "{policy} = \"strip\" takes it out, {placement} = \"memory\" keeps the entity out of Redis"
                        ),
                    ),
                    OnPrivate::Strip if field.is_required => (
                        "which it can not be read without, so it can not be stripped",
                        format!(
                            "{placement} = \"memory\" with {policy} = \"refuse\" keeps the entity out of Redis"
                        ),
                    ),
                    OnPrivate::Refuse | OnPrivate::Strip => continue,
                };
                let paths = [
                    policy.as_str(),
                    &placement,
                    "privacy.more_fields",
                    "privacy.fields",
                ];
                let (section, path) = (entity.section, &field.path);
                self.tell(&paths, |origin, set| {
                    let name = origin.called(set);
                    let message = format!("{name}: {section} has the field {path}, {why}");
                    (message, help)
                });
            }
        }
    }

    fn placement(&mut self) {
        let is_off = super::redis::is_off(self.settings);
        for entity in self.settings.entities() {
            let path = format!("entity.{}.placement", entity.section);
            if is_off && self.settings.text(&path) == Some("redis") {
                self.tell(&[&path], |origin, path| {
                    let name = origin.name_of(path);
                    (
                        format!("{name}: Redis is off, so nothing would be cached"),
                        format!("set {name} to memory, or redis.url to where Redis is"),
                    )
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_and_every_scenario_keep_all_rules() {
        use crate::config::settings::Flags;
        use crate::config::surroundings::{Files, Surroundings};
        for scenario in
            std::iter::once(None).chain(crate::config::presets::SCENARIOS.iter().map(Some))
        {
            let set = scenario.map(|name| ("--scenario", "scenario", (*name).to_owned()));
            let flags = Flags {
                set: set.into_iter().collect(),
                ..Flags::default()
            };
            let from = Surroundings {
                variables: std::collections::BTreeMap::new(),
                files: Files::default(),
                memory: Some(8 << 30),
            };
            let mut problems = Vec::new();
            let settings = Settings::read(&flags, &from, &mut problems);
            check(&settings, from.memory, None, &mut problems);
            assert!(problems.is_empty(), "{scenario:?}: {problems:?}");
            assert_eq!(settings.text("scenario"), scenario.copied());
        }
    }
}
