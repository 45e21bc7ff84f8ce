//! Traces: which things were asked for, one after the other, in somebody's real shop.

use std::collections::HashMap;
use std::hash::Hash;

use super::law::Trace;

/// More is not read.
const MOST: usize = 20_000_000;

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
    /// It is neither of the two formats.
    #[error(
        "not a trace: expected 32-bit big-endian numbers, or a CSV whose first line names a column \
         `sku`"
    )]
    Unknown,
}

/// Reads a trace: 32-bit big-endian numbers, one for each thing that was asked for; or the lines of
/// orders as CSV, with a column `sku`. Things are numbered by their first appearance.
///
/// # Errors
/// It is none.
pub fn read(bytes: &[u8]) -> Result<Trace, TraceError> {
    if bytes.is_empty() {
        return Err(TraceError::Empty);
    }
    if bytes.starts_with(b"\xfd7zXZ") || bytes.starts_with(b"\x1f\x8b") {
        return Err(TraceError::Compressed);
    }
    let head = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let column = head
        .split(|byte| *byte == b',')
        .position(|name| name.trim_ascii() == b"sku");
    if let Some(column) = column {
        let rows = bytes.split(|byte| *byte == b'\n').skip(1);
        let skus = rows.filter_map(|row| row.split(|byte| *byte == b',').nth(column));
        return numbered(skus.map(<[u8]>::trim_ascii).filter(|sku| !sku.is_empty()));
    }
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || head.iter().all(u8::is_ascii_graphic) {
        return Err(TraceError::Unknown);
    }
    numbered(numbers.iter().map(|number| u32::from_be_bytes(*number)))
}

fn numbered<T: Eq + Hash>(things: impl Iterator<Item = T>) -> Result<Trace, TraceError> {
    let mut numbers = HashMap::new();
    let trace: Vec<u32> = things
        .take(MOST)
        .map(|thing| {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(thing).or_insert(next)
        })
        .collect();
    if trace.is_empty() {
        Err(TraceError::Empty)
    } else {
        Ok(trace.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read_and_numbered_by_first_appearance() {
        let numbers = [7_u32, 1_000_000, 7, 3].map(u32::to_be_bytes).concat();
        assert_eq!(*read(&numbers).unwrap(), [0, 1, 0, 2]);
        let lines = "order_no,sku,quantity\n1,85123A,6\n1,71053,6\n2,85123A,1\r\n";
        assert_eq!(*read(lines.as_bytes()).unwrap(), [0, 1, 0]);
    }

    #[test]
    fn what_is_no_trace_is_told() {
        for (bytes, error) in [
            (&b""[..], TraceError::Empty),
            (b"\xfd7zXZ\0\0", TraceError::Compressed),
            (b"id,name\n1,tea", TraceError::Unknown),
            (b"\0\0\0\x01\0", TraceError::Unknown),
            (b"sku\n", TraceError::Empty),
        ] {
            assert_eq!(read(bytes).map(|it| it.len()), Err(error), "{bytes:?}");
        }
    }
}
