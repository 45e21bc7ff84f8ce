//! Where log lines go: standard error, so that standard output belongs to the commands.

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
