//! The bytes in the remote tier: what is stored around a value, and how it is read back with distrust.
//!
//! A cell begins with its kind and a 16-byte id, never compressed, so that scripts can compare
//! them. Bytes of another shape, cut short, changed, or of another key are an error here and a
//! miss for the caller; never a panic and never a wrong value.
//!
//! ```text
//! kind(1) id(16)                                        every cell; a lease or an error ends here
//! "TK" version(1) flags(1)
//! [ incarnation(16) xmin:v xmax:v count:v delta:v… ]    certificate, if flag 1
//! count:v { length:v bytes }…                           deps
//! created:v fresh_ms:v stale_ms:v load_us:v             times; v is LEB128
//! length:v bytes                                        the key, echoed
//! plain_length:v length:v checksum(8) bytes             payload; lz4 if flag 4; no payload if flag 2
//! ```
//!
//! The checksum (xxh3-64, little endian) is over everything but itself.
//!
//! What is not there is not written: an absent entry has two lengths of zero, a payload that is
//! not compressed has the same length twice, a number has no leading zeros.
//!
//! # Changing what is stored
//!
//! During a deploy old and new processes read each other's cells, and cells outlive both.
//!
//! - Bytes 0 to 16 stay as they are: the scripts of every release compare them, whatever follows.
//! - A cell that a release does not understand is a miss for it, and it replaces the cell. So two
//!   releases that write different shapes under one key are right, but load for each other as long
//!   as both run. Therefore: first a release that reads both, then one that writes the new shape;
//!   the old one can go when no process writes it any more and its longest life has passed.
//! - Everything behind byte 16 belongs to [`VERSION`]: another field, another meaning, even another
//!   flag is a new version, because a reader refuses flags that it does not know. A limit below
//!   ([`MOST_DEPS`] and its like) grows for readers one release before it grows for writers.
//! - A version, a flag or a kind that was given up is not used for something else.
//! - Golden cells of every version that was ever released are fixtures of the test `envelope`:
//!   today's reader reads them, or refuses them if it has given that version up. They are not
//!   changed.
//! - How a value is encoded is not told here. Its schema is a part of the key, so entries of two
//!   schemas never meet.

use bytes::{BufMut, Bytes, BytesMut};

use crate::certificate::{Certificate, Dep, Incarnation, Position};
use crate::ports::CellHead;

/// The version of the shape that is written, and the only one that is read.
pub const VERSION: u8 = 1;

/// A value that is larger when plain is refused: nobody stores such a thing in a cache.
pub const MOST_PLAIN_BYTES: usize = 64 << 20;

/// One byte of lz4 stands for fewer plain bytes than this: a match grows by up to 255 with each
/// further byte of its length. What promises more is a bomb.
const MOST_LZ4_RATIO: usize = 255;

/// Snapshots with more transactions under way are not written.
pub const MOST_XIP: usize = 4_096;

/// An entry has no more deps than this.
pub const MOST_DEPS: usize = 1_024;

const MAGIC: [u8; 2] = *b"TK";
const HAS_CERTIFICATE: u8 = 1;
const IS_ABSENT: u8 = 2;
const IS_COMPRESSED: u8 = 4;

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value, or the knowledge that there is none.
    Value,
    /// Somebody is loading.
    Lease,
    /// The last load failed; the marker goes away soon.
    Error,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Value => b'V',
            Self::Lease => b'L',
            Self::Error => b'E',
        }
    }

    /// The head of a cell of this kind.
    pub fn head(self, id: [u8; 16]) -> CellHead {
        let mut head = [0; 17];
        for (to, from) in head.iter_mut().zip([self.byte()].into_iter().chain(id)) {
            *to = from;
        }
        head
    }
}

/// The kind and head of a cell.
///
/// # Errors
/// When the bytes are no cell at all.
pub fn head(cell: &[u8]) -> Result<(Kind, CellHead), DecodeError> {
    let head: CellHead = cell
        .get(..17)
        .and_then(|head| head.try_into().ok())
        .ok_or(DecodeError::Truncated)?;
    let kind = [Kind::Value, Kind::Lease, Kind::Error]
        .into_iter()
        .find(|kind| kind.byte() == head[0]);
    let kind = kind.ok_or(DecodeError::Kind)?;
    // Leases and markers are their heads; what is longer is somebody's text.
    if kind != Kind::Value && cell.len() != head.len() {
        return Err(DecodeError::Kind);
    }
    Ok((kind, head))
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Differs from every other fill.
    pub id: [u8; 16],
    /// What the load had seen; none where there is no change log.
    pub certificate: Option<Certificate>,
    /// What the entry shows besides its own key.
    pub deps: Vec<Dep>,
    /// When it was loaded, in milliseconds since 1970.
    pub created_ms: u64,
    /// For how long it is fresh after that.
    pub fresh_ms: u64,
    /// For how long it is usable as a stale value after that.
    pub stale_ms: u64,
    /// How long the load took, in microseconds.
    pub load_us: u64,
    /// The encoded value; nothing when there is no such thing.
    pub payload: Option<Bytes>,
}

