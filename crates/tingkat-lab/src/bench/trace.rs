//! Traces: which things were asked for, one after the other, in somebody's real shop.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::subject::Session;

/// More requests are not read.
const MOST: usize = 20_000_000;

/// So much of a file tells whether it is a text.
const LOOKED_AT: usize = 4096;

/// Things in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    name: String,
    /// Each thing by its number, which says when it appeared first.
    requests: Vec<u32>,
    distinct: usize,
    /// What the things are called, by number; nothing where they have numbers alone.
    skus: Vec<String>,
}

/// What became of a trace on the keys of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceReport {
    /// What it is called.
    pub name: String,
    /// How many requests it has.
    pub requests: u64,
    /// How many different things they are for.
    pub distinct: u64,
    /// Requests of one lap here.
    pub replayed_requests: u64,
    /// Different keys of one lap here.
    pub replayed_keys: u64,
    /// Whether its things are those of the store, found by their skus. Otherwise each stands for some
    /// key, and where the store has fewer keys, a sample of the things does.
    pub by_sku: bool,
}

/// A trace as keys of a subject.
pub(super) struct Replay {
    pub(super) places: Arc<[u32]>,
    pub(super) told: TraceReport,
}

/// Why a file is no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// It has nothing in it.
    #[error("the trace is empty")]
    Empty,
    /// It is compressed.
    #[error("the trace is compressed; unpack it first, such as with `xz -dk`")]
    Compressed,
    /// It has more requests than are read.
    #[error(
        "the trace has more than {MOST} requests; cut it first, such as with `head -c {}` for \
         numbers or `head -n {MOST}` for lines",
        4 * MOST
    )]
    TooLong,
    /// It is neither of the two formats.
    #[error(
        "not a trace: expected 32-bit big-endian numbers, or a CSV whose first line names a column \
         `sku`"
    )]
    Unknown,
}

impl Trace {
    /// Reads a trace: 32-bit big-endian numbers, one for each thing that was asked for; or the lines of
    /// orders as CSV, with a column `sku`.
    ///
    /// # Errors
    /// It is none.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, TraceError> {
        if bytes.is_empty() {
            return Err(TraceError::Empty);
        }
        if bytes.starts_with(b"\xfd7zXZ") || bytes.starts_with(b"\x1f\x8b") {
            return Err(TraceError::Compressed);
        }
        // As some programs begin a text.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let head = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let column = head
            .split(|byte| *byte == b',')
            .position(|name| name.trim_ascii() == b"sku");
        let (requests, things) = if let Some(column) = column {
            let rows = bytes.split(|byte| *byte == b'\n').skip(1);
            let skus = rows.filter_map(|row| row.split(|byte| *byte == b',').nth(column));
            let (requests, skus) =
                numbered(skus.map(<[u8]>::trim_ascii).filter(|sku| !sku.is_empty()));
            let skus = skus.into_iter().map(String::from_utf8_lossy);
            (requests, Things::Skus(skus.map(Into::into).collect()))
        } else {
            let (numbers, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() || is_text(bytes) {
                return Err(TraceError::Unknown);
            }
            let numbers = numbers.iter().map(|number| u32::from_be_bytes(*number));
            let (requests, things) = numbered(numbers);
            (requests, Things::Numbers(things.len()))
        };
        match requests.len() {
            0 => return Err(TraceError::Empty),
            1..=MOST => {}
            _ => return Err(TraceError::TooLong),
        }
        let (distinct, skus) = match things {
            Things::Skus(skus) => (skus.len(), skus),
            Things::Numbers(distinct) => (distinct, Vec::new()),
        };
        Ok(Self {
            name: name.to_owned(),
            requests,
            distinct,
            skus,
        })
    }

    /// The keys of a subject that it asks for: those with its skus where the subject has any of them,
    /// else each thing stands for a key of its own.
    pub(super) fn on(&self, session: &dyn Session) -> Replay {
        let found = self.skus.iter().map(|sku| session.place_of(sku));
        let mut places: Vec<Option<usize>> = found.collect();
        let by_sku = places.iter().any(Option::is_some);
        if !by_sku {
            places = sampled(self.distinct, session.keys());
        }
        let places: Vec<Option<u32>> = places
            .into_iter()
            .map(|place| place.and_then(|place| u32::try_from(place).ok()))
            .collect();
        let place_of = |thing: &u32| {
            let thing = usize::try_from(*thing).ok()?;
            places.get(thing).copied().flatten()
        };
        let requests: Arc<[u32]> = self.requests.iter().filter_map(place_of).collect();
        let mut keys: Vec<u32> = places.iter().copied().flatten().collect();
        // Several skus may be those of one product.
        keys.sort_unstable();
        keys.dedup();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Replay {
            told: TraceReport {
                name: self.name.clone(),
                requests: count(self.requests.len()),
                distinct: count(self.distinct),
                replayed_requests: count(requests.len()),
                replayed_keys: count(keys.len()),
                by_sku,
            },
            places: requests,
        }
    }
}

enum Things {
    Skus(Vec<String>),
    Numbers(usize),
}

/// Whether it begins as a text does, whatever its lines end with: numbers, other than those of a few
/// hundred million, have bytes in them that no text has.
fn is_text(bytes: &[u8]) -> bool {
    let begin = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    let is_of_text = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace();
    begin.iter().all(is_of_text)
}

