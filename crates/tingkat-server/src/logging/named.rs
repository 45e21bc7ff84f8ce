//! Lines that are logged while a request is answered have its names. They are asked for when a line
//! is written, so that a request of which nothing is logged pays nothing.

use std::fmt;

use tingkat_http::Ids;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Fields as text, with the names of the request after them.
#[derive(Debug, Default)]
pub(super) struct NamedFields(DefaultFields);

impl<'writer> FormatFields<'writer> for NamedFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        if let Some(ids) = Ids::current() {
            let (request, trace) = (ids.request_id(), ids.trace_id());
            write!(writer, " request_id={request} trace_id={trace}")?;
        }
        Ok(())
    }
}

/// A line as an object, with the names of the request among its members.
#[derive(Debug)]
pub(super) struct NamedObject<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for NamedObject<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(ids) = Ids::current() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        let Some(open) = line.trim_end().strip_suffix('}') else {
            return writer.write_str(&line);
        };
        // Ids have no character that JSON would escape.
        let (request, trace) = (ids.request_id(), ids.trace_id());
        writeln!(
            writer,
            r#"{open},"request_id":"{request}","trace_id":"{trace}"}}"#
        )
    }
}