/// Why bytes are not an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the bytes end too early")]
    Truncated,
    /// The first byte names no kind of cell.
    #[error("no known kind of cell")]
    Kind,
    /// It is a lease or an error marker.
    #[error("not a value")]
    NotAValue,
    /// The magic or the version is another one.
    #[error("another format or version")]
    Version,
    /// A number, a text or a flag is out of its range.
    #[error("a field is out of its range")]
    Field,
    /// The checksum differs.
    #[error("the checksum differs")]
    Checksum,
    /// The entry is of another key.
    #[error("an entry of another key")]
    Key,
    /// There are bytes behind the end.
    #[error("bytes behind the end")]
    Trailing,
}

impl Envelope {
    /// The bytes of the cell. `compress_above` is in bytes of the plain payload.
    ///
    /// # Errors
    /// When the entry is beyond what may be stored: too many deps or transactions, too large.
    pub fn encode(&self, key: &str, compress_above: usize) -> Result<Bytes, DecodeError> {
        let plain = self.payload.as_deref().unwrap_or_default();
        let xip = self
            .certificate
            .as_ref()
            .map_or(0, |certificate| certificate.position.xip().len());
        if plain.len() > MOST_PLAIN_BYTES || self.deps.len() > MOST_DEPS || xip > MOST_XIP {
            return Err(DecodeError::Field);
        }
        let packed = (plain.len() > compress_above)
            .then(|| lz4_flex::block::compress(plain))
            .filter(|packed| packed.len() < plain.len());
        let mut flags = 0;
        if self.certificate.is_some() {
            flags |= HAS_CERTIFICATE;
        }
        if self.payload.is_none() {
            flags |= IS_ABSENT;
        }
        if packed.is_some() {
            flags |= IS_COMPRESSED;
        }
        let body = packed.as_deref().unwrap_or(plain);
        let mut out = BytesMut::with_capacity(128 + key.len() + body.len());
        out.put_slice(&Kind::Value.head(self.id));
        out.put_slice(&MAGIC);
        out.put_u8(VERSION);
        out.put_u8(flags);
        if let Some(certificate) = &self.certificate {
            put_certificate(&mut out, certificate);
        }
        put_number(&mut out, self.deps.len() as u64);
        for dep in &self.deps {
            put_bytes(&mut out, dep.name().as_bytes());
        }
        for number in [self.created_ms, self.fresh_ms, self.stale_ms, self.load_us] {
            put_number(&mut out, number);
        }
        put_bytes(&mut out, key.as_bytes());
        put_number(&mut out, plain.len() as u64);
        put_number(&mut out, body.len() as u64);
        let checksum = checksum(&out, body);
        out.put_u64_le(checksum);
        out.put_slice(body);
        Ok(out.freeze())
    }

