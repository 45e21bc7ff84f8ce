//! Reads INFO, and what else servers write in its form: lines of a name, a colon and a value.
//!
//! Whatever is not there stays missing, and whatever is not understood is passed over: managed
//! services leave lines out, and each release adds some.

use tingkat_health::field::Kind;
use tingkat_health::server::MOST_COMMANDS;
use tingkat_health::{Command, Field, Server};

/// Errors that are how servers and clients talk to each other, and no trouble.
const USUAL_ERRORS: [&str; 6] = [
    "NOSCRIPT",
    "MOVED",
    "ASK",
    "TRYAGAIN",
    "LOADING",
    "NOMASTERLINK",
];

/// The commands of a cache, whose slowest calls are told.
const OURS: [&str; 5] = ["get", "mget", "set", "evalsha", "unlink"];

/// Takes in all lines of a text.
pub(crate) fn read(text: &str, server: &mut Server) {
    let mut least_offset: Option<f64> = None;
    let mut commands: Option<Vec<Command>> = None;
    for line in text.lines() {
        let line = line.trim_end();
        if let Some(section) = line.strip_prefix("# ") {
            begin(section, server, &mut commands);
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if let Some(command) = name.strip_prefix("cmdstat_") {
            count_command(command, value, server, &mut commands);
        } else if let Some(code) = name.strip_prefix("errorstat_") {
            count_error(code, value, server);
        } else if let Some(command) = name.strip_prefix("latency_percentiles_usec_") {
            count_slow(command, value, server);
        } else if is_numbered(name, "db") {
            count_keys(value, server);
        } else if is_numbered(name, "slave") {
            let offset = part(value, "offset").filter(|_| value.contains("state=online"));
            let least = least_offset.into_iter().chain(offset).reduce(f64::min);
            least_offset = least;
        } else if let Some(field) = Field::named(name) {
            if let Some(number) = number(field, value) {
                server.set(field, number);
            }
        } else {
            read_word(name, value, server);
        }
    }
    if let (Some(offset), Some(least)) = (server.number(Field::Offset), least_offset) {
        server.set(Field::ReplicaLag, (offset - least).max(0.0));
    }
    if let Some(mut commands) = commands {
        commands.sort_by(|one, two| two.calls.total_cmp(&one.calls));
        commands.truncate(MOST_COMMANDS);
        server.commands = Some(commands);
    }
}

/// A section that is there and empty says that there is none of what it lists.
fn begin(section: &str, server: &mut Server, commands: &mut Option<Vec<Command>>) {
    let none: &[Field] = match section {
        "Keyspace" => &[Field::Keys, Field::Expires, Field::Databases],
        "Errorstats" => &[
            Field::RefusedOom,
            Field::RefusedMisconf,
            Field::RefusedReadOnly,
            Field::Denied,
            Field::OtherErrors,
        ],
        "Commandstats" => {
            *commands = Some(Vec::new());
            &[Field::KeysCalls, Field::FlushCalls]
        }
        "Latencystats" => &[Field::CommandP99],
        _ => &[],
    };
    for &field in none {
        server.set(field, 0.0);
    }
}

fn number(field: Field, value: &str) -> Option<f64> {
    if let Kind::Words(well, _) = field.kind() {
        return Some(if value == well { 0.0 } else { 1.0 });
    }
    let value = value.strip_suffix('%').unwrap_or(value);
    value.parse().ok()
}

/// Whether a name is this word and a number.
fn is_numbered(name: &str, word: &str) -> bool {
    let rest = name.strip_prefix(word);
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A part of `calls=3,usec=14`.
fn part(value: &str, name: &str) -> Option<f64> {
    let mut parts = value.split(',').filter_map(|part| part.split_once('='));
    parts.find(|(known, _)| *known == name)?.1.parse().ok()
}

fn count_command(
    name: &str,
    value: &str,
    server: &mut Server,
    commands: &mut Option<Vec<Command>>,
) {
    let (Some(calls), Some(micros)) = (part(value, "calls"), part(value, "usec")) else {
        return;
    };
    match name {
        "keys" => server.add(Field::KeysCalls, calls),
        "flushall" | "flushdb" => server.add(Field::FlushCalls, calls),
        _ => {}
    }
    commands.get_or_insert_default().push(Command {
        name: name.to_owned(),
        calls,
        micros,
    });
}

fn count_error(code: &str, value: &str, server: &mut Server) {
    let Some(count) = part(value, "count") else {
        return;
    };
    let field = match code {
        "OOM" => Field::RefusedOom,
        "MISCONF" => Field::RefusedMisconf,
        "READONLY" => Field::RefusedReadOnly,
        "NOPERM" | "NOAUTH" | "WRONGPASS" => Field::Denied,
        code if USUAL_ERRORS.contains(&code) => return,
        _ => Field::OtherErrors,
    };
    server.add(field, count);
}

fn count_slow(command: &str, value: &str, server: &mut Server) {
    let Some(p99) = part(value, "p99").filter(|_| OURS.contains(&command)) else {
        return;
    };
    let slowest = server.number(Field::CommandP99).unwrap_or(0.0);
    server.set(Field::CommandP99, slowest.max(p99));
}

fn count_keys(value: &str, server: &mut Server) {
    let (Some(keys), Some(expires)) = (part(value, "keys"), part(value, "expires")) else {
        return;
    };
    server.add(Field::Keys, keys);
    server.add(Field::Expires, expires);
    server.add(Field::Databases, 1.0);
}

fn read_word(name: &str, value: &str, server: &mut Server) {
    let word = || Some(value.to_owned());
    match name {
        "run_id" => server.run_id = word(),
        "role" => server.role = word(),
        "maxmemory_policy" => server.policy = word(),
        "redis_version" => server.version = word(),
        "cluster_enabled" => server.is_clustered = Some(value == "1"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        let mut server = Server::unknown("one");
        read(text, &mut server);
        server
    }

    #[test]
    fn lines_of_many_kinds_are_summed_up() {
        let text = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Memory\r\n\
            used_memory:1048576\r\nused_memory_peak_perc:98.50%\r\nmaxmemory_policy:noeviction\r\n\
            # Persistence\r\nrdb_last_bgsave_status:err\r\n\
            # Replication\r\nrole:master\r\nmaster_repl_offset:1000\r\n\
            slave0:ip=10.0.0.2,port=1,state=online,offset=900,lag=0\r\n\
            slave1:ip=10.0.0.3,port=1,state=online,offset=400,lag=1\r\n\
            slave2:ip=10.0.0.4,port=1,state=wait_bgsave,offset=0,lag=0\r\n\
            # Commandstats\r\ncmdstat_get:calls=7,usec=70,usec_per_call=10.00,rejected_calls=0\r\n\
            cmdstat_flushall:calls=1,usec=5\r\ncmdstat_flushdb:calls=2,usec=5\r\n\
            # Errorstats\r\nerrorstat_OOM:count=3\r\nerrorstat_ERR:count=2\r\n\
            errorstat_NOSCRIPT:count=9\r\nerrorstat_NOPERM:count=4\r\nerrorstat_NOAUTH:count=1\r\n\
            # Latencystats\r\nlatency_percentiles_usec_get:p50=1.003,p99=5.023,p99.9=9.0\r\n\
            latency_percentiles_usec_config|get:p50=1,p99=999,p99.9=9\r\n\
            # Cluster\r\ncluster_enabled:0\r\n\
            # Keyspace\r\ndb0:keys=10,expires=4,avg_ttl=0\r\ndb3:keys=2,expires=2,avg_ttl=0\r\n";
        let server = server(text);
        for (field, expected) in [
            (Field::UsedMemory, 1_048_576.0),
            (Field::UsedMemoryPeakPercent, 98.5),
            (Field::SaveFailed, 1.0),
            (Field::ReplicaLag, 600.0),
            (Field::FlushCalls, 3.0),
            (Field::KeysCalls, 0.0),
            (Field::RefusedOom, 3.0),
            (Field::RefusedMisconf, 0.0),
            (Field::OtherErrors, 2.0),
            (Field::Denied, 5.0),
            (Field::CommandP99, 5.023),
            (Field::Keys, 12.0),
            (Field::Expires, 6.0),
            (Field::Databases, 2.0),
        ] {
            assert_eq!(server.number(field), Some(expected), "{}", field.name());
        }
        assert_eq!(server.policy.as_deref(), Some("noeviction"));
        assert_eq!(server.is_clustered, Some(false));
        let names: Vec<&str> = server
            .commands
            .as_ref()
            .unwrap()
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        assert_eq!(names, ["get", "flushdb", "flushall"]);
    }

    #[test]
    fn what_is_not_told_is_missing() {
        let silent = server("redis_version:6.2.1\r\nused_memory:lots\r\n");
        assert_eq!(silent.version.as_deref(), Some("6.2.1"));
        let known = Field::ALL
            .iter()
            .filter(|field| silent.number(**field).is_some());
        assert_eq!(known.count(), 0);
        assert_eq!(silent.commands, None);
    }

    #[test]
    fn rubbish_is_passed_over() {
        for text in [
            "",
            ":",
            "# ",
            "db0:",
            "db:keys=1,expires=1",
            "cmdstat_:calls=,usec=",
            "slave0:offset=x\nmaster_repl_offset:1",
            "a:b:c:d\n\u{0}",
            "errorstat_:count=-",
        ] {
            let read = server(text);
            assert_eq!(read.number(Field::Keys), None, "{text:?}");
        }
    }

    #[test]
    fn of_very_many_commands_those_that_run_most_are_kept() {
        let mut text = String::from("# Commandstats\n");
        for n in 0..500 {
            use std::fmt::Write as _;
            writeln!(text, "cmdstat_c{n}:calls={n},usec=1").unwrap();
        }
        let commands = server(&text).commands.unwrap();
        assert_eq!(
            (commands.len(), commands[0].name.as_str()),
            (MOST_COMMANDS, "c499")
        );
    }
}
