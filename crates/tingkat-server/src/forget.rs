//! `tingkat forget`: keys, a pattern, tags, or all; on every node.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use serde_json::{Value, json};

use crate::cli::Forget;
use crate::exit::{Code, Failure};
use crate::output::tell;
use crate::running_node::RunningNode;

/// Asks the service to forget.
pub(crate) async fn run(arguments: &Forget, service: RunningNode) -> Result<(), Failure> {
    let (body, what) = wanted(arguments)?;
    if arguments.all && !arguments.yes {
        confirm(&what)?;
    }
    let answer = service.post("/v1/forget", &body).await?;
    tell(
        &arguments.report,
        &[format!("Forgotten on every node: {what}.")],
        &answer,
    );
    Ok(())
}

/// The body of the request, and what it is about.
fn wanted(arguments: &Forget) -> Result<(Value, String), Failure> {
    let Forget {
        entity,
        keys,
        pattern,
        tags,
        all,
        ..
    } = arguments;
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    Ok(match (entity, pattern) {
        (None, _) if *all => (json!({ "all": true }), "everything".to_owned()),
        (None, _) => (
            json!({ "tags": tags }),
            format!("all that shows {}", tags.join(", ")),
        ),
        (Some(entity), _) if *all => (
            json!({ "entity": entity, "all": true }),
            format!("all of {entity}"),
        ),
        (Some(entity), Some(pattern)) => (
            json!({ "entity": entity, "pattern": pattern }),
            format!("keys of {entity} like {pattern}"),
        ),
        (Some(entity), None) if !keys.is_empty() => (
            json!({ "entity": entity, "keys": keys }),
            format!("{} of {entity}", count(keys.len(), "key")),
        ),
        (Some(entity), None) => {
            let line = format!("which keys of {entity}? name them, or use --pattern or --all");
            return Err(Failure::new(Code::Usage, line));
        }
    })
}

/// A slip must not empty the caches of a shop.
#[expect(clippy::print_stderr, reason = "a question to whoever sits there")]
fn confirm(what: &str) -> Result<(), Failure> {
    let refused = |line: &str| Err(Failure::new(Code::Usage, line));
    if !std::io::stdin().is_terminal() {
        return refused("nobody is here to be asked; --yes forgets all without a question");
    }
    eprint!("Forget {what} on every node? The database answers until it is cached again. [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        refused("nothing was forgotten")
    }
}
