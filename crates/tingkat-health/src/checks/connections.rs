//! Whether clients get in.

use crate::check::{Check, Group, Reading};
use crate::field::{Field, number};
use crate::ring::{LONG, SHORT};
use crate::view::View;

use Reading::Is;

pub(super) const CHECKS: &[Check] = &[
    Check::server("clients", Group::Connections, clients)
        .weight(4)
        .unit("%")
        .above(80.0, 95.0)
        .needs(&[Field::ConnectedClients, Field::MaxClients])
        .advice(|view, share| {
            let clients = view.read(Field::ConnectedClients).unwrap_or_default();
            let most = view.read(Field::MaxClients).unwrap_or_default();
            format!(
                "{} of {} connections are taken ({} %); the next ones are refused. Raise `maxclients`, or find \
                 who opens so many: `CLIENT LIST`.",
                number(clients),
                number(most),
                number(share.round())
            )
        }),
    Check::server("rejected_connections", Group::Connections, |view| {
        Some(Is(view.grown(Field::Rejected, SHORT)?.by))
    })
    .weight(3)
    .unit("connections")
    .above(0.0, 5.0)
    .over(SHORT)
    .needs(&[Field::Rejected])
    .advice(|view, count| {
        let most = view.read(Field::MaxClients).unwrap_or_default();
        format!(
            "{} connections were refused within a minute, at a `maxclients` of {}. Raise it, and the limit of \
             open files with it.",
            number(count),
            number(most)
        )
    }),
    Check::server("connection_churn", Group::Connections, |view| {
        Some(Is(view.grown(Field::Connections, SHORT)?.per_second()))
    })
    .weight(2)
    .unit("connections a second")
    .above(10.0, 100.0)
    .over(SHORT)
    .needs(&[Field::Connections])
    .advice(|_, rate| {
        let rate = number(rate);
        format!("{rate} connections are opened each second: some application opens one for each request.")
    }),
    Check::server("blocked_clients", Group::Connections, blocked)
        .unit("clients")
        .warns(0.0)
        .over(LONG)
        .needs(&[Field::BlockedClients])
        .advice(|_, count| {
            let count = number(count);
            format!(
                "{count} clients have been waiting for something for minutes (BLPOP, XREAD). We never do; the \
                 server is shared with whoever does."
            )
        }),
    Check::server("evicted_clients", Group::Connections, |view| {
        Some(Is(view.grown(Field::EvictedClients, SHORT)?.by))
    })
    .unit("clients")
    .warns(0.0)
    .over(SHORT)
    .needs(&[Field::EvictedClients])
    .advice(|_, count| {
        let count = number(count);
        format!("{count} clients were cut off to free memory (`maxmemory-clients`).")
    }),
    Check::server("buffer_disconnects", Group::Connections, |view| {
        let queries = view.grown(Field::QueryDisconnects, SHORT)?.by;
        Some(Is(queries + view.grown(Field::OutputDisconnects, SHORT)?.by))
    })
    .unit("clients")
    .above(0.0, 10.0)
    .over(SHORT)
    .needs(&[Field::QueryDisconnects, Field::OutputDisconnects])
    .advice(|_, count| {
        let count = number(count);
        format!(
            "{count} clients were cut off within a minute because they read or wrote too slowly \
             (`client-output-buffer-limit`). A node that missed hints so learns of changes from the change log."
        )
    }),
];

fn clients(view: &View<'_>) -> Option<Reading> {
    let clients = view.read(Field::ConnectedClients)?;
    let most = view.read(Field::MaxClients).filter(|most| *most > 0.0)?;
    let others = [Field::ClusterConnections, Field::Replicas];
    let others: f64 = others
        .into_iter()
        .filter_map(|field| view.read(field))
        .sum();
    Some(Is((clients + others) / most * 100.0))
}

/// Those that wait all the time.
fn blocked(view: &View<'_>) -> Option<Reading> {
    view.read(Field::BlockedClients)?;
    let server = &view.server?.name;
    let (least, time) = view.ring.least(server, Field::BlockedClients, LONG)?;
    view.spans(time.as_secs_f64());
    if time.is_zero() {
        return None;
    }
    Some(Is(if time >= SHORT { least } else { 0.0 }))
}
