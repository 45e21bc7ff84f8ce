//! A bug ends a task, not the secrets that its message may have in it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use crate::config::without_logins;

/// From now on panics are told by us.
pub(crate) fn tell() {
    std::panic::set_hook(Box::new(|panic| say(&told(panic))));
}

/// Where it happened, and its message without the logins of URLs.
fn told(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("an unknown place");
    let message = panic.payload_as_str().unwrap_or("no message");
    let mut line = format!("a bug at {place}: {}", without_logins(message));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        line = format!("{line}\n{trace}");
    }
    line
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

    /// Panics in a process of its own, as the hook belongs to all of it.
    #[test]
    #[ignore = "run by the test below"]
    fn a_process_with_a_bug() {
        super::tell();
        let url = "postgres://shop:hunter2@db/shop?password=hunter2";
        let ended = std::thread::spawn(move || panic!("failed to connect: {url:?}\n{url}")).join();
        assert!(ended.is_err());
    }

    #[test]
    fn a_panic_says_where_it_was_and_nothing_secret() {
        let name = "panics::tests::a_process_with_a_bug";
        let program = std::env::current_exe().unwrap();
        let arguments = ["--exact", name, "--ignored", "--nocapture"];
        let ended = Command::new(program).args(arguments).output().unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("tingkat: a bug at "), "{said}");
        assert!(
            said.contains("panics.rs:") && said.contains("***@db/shop"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}
