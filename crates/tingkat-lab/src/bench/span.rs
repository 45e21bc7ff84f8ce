//! Durations as people write them: `10s`, `500ms`, `2m`.

use std::time::Duration;

use jiff::SignedDuration;

/// Reads a duration.
///
/// # Errors
/// It is none, with what would be one.
pub fn parse(text: &str) -> Result<Duration, String> {
    let read = text.trim().parse::<SignedDuration>().ok();
    read.and_then(|it| Duration::try_from(it).ok())
        .ok_or_else(|| format!("{text:?} is no duration; expected something like 10s or 500ms"))
}

/// For fields of a workload.
pub(super) mod field {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::shown(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        super::parse(&text).map_err(D::Error::custom)
    }
}

/// Writes a duration so that [`parse`] reads it.
pub(super) fn shown(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0 if !time.is_zero() => format!("{}us", time.as_micros()),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_is_written() {
        for (text, millis) in [("10s", 10_000), ("500ms", 500), ("1500ms", 1500)] {
            let time = parse(text).unwrap();
            assert_eq!(time, Duration::from_millis(millis));
            assert_eq!(shown(time), text);
        }
        assert_eq!(parse("2m").unwrap(), Duration::from_mins(2));
        for text in ["", "10", "-5s", "ten seconds"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("expected something like 10s"), "{error}");
        }
    }
}
