//! Times as `30s` and sizes as `256MiB`.

use std::time::Duration;

use jiff::SignedDuration;

/// Reads a time.
pub(crate) fn time(text: &str) -> Option<Duration> {
    let parsed = text.parse::<SignedDuration>().ok()?;
    Duration::try_from(parsed).ok()
}

/// Writes a time, in the largest unit that it is a whole number of.
pub(crate) fn time_text(time: Duration) -> String {
    const UNITS: &[(u128, &str)] = &[
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    let nanos = time.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    for (unit, name) in UNITS {
        if nanos.is_multiple_of(*unit) {
            return format!("{}{name}", nanos / unit);
        }
    }
    format!("{nanos}ns")
}

const SIZES: &[(u64, &str)] = &[
    (1 << 40, "TiB"),
    (1 << 30, "GiB"),
    (1 << 20, "MiB"),
    (1 << 10, "KiB"),
];

/// Reads a size.
pub(crate) fn size(text: &str) -> Option<u64> {
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(at)?;
    let unit = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        other => SIZES.iter().find(|(_, name)| *name == other)?.0,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// Writes a size, in the largest unit that it is a whole number of.
pub(crate) fn size_text(bytes: u64) -> String {
    for (unit, name) in SIZES {
        if bytes > 0 && bytes.is_multiple_of(*unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_they_are_written() {
        for text in ["500us", "100ms", "30s", "90s", "5m", "1h", "168h", "0s"] {
            assert_eq!(time(text).map(time_text).as_deref(), Some(text));
        }
        // A day is not always 24 hours.
        for text in [
            "",
            "7d",
            "10",
            "-1s",
            "1 fortnight",
            "99999999999999999999h",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        for text in ["1B", "64KiB", "256MiB", "3GiB", "1000B"] {
            assert_eq!(size(text).map(size_text).as_deref(), Some(text));
        }
        assert_eq!(size("1kB"), Some(1_000));
        for text in [
            "",
            "MiB",
            "1.5MiB",
            "-1",
            "1mib",
            "99999999999999999999",
            "18446744073709551615KiB",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
