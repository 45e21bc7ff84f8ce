//! A page of metrics as it is written, family by family.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows; its name ends in `_total` where it is read.
    Counter,
    Gauge,
    Histogram,
    /// Labels that tell something; its name ends in `_info` where it is read.
    Info,
}

/// Numbers of one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// Without the suffix that its kind brings.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

impl Family {
    pub(super) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Counter,
            help,
        }
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Gauge,
            help,
        }
    }

    pub(super) const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Histogram,
            help,
        }
    }

    pub(super) const fn info(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Info,
            help,
        }
    }
}

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for Number {
    fn from(is: bool) -> Self {
        Self::Whole(is.into())
    }
}

/// Durations, by how long they were.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// The sum of all, in seconds.
    pub(super) sum: f64,
    /// How many were not longer than so many seconds and longer than those before; the last edge is
    /// infinite.
    pub(super) buckets: Vec<(f64, u64)>,
}

impl Spread {
    fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

pub(super) struct Page<'a>(DescriptorEncoder<'a>);

impl<'a> Page<'a> {
    pub(super) const fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// A family with one number and no labels.
    pub(super) fn one(&mut self, family: &Family, number: impl Into<Number>) -> fmt::Result {
        self.rows(family, [([], number.into())])
    }

    /// A family; nothing of it where it has no rows.
    pub(super) fn rows<'l, L>(
        &mut self,
        family: &Family,
        rows: impl IntoIterator<Item = (L, Number)>,
    ) -> fmt::Result
    where
        L: AsRef<[(&'static str, &'l str)]>,
    {
        let write = |mut row: MetricEncoder<'_>, number| match (family.kind, number) {
            (Kind::Counter, Number::Whole(number)) => {
                row.encode_counter::<NoLabelSet, _, f64>(&number, None)
            }
            (Kind::Counter, Number::Real(number)) => {
                row.encode_counter::<NoLabelSet, _, f64>(&number, None)
            }
            (Kind::Gauge, Number::Whole(number)) => row.encode_gauge(&number),
            (Kind::Gauge, Number::Real(number)) => row.encode_gauge(&number),
            // These are no numbers.
            (Kind::Histogram | Kind::Info, _) => Err(fmt::Error),
        };
        self.each(family, rows, write)
    }

    /// A family of durations.
    pub(super) fn spreads<'l, L>(
        &mut self,
        family: &Family,
        rows: impl IntoIterator<Item = (L, Spread)>,
    ) -> fmt::Result
    where
        L: AsRef<[(&'static str, &'l str)]>,
    {
        self.each(
            family,
            rows,
            |mut row: MetricEncoder<'_>, spread: Spread| {
                let count = spread.count();
                row.encode_histogram::<NoLabelSet>(spread.sum, count, &spread.buckets, None)
            },
        )
    }

    /// A family whose labels are what it tells.
    pub(super) fn info<'l, L>(
        &mut self,
        family: &Family,
        rows: impl IntoIterator<Item = L>,
    ) -> fmt::Result
    where
        L: AsRef<[(&'static str, &'l str)]>,
    {
        let nothing_more: &[(&str, &str)] = &[];
        let rows = rows.into_iter().map(|labels| (labels, ()));
        let write = |mut row: MetricEncoder<'_>, ()| row.encode_info(&nothing_more);
        self.each(family, rows, write)
    }

    fn each<'l, L, T>(
        &mut self,
        family: &Family,
        rows: impl IntoIterator<Item = (L, T)>,
        write: impl Fn(MetricEncoder<'_>, T) -> fmt::Result,
    ) -> fmt::Result
    where
        L: AsRef<[(&'static str, &'l str)]>,
    {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut written = self.begin(family)?;
        for (labels, value) in rows {
            let labels = labels.as_ref();
            write(written.encode_family(&labels)?, value)?;
        }
        Ok(())
    }

    fn begin(&mut self, family: &Family) -> Result<MetricEncoder<'_>, fmt::Error> {
        let kind = match family.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        };
        self.0
            .encode_descriptor(family.name, family.help, None, kind)
    }
}
