//! States and postcodes as they are, and where parcels go.

use serde::{Deserialize, Serialize};

use super::random::Random;
use super::retail::records;

const STATES: &str = include_str!("../../data/states.csv");
const POSTCODES: &str = include_str!("../../data/postcodes.csv");

/// A row of `state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct StateRow {
    pub code: String,
    pub name: String,
    pub zone: String,
}

/// A row of `postcode`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named like their columns")]
pub struct PostcodeRow {
    pub code: String,
    pub position: i64,
    pub city: String,
    pub state_code: String,
}

#[derive(Deserialize)]
struct PostcodeRecord {
    postcode: String,
    city: String,
    state_code: String,
}

pub(super) fn read() -> (Vec<StateRow>, Vec<PostcodeRow>) {
    let mut postcodes: Vec<PostcodeRow> = Vec::new();
    for record in records::<PostcodeRecord>(POSTCODES) {
        // Rows of one code stand together, the primary city first.
        let position = match postcodes.last() {
            Some(last) if last.code == record.postcode => last.position + 1,
            _ => 0,
        };
        postcodes.push(PostcodeRow {
            code: record.postcode,
            position,
            city: record.city,
            state_code: record.state_code,
        });
    }
    (records(STATES).collect(), postcodes)
}

/// A part of the country with its share of all parcels, in percent.
struct Region {
    share: u64,
    has: fn(&PostcodeRow) -> bool,
}

/// A postcode belongs to the first region that has it.
const REGIONS: [Region; 4] = [
    Region {
        share: 55,
        has: is_klang_valley,
    },
    Region {
        share: 12,
        has: |place| place.state_code == "PNG",
    },
    Region {
        share: 13,
        has: is_johor_bahru,
    },
    Region {
        share: 20,
        has: |_| true,
    },
];

fn is_klang_valley(place: &PostcodeRow) -> bool {
    let cities = [
        "Ampang",
        "Bandar Baru Bangi",
        "Batu Caves",
        "Cheras",
        "Cyberjaya",
        "Hulu Langat",
        "Kajang",
        "Klang",
        "Pelabuhan Klang",
        "Petaling Jaya",
        "Puchong",
        "Rawang",
        "Semenyih",
        "Serdang",
        "Seri Kembangan",
        "Shah Alam",
        "Subang Jaya",
        "Sungai Buloh",
    ];
    matches!(place.state_code.as_str(), "KUL" | "PJY")
        || (place.state_code == "SGR" && cities.contains(&place.city.as_str()))
}

fn is_johor_bahru(place: &PostcodeRow) -> bool {
    let cities = [
        "Gelang Patah",
        "Iskandar Puteri",
        "Johor Bahru",
        "Masai",
        "Pasir Gudang",
        "Ulu Tiram",
    ];
    place.state_code == "JHR" && cities.contains(&place.city.as_str())
}

/// Draws postcodes as parcels go: by regions, and in each region some postcodes more than others.
pub(super) struct Delivery {
    regions: Vec<(u64, Vec<String>)>,
}

impl Delivery {
    pub(super) fn of(seed: u64, postcodes: &[PostcodeRow]) -> Self {
        let mut random = Random::of(seed, "regions");
        let mut regions: Vec<(u64, Vec<String>)> = REGIONS
            .iter()
            .map(|region| (region.share, Vec::new()))
            .collect();
        for place in postcodes.iter().filter(|place| place.position == 0) {
            let region = REGIONS.iter().position(|region| (region.has)(place));
            if let Some((_, codes)) = region.and_then(|region| regions.get_mut(region)) {
                codes.push(place.code.clone());
            }
        }
        for (_, codes) in &mut regions {
            random.shuffle(codes);
        }
        Self { regions }
    }

    pub(super) fn draw(&self, random: &mut Random) -> String {
        let mut left = random.below(self.regions.iter().map(|(share, _)| share).sum());
        for (share, codes) in &self.regions {
            match left.checked_sub(*share) {
                Some(rest) => left = rest,
                None => return random.pick_early(codes).cloned().unwrap_or_default(),
            }
        }
        String::new()
    }
}
