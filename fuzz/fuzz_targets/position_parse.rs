//! Positions in the change log, as PostgreSQL writes its snapshots.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tingkat::certificate::Position;

fuzz_target!(|text: &str| {
    let Ok(position) = text.parse::<Position>() else {
        return;
    };
    assert_eq!(position.to_string().parse(), Ok(position.clone()));
    assert!(position.contains(&position));
    assert!(position.xmin() <= position.xmax());
    assert!(position.xip().is_sorted_by(|a, b| a < b));
    for &id in position.xip() {
        assert!((position.xmin()..position.xmax()).contains(&id) && !position.covers(id));
    }
});
