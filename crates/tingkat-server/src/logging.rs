//! Where log lines go: standard error, so that standard output belongs to the commands.

mod named;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

use crate::config::Settings;
use named::{NamedFields, NamedObject};

/// What is logged, to be changed while the program runs.
pub(crate) struct Level(Box<dyn Fn(EnvFilter) -> bool + Send + Sync>);

impl Level {
    /// From now on other things are logged.
    pub(crate) fn set(&self, settings: &Settings) {
        // The key takes nothing that is no filter, and the subscriber lives as long as the program.
        let _ = (self.0)(filter(settings));
    }
}

/// The access log has a key of its own, whatever the level is.
fn filter(settings: &Settings) -> EnvFilter {
    let level = settings.text("log.level").unwrap_or("info");
    EnvFilter::try_new(format!("access=info,{level}")).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Starts to log.
pub(crate) fn start(settings: &Settings) -> Level {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(settings))
        .with_writer(std::io::stderr)
        .with_target(false);
    // A terminal may still ask for none with NO_COLOR.
    let builder = if std::io::stderr().is_terminal() {
        builder
    } else {
        builder.with_ansi(false)
    };
    if settings.text("log.format") == Some("json") {
        let builder = builder
            .json()
            .flatten_event(true)
            .fmt_fields(JsonFields::new())
            .map_event_format(NamedObject)
            .with_filter_reloading();
        let handle = builder.reload_handle();
        builder.init();
        Level(Box::new(move |filter| handle.reload(filter).is_ok()))
    } else {
        let builder = builder
            .compact()
            .fmt_fields(NamedFields::default())
            .with_filter_reloading();
        let handle = builder.reload_handle();
        builder.init();
        Level(Box::new(move |filter| handle.reload(filter).is_ok()))
    }
}
