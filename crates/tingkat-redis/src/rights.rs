//! Whether the user may do what the tier does, tried once per connection on a key of the tier's
//! own; and the line for the operator that grants what is missing.
//!
//! Asking `ACL` itself would need more rights than the tier does. Each command here changes nothing
//! that anybody reads, and a server checks rights before it looks at slots, memory or roles.

use redis::{Cmd, Value};

use crate::config::Config;
use crate::hello::Kind;

/// No script has it.
const NO_SCRIPT: &str = "0000000000000000000000000000000000000000";

/// The commands that are tried, in the order of [`questions`].
const TRIED: [&str; 11] = [
    "get", "mget", "set", "getrange", "pttl", "pexpire", "unlink", "eval", "evalsha", "publish",
    "asking",
];

/// What the user lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Nothing.
    Whole,
    /// Something without which the rest is still of use.
    Lacking(String),
    /// The right to read.
    Useless(String),
}

/// What to send; the answers go to [`judge`].
pub(crate) fn questions(config: &Config) -> Vec<Cmd> {
    let key = config.scratch_key();
    let ask = |words: &[&str]| {
        let mut command = Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command
    };
    vec![
        ask(&["GET", &key]),
        ask(&["MGET", &key]),
        // No life is that short: refused, after the rights.
        ask(&["SET", &key, "", "PX", "0"]),
        ask(&["GETRANGE", &key, "0", "0"]),
        ask(&["PTTL", &key]),
        ask(&["PEXPIRE", &key, "1"]),
        ask(&["UNLINK", &key]),
        ask(&["EVAL", "return 0", "1", &key]),
        ask(&["EVALSHA", NO_SCRIPT, "1", &key]),
        // An empty message is no hint; listeners know that it is sent for this.
        ask(&["PUBLISH", &config.hint_channel, ""]),
        // Needed in a cluster alone, so its answer counts only there.
        ask(&["ASKING"]),
    ]
}

/// How a server refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Command,
    Key,
    Channel,
    Unknown,
}

impl Refusal {
    fn of(answer: &Value) -> Option<Self> {
        let Value::ServerError(error) = answer else {
            return None;
        };
        let text = error.details().unwrap_or_default();
        if error.code() == "NOPERM" {
            // Redis 6 and 7 and Valkey word it differently; these words they share.
            return Some(if text.contains("a key") || text.contains("the keys") {
                Self::Key
            } else if text.contains("channel") {
                Self::Channel
            } else {
                Self::Command
            });
        }
        text.contains("unknown command").then_some(Self::Unknown)
    }
}

/// What the answers to [`questions`] say of a server of this kind.
pub(crate) fn judge(answers: &[Value], kind: Kind, config: &Config) -> Rights {
    let refusals: Vec<(&str, Refusal)> = TRIED
        .iter()
        .zip(answers)
        .filter(|(name, _)| **name != "asking" || kind == Kind::ClusterNode)
        .filter_map(|(name, answer)| Some((*name, Refusal::of(answer)?)))
        .collect();
    let of = |kind: Refusal| {
        let of_kind = refusals.iter().filter(move |(_, refusal)| *refusal == kind);
        of_kind.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let (commands, keys, channels) = (of(Refusal::Command), of(Refusal::Key), of(Refusal::Channel));
    let mut lacks = Vec::new();
    let mut grants: Vec<String> = commands.iter().map(|name| format!("+{name}")).collect();
    if !commands.is_empty() {
        lacks.push(format!(
            "the commands {}",
            commands.join(", ").to_uppercase()
        ));
    }
    if !keys.is_empty() {
        lacks.push(format!("the keys {}*", config.prefix));
        grants.push(format!("~{}*", config.prefix));
    }
    if !channels.is_empty() {
        lacks.push(format!("the channel {}", config.hint_channel));
        grants.push(format!("&{}", config.hint_channel));
    }
    let mut lines = Vec::new();
    if !lacks.is_empty() {
        lines.push(lacking(&lacks, &grants, config));
    }
    let unknown = of(Refusal::Unknown);
    if !unknown.is_empty() {
        let names = unknown.join(", ").to_uppercase();
        lines.push(format!("the server does not know the commands {names}"));
    }
    let line = lines.join("; ");
    if line.is_empty() {
        Rights::Whole
    } else if refusals.iter().any(|(name, _)| *name == "get") {
        Rights::Useless(line)
    } else {
        Rights::Lacking(line)
    }
}

/// One line that names what is missing and grants it.
pub(crate) fn lacking(lacks: &[String], grants: &[String], config: &Config) -> String {
    let user = config.address.username();
    format!(
        "the user lacks {}; this grants it: ACL SETUSER {user} {}",
        lacks.join(" and "),
        grants.join(" ")
    )
}

/// The same for the right to listen, which only listening shows.
pub(crate) fn lacking_to_listen(config: &Config) -> String {
    let channel = &config.hint_channel;
    lacking(
        &[format!("the right to listen to {channel}")],
        &["+subscribe".to_owned(), format!("&{channel}")],
        config,
    )
}

/// The same for asking a cluster where its slots are.
pub(crate) fn lacking_slots(config: &Config) -> String {
    lacking(
        &["the command CLUSTER SLOTS".to_owned()],
        &["+cluster|slots".to_owned(), "+cluster|info".to_owned()],
        config,
    )
}
