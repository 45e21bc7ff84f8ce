//! A bug ends a task, not the secrets that its message may have in it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::panic::PanicHookInfo;
use std::sync::{PoisonError, RwLock, TryLockError};

use crate::config::{Secrets, without_logins};

/// So many bytes of a message are told.
const MOST_TOLD: usize = 16 << 10;

/// Of so many configurations the secrets are known: that of the start, and those that were read last.
const MOST_KEPT: usize = 4;

/// What no message may tell.
static SECRETS: RwLock<Vec<Secrets>> = RwLock::new(Vec::new());

/// From now on panics are told by us.
pub(crate) fn tell() {
    std::panic::set_hook(Box::new(|panic| say(&told(panic))));
}

/// From now on no panic tells these.
pub(crate) fn keep(secrets: Secrets) {
    let mut kept = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    if kept.len() == MOST_KEPT {
        // The first two are those of the neighbours and of a developer, for as long as the process lives.
        kept.remove(2);
    }
    kept.push(secrets);
}

/// Where it happened, and its message without secrets.
fn told(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("an unknown place");
    let message = panic.payload_as_str().map_or("no message".into(), clean);
    let mut line = format!("a bug at {place}: {message}");
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        line = format!("{line}\n{trace}");
    }
    line
}

/// The message without what is known to be secret, and without the logins of URLs. Whoever panics may
/// be who is changing what is known, so that nobody is waited for.
fn clean(message: &str) -> Cow<'_, str> {
    let kept = match SECRETS.try_read() {
        Ok(kept) => kept,
        Err(TryLockError::Poisoned(kept)) => kept.into_inner(),
        Err(TryLockError::WouldBlock) => return "what it says may be secret".into(),
    };
    let text = Secrets::taken_out_of(&kept, message, MOST_TOLD);
    without_logins(&text).into_owned().into()
}

/// In the log, once there is one: whoever reads it as JSON can read this as well.
#[expect(clippy::print_stderr, reason = "there may be no log yet")]
fn say(line: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::error!("{line}");
    } else {
        eprintln!("tingkat: {line}");
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::config::tests::Case;

    fn panics_with(message: String) {
        assert!(
            std::thread::spawn(move || panic!("{message}"))
                .join()
                .is_err()
        );
    }

    /// Panics in a process of its own, as the hook belongs to all of it.
    #[test]
    #[ignore = "run by the test below"]
    fn a_process_with_bugs() {
        tell();
        let url = "postgres://shop:hunter2@db/shop?password=hunter2";
        panics_with(format!("failed to connect: {url:?}\n{url}"));

        let file =
            "[redis.sentinel]\nhosts = \"one\"\npassword = \"the \\\"watcher\\\" hunter5\"\n";
        let settings = Case::file(file)
            .and("DATABASE_URL", "postgres://shop:hunter%409@db/shop")
            .and("REDIS_PASSWORD", "hunter3")
            .and("TINGKAT__SERVER__TOKENS", TOKEN)
            .load()
            .settings;
        keep(Secrets::of(&settings).and(&"hunter4".into()));
        panics_with("the password hunter3 or hunter@9, a token hunter4".to_owned());
        panics_with(format!(
            "{:?}",
            settings
                .secret("redis.sentinel.password")
                .map(|it| { secrecy::ExposeSecret::expose_secret(it).to_owned() })
        ));
        panics_with(TOKEN.to_owned());
        panics_with(format!("{}hunter3", "x".repeat(MOST_TOLD - 3)));
        panics_with(format!("the end: {}", "x".repeat(1 << 24)));

        // Others take the place of those that were read before, but not of the first ones.
        for round in 10..30 {
            let read = Case::variable("REDIS_PASSWORD", &format!("hunter{round}"));
            keep(Secrets::of(&read.load().settings));
        }
        panics_with("still hunter3 and now hunter29".to_owned());

        let changing = SECRETS.write().unwrap();
        panics_with("hunter3 while they change".to_owned());
        drop(changing);
        panics_with("all is told: the end".to_owned());
    }

    const TOKEN: &str = "write:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    #[test]
    fn a_panic_says_where_it_was_and_nothing_secret() {
        let name = "panics::tests::a_process_with_bugs";
        let program = std::env::current_exe().unwrap();
        let arguments = ["--exact", name, "--ignored", "--nocapture"];
        let ended = Command::new(program).args(arguments).output().unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let bugs: Vec<&str> = said.matches("tingkat: a bug at ").collect();
        assert_eq!(bugs.len(), 9, "{said}");
        for words in [
            "panics.rs:",
            "***@db/shop",
            "the password *** or ***, a token ***\n",
            ": Some(\"***\")\n",
            ": write:***\n",
            "still *** and now ***\n",
            "what it says may be secret\n",
            "all is told: the end\n",
        ] {
            assert!(said.contains(words), "{words:?}: {said}");
        }
        assert!(
            !said.contains("hunter") && !said.contains("2c26b46b"),
            "{said}"
        );
        // Two of them were long, and each may have a trace.
        assert!(said.len() < 16 * MOST_TOLD, "{}", said.len());
    }
}