/// Things as numbers by their first appearance, and the things by number.
fn numbered<T: Copy + Eq + Hash>(things: impl Iterator<Item = T>) -> (Vec<u32>, Vec<T>) {
    let mut numbers = HashMap::new();
    let mut known = Vec::new();
    let requests = things.take(MOST + 1).map(|thing| {
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        *numbers.entry(thing).or_insert_with(|| {
            known.push(thing);
            next
        })
    });
    (requests.collect(), known)
}

/// A key for each of so many things; where there are fewer keys, for a sample of the things that says
/// nothing about how popular they are. To let several share a key would make it look more popular
/// than any is.
fn sampled(things: usize, keys: usize) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..things).collect();
    order.sort_by_key(|thing| mixed(u64::try_from(*thing).unwrap_or_default()));
    let taken = things.min(keys);
    let mut places = vec![None; things];
    for (turn, thing) in order.into_iter().take(taken).enumerate() {
        if let Some(place) = places.get_mut(thing) {
            // Spread over the keys.
            *place = Some(turn * keys / taken.max(1));
        }
    }
    places
}

/// The finish of splitmix64, in which every bit depends on every other.
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::super::subject::{Operation, Outcome};
    use super::*;

    /// A store with so many keys, of which some have skus.
    struct Store(usize, &'static [&'static str]);

    impl Session for Store {
        fn keys(&self) -> usize {
            self.0
        }

        fn place_of(&self, sku: &str) -> Option<usize> {
            self.1.iter().position(|known| *known == sku)
        }

        fn perform<'a>(&'a self, _: &'a Operation) -> BoxFuture<'a, Outcome> {
            Box::pin(async { Outcome::error() })
        }
    }

    fn numbers(numbers: impl IntoIterator<Item = u32>) -> Trace {
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
        Trace::read("numbers", &bytes).unwrap()
    }

    #[test]
    fn both_formats_are_read_and_numbered_by_first_appearance() {
        let trace = numbers([7, 1_000_000, 7, 3]);
        assert_eq!((trace.requests, trace.distinct), (vec![0, 1, 0, 2], 3));
        let windows = b"\xef\xbb\xbfsku,no\r\nA,1\r\nB,1\r\nA,2\r\n";
        let trace = Trace::read("orders", windows).unwrap();
        assert_eq!((trace.requests, trace.distinct), (vec![0, 1, 0], 2));
        let lines = "order_no,sku,quantity\n1,85123A,6\n1,71053,6\n2,85123A,1\r\n";
        let trace = Trace::read("orders", lines.as_bytes()).unwrap();
        assert_eq!(trace.requests, [0, 1, 0]);
        assert_eq!(trace.skus, ["85123A", "71053"]);
    }

    #[test]
    fn what_is_no_trace_is_told() {
        for (bytes, error) in [
            (&b""[..], TraceError::Empty),
            (b"\xfd7zXZ\0\0", TraceError::Compressed),
            (b"id,name\n1,tea", TraceError::Unknown),
            (b"id,name\r\n1,tea\r\n\r\n", TraceError::Unknown),
            (b"order no,item\r\n1,tea, green", TraceError::Unknown),
            (b"\0\0\0\x01\0", TraceError::Unknown),
            (b"sku\n", TraceError::Empty),
        ] {
            assert_eq!(
                Trace::read("it", bytes).map(|_| ()),
                Err(error),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_not_cut() {
        let most = vec![0; 4 * 20_000_000];
        let trace = Trace::read("it", &most).unwrap();
        assert_eq!(trace.requests.len(), 20_000_000);
        let more = vec![0; 4 * 20_000_001];
        let error = Trace::read("it", &more).unwrap_err();
        assert_eq!(error, TraceError::TooLong);
        let told = error.to_string();
        assert!(told.contains("head -c 80000000"), "{told}");
    }

    #[test]
    fn skus_are_those_of_the_store_and_what_it_has_not_is_left_out() {
        let trace = Trace::read("orders", b"sku\nB\nC\nA\nB\n").unwrap();
        let replay = trace.on(&Store(100, &["A", "B"]));
        assert_eq!(*replay.places, [1, 0, 1]);
        let told = replay.told;
        assert!(told.by_sku);
        assert_eq!((told.requests, told.distinct), (4, 3));
        assert_eq!((told.replayed_requests, told.replayed_keys), (3, 2));
        // A store that knows none of them has keys of its own for all.
        let elsewhere = trace.on(&Store(100, &[]));
        assert_eq!(elsewhere.told.replayed_keys, 3);
        assert!(!elsewhere.told.by_sku);
    }

    #[test]
    fn of_more_things_than_keys_a_sample_is_replayed_and_none_share_a_key() {
        let trace = numbers((0..1000).chain(0..1000));
        let replay = trace.on(&Store(100, &[]));
        assert_eq!(replay.told.replayed_keys, 100);
        assert_eq!(replay.told.replayed_requests, 200);
        assert_eq!(replay.places[..100], replay.places[100..]);
        // It is no beginning of the trace.
        let early = sampled(1000, 100).iter().take(500).flatten().count();
        assert!((30..70).contains(&early), "{early}");
        let all = numbers(0..50).on(&Store(100, &[])).told;
        assert_eq!((all.replayed_keys, all.replayed_requests), (50, 50));
    }
}
