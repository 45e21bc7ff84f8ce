//! How all of it was judged lately, as numbers.

use std::fmt;

use tingkat_health::gauges::{GAUGES, gauges};

use super::page::{Family, Number, Page};
use crate::app::App;
use crate::health::lately;

/// Nothing while nobody looks; what is not known has no row.
pub(super) fn collect(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let all = lately(app)
        .map(|report| gauges(&report))
        .unwrap_or_default();
    for (name, help) in GAUGES {
        let rows = all.iter().filter(|gauge| gauge.name == name).map(|gauge| {
            let labels = gauge.labels.iter();
            let labels: Vec<_> = labels
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            (labels, Number::Real(gauge.value))
        });
        page.rows(&Family::gauge(name, help), rows)?;
    }
    Ok(())
}
