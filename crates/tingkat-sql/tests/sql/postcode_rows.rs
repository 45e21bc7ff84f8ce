//! Postcodes and states that somebody adds, changes and deletes beside a running node: each look-up
//! and each list follows within the bound, in both dialects.

use std::fmt::Write as _;
use std::time::Duration;

use tingkat::{Node, Options};
use tingkat_shop::Shop;
use tingkat_shop::postcode::{Code, Filter};
use tingkat_shop::state::Zone;
use tingkat_sql::Database;
use tingkat_testkit::eventually;

use crate::stores::{Embedded, Served, parsed};

/// Twice what the machine of these tests needs at its busiest.
const BOUND: Duration = Duration::from_secs(3);

/// What somebody writes, and what is shown from then on.
const STEPS: &[(&str, &str)] = &[
    (
        "INSERT INTO state (code, name, zone) VALUES ('XYZ', 'Negeri Baru', 'west')",
        "states: Negeri Baru West",
    ),
    (
        "INSERT INTO postcode (code, position, city, state_code) VALUES ('09999', 0, 'Kota X', 'XYZ')",
        "09999: Kota X, XYZ Negeri Baru West
         state: 09999
         west: 09999
         Kota X: 09999
         begins with 0999: 09999
         begins with kota x: 09999
         meant by 19999: 09999
         states: Negeri Baru West",
    ),
    (
        "INSERT INTO postcode (code, position, city, state_code) VALUES ('09999', 1, 'Kota Y', 'XYZ')",
        "09999: Kota X + Kota Y, XYZ Negeri Baru West
         state: 09999
         west: 09999
         Kota X: 09999
         Kota Y: 09999
         begins with 0999: 09999
         begins with kota x: 09999
         meant by 19999: 09999
         states: Negeri Baru West",
    ),
    (
        "DELETE FROM postcode WHERE code = '09999' AND position = 1",
        "09999: Kota X, XYZ Negeri Baru West
         state: 09999
         west: 09999
         Kota X: 09999
         begins with 0999: 09999
         begins with kota x: 09999
         meant by 19999: 09999
         states: Negeri Baru West",
    ),
    (
        "UPDATE postcode SET city = 'Kota Y' WHERE code = '09999'",
        "09999: Kota Y, XYZ Negeri Baru West
         state: 09999
         west: 09999
         Kota Y: 09999
         begins with 0999: 09999
         meant by 19999: 09999
         states: Negeri Baru West",
    ),
    (
        "UPDATE state SET name = 'Negeri Lama' WHERE code = 'XYZ'",
        "09999: Kota Y, XYZ Negeri Lama West
         state: 09999
         west: 09999
         Kota Y: 09999
         begins with 0999: 09999
         meant by 19999: 09999
         states: Negeri Lama West",
    ),
    (
        "UPDATE state SET zone = 'east' WHERE code = 'XYZ'",
        "09999: Kota Y, XYZ Negeri Lama East
         state: 09999
         east: 09999
         Kota Y: 09999
         begins with 0999: 09999
         meant by 19999: 09999
         states: Negeri Lama East",
    ),
    (
        "UPDATE postcode SET code = '09998' WHERE code = '09999'",
        "09998: Kota Y, XYZ Negeri Lama East
         state: 09998
         east: 09998
         Kota Y: 09998
         begins with 0999: 09998
         states: Negeri Lama East",
    ),
    (
        "UPDATE postcode SET state_code = 'SGR' WHERE code = '09998'",
        "09998: Kota Y, SGR Selangor West
         west: 09998
         Kota Y: 09998
         begins with 0999: 09998
         states: Negeri Lama East",
    ),
    (
        "DELETE FROM state WHERE code = 'XYZ'",
        "09998: Kota Y, SGR Selangor West
         west: 09998
         Kota Y: 09998
         begins with 0999: 09998",
    ),
    ("DELETE FROM postcode WHERE code = '09998'", ""),
];

/// What a shop shows of the postcodes and the state of these steps, a line for each way to them.
async fn shown(shop: &Shop) -> String {
    let options = Options::default();
    let mut shown = String::new();
    for code in ["09998", "09999"] {
        let answer = shop.postcodes.locate(&parsed(code), options).await.unwrap();
        if let Some(found) = answer.value() {
            let (cities, state) = (found.cities.join(" + "), &found.state_code);
            let (name, zone) = (&found.state_name, found.zone);
            writeln!(shown, "{code}: {cities}, {state} {name} {zone:?}").unwrap();
        }
    }
    let all = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    for (what, filter) in [
        (
            "state",
            Filter {
                state: text("XYZ"),
                ..all()
            },
        ),
        (
            "west",
            Filter {
                zone: Some(Zone::West),
                ..all()
            },
        ),
        (
            "east",
            Filter {
                zone: Some(Zone::East),
                ..all()
            },
        ),
        (
            "Kota X",
            Filter {
                city: text("Kota X"),
                ..all()
            },
        ),
        (
            "Kota Y",
            Filter {
                city: text("Kota Y"),
                ..all()
            },
        ),
        (
            "begins with 0999",
            Filter {
                beginning: text("0999"),
                ..all()
            },
        ),
        (
            "begins with kota x",
            Filter {
                beginning: text("kota x"),
                ..all()
            },
        ),
    ] {
        // Those of a zone are many: only what comes about here is looked for.
        let after: Code = parsed("09997");
        let page = shop
            .postcodes
            .page(&filter, Some(after), 3, options)
            .await
            .unwrap();
        let found = page.items.iter().filter_map(|it| it.value());
        let ours = found.filter(|it| it.code.as_str().starts_with("0999"));
        for place in ours {
            writeln!(shown, "{what}: {}", place.code).unwrap();
        }
    }
    for meant in shop
        .postcodes
        .suggest(parsed("19999"), options)
        .await
        .unwrap()
    {
        writeln!(shown, "meant by 19999: {meant}").unwrap();
    }
    let states = shop.states.all(options).await.unwrap();
    let list = states.value().unwrap();
    for state in list.states.iter().filter(|it| it.code == "XYZ") {
        writeln!(shown, "states: {} {:?}", state.name, state.zone).unwrap();
    }
    shown
}

async fn follow(database: &Database, write: impl AsyncFn(&str)) {
    let node = Node::builder()
        .change_log(database.change_log().unwrap())
        .staleness_bound(BOUND)
        .poll_interval(Duration::from_millis(50))
        .build();
    // Lives are a day and more, of what is absent a minute: nothing here becomes right by itself.
    let shop = Shop::new(&node, database.sources());
    assert_eq!(shown(&shop).await, "");
    for (sql, lines) in STEPS {
        write(sql).await;
        let lines = lines.lines().map(|line| format!("{}\n", line.trim()));
        let expected: String = lines.filter(|line| line != "\n").collect();
        let follows = eventually(BOUND, async || shown(&shop).await == expected);
        let follows = follows.await.is_ok();
        assert!(
            follows,
            "after {sql}:\n{}not:\n{expected}",
            shown(&shop).await
        );
    }
}

#[tokio::test]
async fn rows_of_postcodes_and_states_show_within_the_bound_in_an_embedded_database() {
    let store = Embedded::new().await;
    follow(&store.database, async |sql| store.run(sql).await).await;
}

#[tokio::test]
async fn rows_of_postcodes_and_states_show_within_the_bound_in_postgresql() {
    let store = Served::new().await;
    let write = async |sql: &str| {
        store.server.psql(sql).await.unwrap();
    };
    follow(&store.database, write).await;
}
