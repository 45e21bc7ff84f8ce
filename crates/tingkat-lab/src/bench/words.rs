//! How numbers and kinds are written for people.

use super::number::{real, whole_size};
use super::subject::{Kind, State, Tier};

/// A time in microseconds with the unit that suits it.
pub(super) fn time(micros: f64) -> String {
    match micros {
        ..0.9995 => format!("{:.0} ns", micros * 1e3),
        ..9.995 => format!("{micros:.2} µs"),
        ..999.5 => format!("{micros:.0} µs"),
        ..9_995.0 => format!("{:.2} ms", micros / 1e3),
        ..999_500.0 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// A number, rounded, with commas.
pub(super) fn count(number: f64) -> String {
    if number < 10.0 && number.fract() > 0.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with commas.
pub(super) fn count_of(number: u64) -> String {
    count(real(number))
}

/// Bytes with the unit that suits them.
pub(super) fn bytes(number: u64) -> String {
    match number {
        0..10_000 => format!("{number} bytes"),
        10_000..10_000_000 => format!("{} KiB", count_of(number >> 10)),
        _ => format!("{} MiB", count_of(number >> 20)),
    }
}

/// How often one is contained in another, with three digits that matter.
pub(super) fn ratio(ratio: f64) -> String {
    match ratio {
        99.95.. => count(ratio.round()),
        9.995.. => format!("{ratio:.1}"),
        0.9995.. => format!("{ratio:.2}"),
        _ if ratio > 1e-9 => {
            let decimals = whole_size(2.0 - ratio.log10().floor());
            format!("{ratio:.decimals$}")
        }
        _ => "0".to_owned(),
    }
}

/// A time by that of another.
pub(super) fn faster(times: f64) -> String {
    let (ratio, word) = if times < 1.0 {
        (self::ratio(1.0 / times.max(1e-9)), "faster")
    } else {
        (self::ratio(times), "slower")
    };
    if ratio == "1.00" {
        return "the same".to_owned();
    }
    format!("{ratio} × {word}")
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 {
        format!("{percent:.3} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// The word for a kind.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Read => "read",
        Kind::Absent => "absent",
        Kind::Batch => "batch",
        Kind::Write => "write",
        Kind::Import => "import",
    }
}

/// The word for a tier.
pub(super) const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Memory => "memory",
        Tier::Redis => "redis",
        Tier::Database => "database",
        Tier::Unknown => "--",
    }
}

/// The word for an outcome.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Current => "current",
        State::Stale => "stale",
        State::Absent => "absent",
        State::Error => "error",
        State::Wrong => "WRONG",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_have_three_digits_and_their_unit() {
        let times = [0.099, 1.5, 15.4, 999.4, 1500.0, 15_400.0, 1_500_000.0].map(time);
        assert_eq!(
            times,
            [
                "99 ns", "1.50 µs", "15 µs", "999 µs", "1.50 ms", "15 ms", "1.50 s"
            ]
        );
        let counts = [0.0, 1.5, 12.0, 999.0, 1000.0, 1_234_567.0].map(count);
        assert_eq!(counts, ["0", "1.5", "12", "999", "1,000", "1,234,567"]);
        let ratios = [0.0, 0.000_123_4, 0.051, 0.9996, 3.333, 15.0, 1234.4].map(ratio);
        assert_eq!(
            ratios,
            ["0", "0.000123", "0.0510", "1.00", "3.33", "15.0", "1,234"]
        );
        let times = [0.001, 0.5, 1.001, 7.0].map(faster);
        assert_eq!(
            times,
            [
                "1,000 × faster",
                "2.00 × faster",
                "the same",
                "7.00 × slower"
            ]
        );
        let shares = [0.0, 0.0001, 0.5, 1.0].map(percent);
        assert_eq!(shares, ["0.0 %", "0.010 %", "50.0 %", "100.0 %"]);
    }
}
