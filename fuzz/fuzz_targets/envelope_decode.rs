//! Cells of the remote tier. Most random bytes end at the checksum, so the same bytes are tried
//! again around a checksum that fits.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tingkat::envelope::{Envelope, head};
use xxhash_rust::xxh3::xxh3_64;

const KEY: &str = "";

fuzz_target!(|data: &[u8]| {
    let _ = head(data);
    read(Bytes::copy_from_slice(data));
    // The first byte says where the checksum goes; the body is what follows.
    if let Some((&at, rest)) = data.split_first()
        && let Some((before, body)) = rest.split_at_checked(usize::from(at))
    {
        let mut cell = before.to_vec();
        cell.extend(xxh3_64(&[before, body].concat()).to_le_bytes());
        cell.extend(body);
        read(cell.into());
    }
});

fn read(cell: Bytes) {
    let Ok(envelope) = Envelope::decode(&cell, KEY) else {
        return;
    };
    for compress_above in [0, usize::MAX] {
        let again = envelope
            .encode(KEY, compress_above)
            .expect("what was read is within the limits");
        assert_eq!(Envelope::decode(&again, KEY).as_ref(), Ok(&envelope));
    }
}
