//! The bytes in the remote tier: stored shapes stay readable, and whatever else the bytes may be,
//! they are an error; never a panic, never another value.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use bytes::Bytes;
use proptest::prelude::*;
use tingkat::certificate::{Certificate, Dep, Incarnation, Position};
use tingkat::envelope::{
    DecodeError, Envelope, Kind, MOST_DEPS, MOST_PLAIN_BYTES, MOST_XIP, VERSION, head,
};

const NEVER_COMPRESS: usize = usize::MAX;

/// The bytes of a golden cell: hex, with a comment behind `#`.
fn golden(text: &str) -> Bytes {
    let digits: String = text
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(str::chars)
        .filter(|digit| !digit.is_whitespace())
        .collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn id() -> [u8; 16] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

fn value() -> Envelope {
    Envelope {
        id: id(),
        certificate: Some(Certificate {
            incarnation: Incarnation::from_bytes([0xab; 16]),
            position: Position::snapshot(1_000, 1_300, vec![1_000, 1_007, 1_299]).unwrap(),
        }),
        deps: vec![Dep::new("category:12"), Dep::new("products.list")],
        created_ms: 1_767_225_600_000,
        fresh_ms: 3_600_000,
        stale_ms: 86_400_000,
        load_us: 1_500,
        payload: Some(Bytes::from_static(b"a mug")),
    }
}

fn assert_golden(cell: &Bytes, key: &str, envelope: &Envelope, compress_above: usize) {
    assert_eq!(Envelope::decode(cell, key).as_ref(), Ok(envelope));
    assert_eq!(envelope.encode(key, compress_above).as_ref(), Ok(cell));
}

#[test]
fn a_value_of_version_1_is_read_and_written_as_ever() {
    let cell = golden(include_str!("fixtures/envelope/v1/value.hex"));
    assert_golden(&cell, "MUG-7", &value(), NEVER_COMPRESS);
    assert_eq!(head(&cell), Ok((Kind::Value, Kind::Value.head(id()))));
}

#[test]
fn a_value_of_version_1_without_a_log_is_read_and_written_as_ever() {
    let cell = golden(include_str!("fixtures/envelope/v1/without_log.hex"));
    let envelope = Envelope {
        certificate: None,
        deps: Vec::new(),
        ..value()
    };
    assert_golden(&cell, "MUG-7", &envelope, NEVER_COMPRESS);
}

#[test]
fn an_absent_entry_of_version_1_is_read_and_written_as_ever() {
    let cell = golden(include_str!("fixtures/envelope/v1/absent.hex"));
    let envelope = Envelope {
        deps: Vec::new(),
        payload: None,
        ..value()
    };
    assert_golden(&cell, "GONE", &envelope, NEVER_COMPRESS);
}

#[test]
fn a_compressed_value_of_version_1_is_read_as_ever() {
    let cell = golden(include_str!("fixtures/envelope/v1/compressed.hex"));
    let envelope = Envelope {
        payload: Some(Bytes::from("mug ".repeat(100))),
        ..value()
    };
    assert_eq!(Envelope::decode(&cell, "MUG-7").as_ref(), Ok(&envelope));
    // How well lz4 packs is its own affair.
    let again = envelope.encode("MUG-7", 0).unwrap();
    assert!(again.len() < 250);
    assert_eq!(Envelope::decode(&again, "MUG-7"), Ok(envelope));
}

#[test]
fn leases_and_error_markers_of_version_1_are_known_and_are_no_values() {
    for (kind, text) in [
        (Kind::Lease, include_str!("fixtures/envelope/v1/lease.hex")),
        (Kind::Error, include_str!("fixtures/envelope/v1/error.hex")),
    ] {
        let cell = golden(text);
        assert_eq!(head(&cell), Ok((kind, kind.head(id()))));
        assert_eq!(cell[..], kind.head(id()));
        assert_eq!(
            Envelope::decode(&cell, "MUG-7"),
            Err(DecodeError::NotAValue)
        );
    }
}

#[test]
fn another_version_another_kind_and_another_key_are_refused() {
    let cell = value().encode("MUG-7", NEVER_COMPRESS).unwrap();
    let with = |at: usize, byte: u8| {
        let mut cell = cell.to_vec();
        cell[at] = byte;
        Envelope::decode(&cell.into(), "MUG-7")
    };
    assert_eq!(with(0, b'X'), Err(DecodeError::Kind));
    assert_eq!(with(17, b'X'), Err(DecodeError::Version));
    assert_eq!(with(19, VERSION + 1), Err(DecodeError::Version));
    assert_eq!(with(20, 0xff), Err(DecodeError::Field));
    assert_eq!(Envelope::decode(&cell, "MUG-8"), Err(DecodeError::Key));
    assert_eq!(
        Envelope::decode(&Bytes::new(), ""),
        Err(DecodeError::Truncated)
    );
}

/// A cell with a right checksum, however wrong it is inside.
fn forged(before: &[u8], plain_length: u64, length: u64, body: &[u8]) -> Bytes {
    let mut cell = Kind::Value.head(id()).to_vec();
    cell.extend(b"TK");
    cell.push(VERSION);
    cell.extend(before);
    for mut number in [plain_length, length] {
        while number >= 0x80 {
            cell.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        cell.push(number.to_le_bytes()[0]);
    }
    let checksum = xxhash_rust::xxh3::xxh3_64(&[&cell, body].concat());
    cell.extend(checksum.to_le_bytes());
    cell.extend(body);
    cell.into()
}

/// Flags, then no deps, no times and no key.
fn plain_fields(flags: u8) -> [u8; 7] {
    [flags, 0, 0, 0, 0, 0, 0]
}

#[test]
fn a_cell_with_a_right_checksum_and_right_fields_is_read() {
    let cell = forged(&plain_fields(0), 3, 3, b"mug");
    let payload = Envelope::decode(&cell, "").unwrap().payload;
    assert_eq!(payload.as_deref(), Some(&b"mug"[..]));
}

#[test]
fn decompression_bombs_are_refused() {
    let body = lz4_flex::block::compress(&vec![0; 1 << 20]);
    let honest = forged(&plain_fields(4), 1 << 20, body.len() as u64, &body);
    assert!(Envelope::decode(&honest, "").is_ok());
    // To allocate as much as the first two ask for would end the process.
    for promised in [
        u64::MAX,
        1 << 48,
        MOST_PLAIN_BYTES as u64 + 1,
        (1 << 20) + 1,
        1,
    ] {
        let cell = forged(&plain_fields(4), promised, body.len() as u64, &body);
        assert_eq!(
            Envelope::decode(&cell, ""),
            Err(DecodeError::Field),
            "{promised}"
        );
    }
    let tiny = forged(&plain_fields(4), MOST_PLAIN_BYTES as u64, 10, &body[..10]);
    assert_eq!(Envelope::decode(&tiny, ""), Err(DecodeError::Field));
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    for (flags, plain_length, length, body) in [
        (0, 4, 3, &b"mug"[..]),
        (2, 3, 3, b"mug"),
        (2, 1, 0, b""),
        (6, 0, 0, b""),
        (4, 0, 0, b""),
    ] {
        let cell = forged(&plain_fields(flags), plain_length, length, body);
        assert_eq!(
            Envelope::decode(&cell, ""),
            Err(DecodeError::Field),
            "flags {flags}"
        );
    }
    for length in [2, 4, u64::MAX] {
        let cell = forged(&plain_fields(0), 3, length, b"mug");
        assert!(Envelope::decode(&cell, "").is_err());
    }
}

#[test]
fn counts_that_are_too_large_are_refused_before_anything_is_read() {
    // 2^63 deps, then 2^63 transactions under way.
    let many = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    let cell = forged(&[&[0][..], &many].concat(), 0, 0, b"");
    assert_eq!(Envelope::decode(&cell, ""), Err(DecodeError::Field));
    let cell = forged(&[&[1][..], &[0; 16], &[1, 2], &many].concat(), 0, 0, b"");
    assert_eq!(Envelope::decode(&cell, ""), Err(DecodeError::Field));
}

#[test]
fn numbers_have_one_spelling() {
    for number in [
        &[0x80, 0x00][..],
        &[0xff; 11],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
    ] {
        let before = [&[0][..], number, &[0; 5]].concat();
        let cell = forged(&before, 3, 3, b"mug");
        assert_eq!(
            Envelope::decode(&cell, ""),
            Err(DecodeError::Field),
            "{number:?}"
        );
    }
    // The same transaction twice.
    let before = [&[1][..], &[0; 16], &[5, 9, 2, 1, 0], &[0; 6]].concat();
    let cell = forged(&before, 3, 3, b"mug");
    assert_eq!(Envelope::decode(&cell, ""), Err(DecodeError::Field));
}

#[test]
fn what_is_beyond_the_limits_is_not_written() {
    let with = |envelope: Envelope| envelope.encode("MUG-7", NEVER_COMPRESS).map(|_| ());
    let deps = |count| Envelope {
        deps: vec![Dep::new("state:SGR"); count],
        ..value()
    };
    assert_eq!(with(deps(MOST_DEPS)), Ok(()));
    assert_eq!(with(deps(MOST_DEPS + 1)), Err(DecodeError::Field));
    let under_way = |count: usize| {
        let position = Position::snapshot(1, 10_000, (1..=count as u64).collect()).unwrap();
        let incarnation = Incarnation::from_bytes([1; 16]);
        Envelope {
            certificate: Some(Certificate {
                incarnation,
                position,
            }),
            ..value()
        }
    };
    assert_eq!(with(under_way(MOST_XIP)), Ok(()));
    assert_eq!(with(under_way(MOST_XIP + 1)), Err(DecodeError::Field));
    let large = Envelope {
        payload: Some(vec![0; MOST_PLAIN_BYTES + 1].into()),
        ..value()
    };
    assert_eq!(with(large), Err(DecodeError::Field));
}

prop_compose! {
    fn certificates()(
        incarnation in any::<[u8; 16]>(),
        xmin in 0..u64::MAX / 2,
        width in 0_u64..1 << 20,
        under_way in prop::collection::btree_set(0_u64..1 << 20, 0..20),
    ) -> Certificate {
        let xip = under_way.into_iter().filter(|id| *id < width).map(|id| xmin + id).collect();
        Certificate {
            incarnation: Incarnation::from_bytes(incarnation),
            position: Position::snapshot(xmin, xmin + width, xip).unwrap(),
        }
    }
}

fn payloads() -> impl Strategy<Value = Option<Bytes>> {
    let random = prop::collection::vec(any::<u8>(), 0..300);
    let regular = (any::<u8>(), 0_usize..5_000).prop_map(|(byte, count)| vec![byte; count]);
    prop::option::of(prop_oneof![random, regular].prop_map(Bytes::from))
}

prop_compose! {
    fn envelopes()(
        id in any::<[u8; 16]>(),
        certificate in prop::option::of(certificates()),
        deps in prop::collection::vec(".{0,20}".prop_map(Dep::new), 0..6),
        times in any::<[u64; 4]>(),
        payload in payloads(),
    ) -> Envelope {
        let [created_ms, fresh_ms, stale_ms, load_us] = times;
        Envelope { id, certificate, deps, created_ms, fresh_ms, stale_ms, load_us, payload }
    }
}

prop_compose! {
    /// An envelope with its key and its cell, compressed or not.
    fn cells()(
        envelope in envelopes(),
        key in ".{0,20}",
        compress_above in prop_oneof![Just(0), Just(NEVER_COMPRESS), 0_usize..400],
    ) -> (Envelope, String, Bytes) {
        let cell = envelope.encode(&key, compress_above).unwrap();
        (envelope, key, cell)
    }
}

/// Damaged bytes are an error. Only bytes that are not damaged at all are the entry.
fn assert_refused(damaged: Vec<u8>, whole: &Bytes, key: &str) -> Result<(), TestCaseError> {
    prop_assume!(damaged[..] != whole[..]);
    let outcome = Envelope::decode(&damaged.into(), key);
    prop_assert!(outcome.is_err(), "{outcome:?}");
    Ok(())
}

proptest! {
    #[test]
    fn an_entry_reads_back((envelope, key, cell) in cells()) {
        prop_assert_eq!(Envelope::decode(&cell, &key), Ok(envelope));
    }

    #[test]
    fn an_entry_is_read_under_its_own_key_only((_, key, cell) in cells(), other in ".{0,20}") {
        prop_assume!(key != other);
        prop_assert_eq!(Envelope::decode(&cell, &other), Err(DecodeError::Key));
    }

    #[test]
    fn flipped_bits_are_refused(
        (_, key, cell) in cells(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..4),
    ) {
        let mut damaged = cell.to_vec();
        for (at, bit) in flips {
            let at = at.index(damaged.len());
            damaged[at] ^= 1 << bit;
        }
        assert_refused(damaged, &cell, &key)?;
    }

    #[test]
    fn a_cell_that_is_cut_short_is_refused((_, key, cell) in cells(), at in any::<prop::sample::Index>()) {
        assert_refused(cell[..at.index(cell.len())].to_vec(), &cell, &key)?;
    }

    #[test]
    fn bytes_behind_the_end_are_refused((_, key, cell) in cells(), more in prop::collection::vec(any::<u8>(), 1..40)) {
        assert_refused([&cell[..], &more].concat(), &cell, &key)?;
    }

    #[test]
    fn two_cells_that_were_spliced_are_refused(
        (_, key, cell) in cells(),
        other in envelopes(),
        cuts in any::<[prop::sample::Index; 2]>(),
    ) {
        let other = other.encode(&key, NEVER_COMPRESS).unwrap();
        let [before, behind] = cuts;
        let spliced = [&cell[..before.index(cell.len())], &other[behind.index(other.len())..]].concat();
        prop_assume!(spliced[..] != other[..]);
        assert_refused(spliced, &cell, &key)?;
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Envelope::decode(&bytes.into(), "MUG-7").is_err());
    }

    /// A checksum keeps damage out, not malice: what passes it must be whole all the same.
    #[test]
    fn what_passes_the_checksum_is_an_entry_or_refused(
        before in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..60),
        plain_length in prop_oneof![0_u64..600, any::<u64>()],
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let cell = forged(&before, plain_length, body.len() as u64, &body);
        if let Ok(envelope) = Envelope::decode(&cell, "") {
            let again = envelope.encode("", NEVER_COMPRESS).unwrap();
            prop_assert_eq!(Envelope::decode(&again, ""), Ok(envelope));
        }
    }
}
