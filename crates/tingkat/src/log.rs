//! The few lines that the engine logs itself. Each stands in a span that names the node and, where
//! it is about one, the cache: with many of either, a line without them helps nobody.

use std::fmt::Debug;

use tracing::{Level, Span};

/// What lines in it are about. Of the highest level, so that it is there whatever is logged.
pub(crate) fn about(node: &str, entity: Option<&str>) -> Span {
    tracing::error_span!("cache", node, entity)
}

/// One line at a level that is known at run time only.
pub(crate) fn at(level: Level, line: &str, event: &dyn Debug) {
    match level {
        Level::ERROR => tracing::error!(?event, "{line}"),
        Level::WARN => tracing::warn!(?event, "{line}"),
        Level::INFO => tracing::info!(?event, "{line}"),
        Level::DEBUG => tracing::debug!(?event, "{line}"),
        Level::TRACE => tracing::trace!(?event, "{line}"),
    }
}
