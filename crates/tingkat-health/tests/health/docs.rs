//! docs/health.md explains every check, with the limits that it has.

use std::fmt::Write as _;

use tingkat_health::check::Bad;
use tingkat_health::{Check, checks};

const PAGE: &str = include_str!("../../../../docs/health.md");

/// What the page says of a check below its name.
fn line(check: &Check) -> String {
    let mut parts = vec![check.group.name().to_owned()];
    if check.weight > 0 {
        parts.push(format!("counts {}", check.weight));
    } else if check.group != tingkat_health::Group::Data {
        parts.push("for information".to_owned());
    }
    let past = match check.bad {
        Bad::High => "above",
        Bad::Low => "below",
    };
    if let Some(warning) = check.limits.warning {
        parts.push(format!("warning {past} {warning}"));
    }
    if let Some(critical) = check.limits.critical {
        parts.push(format!("critical from {critical}"));
    }
    if !check.unit.is_empty() {
        parts.push(format!("in {}", check.unit));
    }
    if let Some(window) = check.window {
        parts.push(format!("within {} s", window.as_secs()));
    }
    format!("*{}*", parts.join(" · "))
}

#[test]
fn every_check_has_an_anchor_with_its_limits_and_the_page_has_no_other() {
    let mut wanted = String::new();
    for check in checks::all() {
        writeln!(wanted, "{}\t{}", check.id, line(check)).unwrap();
    }
    for check in checks::all() {
        let told = format!("\n### `{}`\n\n{}\n\n", check.id, line(check));
        assert!(
            PAGE.contains(&told),
            "{} is not on the page; wanted:\n{wanted}",
            check.id
        );
    }
    assert_eq!(PAGE.matches("\n### ").count(), checks::all().count());
}

#[test]
fn the_weights_of_the_groups_are_as_the_page_says() {
    assert!(
        PAGE.contains(
            "availability 25, latency 20, memory\n20, effect 15, connections 10, errors 5"
        )
    );
}
