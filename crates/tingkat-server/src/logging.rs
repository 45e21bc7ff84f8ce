//! Where log lines go: standard error, so that standard output belongs to the commands.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::cli::{Log, LogFormat};

/// Starts to log. A malformed level is said and replaced by `info`.
pub(crate) fn start(log: &Log) {
    let parsed = EnvFilter::try_new(&log.log_level);
    let complaint = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    // A terminal may still ask for none with NO_COLOR.
    let builder = if std::io::stderr().is_terminal() {
        builder
    } else {
        builder.with_ansi(false)
    };
    match log.log_format {
        LogFormat::Text => builder.compact().init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    if let Some(complaint) = complaint {
        tracing::warn!(
            level = log.log_level,
            "not a log level, so it is `info`: {complaint}"
        );
    }
}