    /// Reads the cell of `key`.
    ///
    /// # Errors
    /// When the bytes are anything but a whole and unchanged entry of this key and version.
    pub fn decode(cell: &Bytes, key: &str) -> Result<Self, DecodeError> {
        let (kind, head) = head(cell)?;
        if kind != Kind::Value {
            return Err(DecodeError::NotAValue);
        }
        let [_, id @ ..] = head;
        let mut reader = Reader {
            cell,
            at: head.len(),
        };
        if reader.take(MAGIC.len())? != MAGIC || reader.byte()? != VERSION {
            return Err(DecodeError::Version);
        }
        let flags = reader.byte()?;
        if flags & !(HAS_CERTIFICATE | IS_ABSENT | IS_COMPRESSED) != 0 {
            return Err(DecodeError::Field);
        }
        let certificate = (flags & HAS_CERTIFICATE != 0)
            .then(|| reader.certificate())
            .transpose()?;
        let deps = reader.deps()?;
        let (created_ms, fresh_ms) = (reader.number()?, reader.number()?);
        let (stale_ms, load_us) = (reader.number()?, reader.number()?);
        let echo = reader.bytes()?;
        let (plain_length, length) = (reader.length()?, reader.length()?);
        let before = cell.get(..reader.at).ok_or(DecodeError::Truncated)?;
        let expected = u64::from_le_bytes(reader.array()?);
        let start = reader.at;
        let body = reader.take(length)?;
        if reader.at != cell.len() {
            return Err(DecodeError::Trailing);
        }
        if checksum(before, body) != expected {
            return Err(DecodeError::Checksum);
        }
        if echo != key.as_bytes() {
            return Err(DecodeError::Key);
        }
        let payload = match (flags & IS_ABSENT != 0, flags & IS_COMPRESSED != 0) {
            (true, false) if length == 0 && plain_length == 0 => None,
            (false, false) if length == plain_length && length <= MOST_PLAIN_BYTES => {
                Some(cell.slice(start..))
            }
            (false, true) => Some(decompress(body, plain_length)?),
            (true, _) | (false, false) => return Err(DecodeError::Field),
        };
        Ok(Self {
            id,
            certificate,
            deps,
            created_ms,
            fresh_ms,
            stale_ms,
            load_us,
            payload,
        })
    }
}

fn decompress(body: &[u8], plain_length: usize) -> Result<Bytes, DecodeError> {
    // Before anything is allocated for it.
    if plain_length > MOST_PLAIN_BYTES.min(body.len().saturating_mul(MOST_LZ4_RATIO)) {
        return Err(DecodeError::Field);
    }
    let plain = lz4_flex::block::decompress(body, plain_length).map_err(|_| DecodeError::Field)?;
    if plain.len() == plain_length {
        Ok(plain.into())
    } else {
        Err(DecodeError::Field)
    }
}

fn checksum(before: &[u8], body: &[u8]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    hasher.update(before);
    hasher.update(body);
    hasher.digest()
}

fn put_number(out: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8(low_bits(number) | 0x80);
        number >>= 7;
    }
    out.put_u8(low_bits(number));
}

/// The low seven bits.
const fn low_bits(number: u64) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low & 0x7f
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.put_slice(bytes);
}

fn put_certificate(out: &mut BytesMut, certificate: &Certificate) {
    let position = &certificate.position;
    out.put_slice(&certificate.incarnation.to_bytes());
    put_number(out, position.xmin());
    put_number(out, position.xmax());
    put_number(out, position.xip().len() as u64);
    let mut last = position.xmin();
    for &xid in position.xip() {
        put_number(out, xid - last);
        last = xid;
    }
}

struct Reader<'a> {
    cell: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(length).ok_or(DecodeError::Truncated)?;
        let taken = self.cell.get(self.at..end).ok_or(DecodeError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Truncated)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::Field);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                let has_leading_zeros = byte == 0 && shift > 0;
                return if has_leading_zeros {
                    Err(DecodeError::Field)
                } else {
                    Ok(number)
                };
            }
        }
        Err(DecodeError::Field)
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.number()?).map_err(|_| DecodeError::Field)
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?;
        self.take(length)
    }

    fn deps(&mut self) -> Result<Vec<Dep>, DecodeError> {
        let count = self.length()?;
        if count > MOST_DEPS {
            return Err(DecodeError::Field);
        }
        (0..count)
            .map(|_| {
                std::str::from_utf8(self.bytes()?)
                    .map(Dep::new)
                    .map_err(|_| DecodeError::Field)
            })
            .collect()
    }

    fn certificate(&mut self) -> Result<Certificate, DecodeError> {
        let incarnation = Incarnation::from_bytes(self.array()?);
        let (xmin, xmax, count) = (self.number()?, self.number()?, self.length()?);
        if count > MOST_XIP {
            return Err(DecodeError::Field);
        }
        let mut last = xmin;
        let xip = (0..count)
            .map(|_| {
                last = last.checked_add(self.number()?).ok_or(DecodeError::Field)?;
                Ok(last)
            })
            .collect::<Result<Vec<u64>, DecodeError>>()?;
        let position = Position::snapshot(xmin, xmax, xip).map_err(|_| DecodeError::Field)?;
        if position.xip().len() != count {
            // One was named twice.
            return Err(DecodeError::Field);
        }
        Ok(Certificate {
            incarnation,
            position,
        })
    }
}
