//! The bodies of answers, kept beside the values that they show: made once for each fill, at the
//! first answer, and shared by all others.
//!
//! Whoever shows values makes them; a value only has the room. It is charged for it before it is used,
//! where there is one body and all are asked for; a product is charged for each of its bodies once it is
//! there. A body is charged its bytes and about 280 more, and one of more than 1 KiB three quarters of
//! its bytes again, for the packed form. No part of what a value is: a copy begins without, two values
//! are equal whatever they have here, and nothing of it is ever stored.

use std::io::{self, Write as _};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

/// Bodies that are longer are worth packing: what is shorter fits into one segment as it is.
pub const PACK_ABOVE: usize = 1 << 10;

/// A packed form is kept if it is no longer than three quarters of the body.
const WORTH: (usize, usize) = (3, 4);

/// What a body takes besides its bytes: its texts, and what is allocated for each of the three.
const BODY_BYTES: usize = size_of::<Body>() + 2 * TAG_BYTES + 130;

/// What a packed form takes besides its bytes.
const PACKED_BYTES: usize = size_of::<Packed>() + 70;

/// Two quotes and 32 hexadecimal digits.
const TAG_BYTES: usize = 34;

const PACKED_MARK: &str = "-gzip";

/// The bytes of an answer, and what is told of them in its headers.
#[derive(Debug)]
pub struct Body {
    bytes: Bytes,
    /// The tag, the tag of the packed form and the length, one behind the other.
    texts: Bytes,
    packed: OnceLock<Option<Box<Packed>>>,
}

/// The same, packed by gzip.
#[derive(Clone, Debug)]
pub struct Packed {
    bytes: Bytes,
    length: Bytes,
}

impl Body {
    /// The body of these bytes. Equal bytes have equal tags on every node.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let print = xxh3_128(&bytes);
        let length = bytes.len();
        let texts = format!("\"{print:032x}\"\"{print:032x}{PACKED_MARK}\"{length}");
        Self {
            bytes,
            texts: texts.into(),
            packed: OnceLock::new(),
        }
    }

    /// The bytes as they are.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Their strong tag, in its quotes.
    pub fn tag(&self) -> Bytes {
        self.texts.slice(..TAG_BYTES)
    }

    /// The strong tag of the packed form, in its quotes.
    pub fn packed_tag(&self) -> Bytes {
        self.texts
            .slice(TAG_BYTES..2 * TAG_BYTES + PACKED_MARK.len())
    }

    /// How many bytes there are, as a text.
    pub fn length(&self) -> Bytes {
        self.texts.slice(2 * TAG_BYTES + PACKED_MARK.len()..)
    }

    /// The packed form, if that was made; nothing in it where it is not worth its bytes.
    pub fn packed(&self) -> Option<Option<&Packed>> {
        self.packed.get().map(Option::as_deref)
    }

    /// Keeps the packed form, if it is worth its bytes, and gives back what is kept.
    pub fn keep(&self, packed: Packed) -> Option<&Packed> {
        let (part, whole) = WORTH;
        let is_worth_it = packed.bytes.len() * whole <= self.bytes.len() * part;
        let kept = self
            .packed
            .get_or_init(|| is_worth_it.then(|| Box::new(packed)));
        kept.as_deref()
    }
}

impl Packed {
    /// Packs bytes. The same bytes are packed to the same on every node of one release.
    pub fn of(bytes: &[u8], effort: Effort) -> Self {
        let level = match effort {
            Effort::Once => Compression::default(),
            Effort::EachTime => Compression::fast(),
        };
        let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), level);
        // Writing to memory does not fail.
        let _ = encoder.write_all(bytes);
        let packed = encoder.finish().unwrap_or_default();
        let packed = Bytes::from(packed.into_boxed_slice());
        let length = packed.len().to_string().into();
        Self {
            bytes: packed,
            length,
        }
    }

    /// The packed bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many they are, as a text.
    pub const fn length(&self) -> &Bytes {
        &self.length
    }
}

/// How hard it is tried to pack well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For a form that is kept.
    Once,
    /// For a form that is made for each answer.
    EachTime,
}

/// Room for one body of a value.
#[derive(Debug, Default)]
pub struct Kept(OnceLock<Box<Body>>);

impl Kept {
    /// The body, made if it is not there yet. Two who ask at once may make it twice; it is the same.
    ///
    /// # Errors
    /// As `make`; and nothing is kept.
    pub fn or_make<E>(&self, make: impl FnOnce() -> Result<Bytes, E>) -> Result<&Body, E> {
        if let Some(body) = self.0.get() {
            return Ok(body);
        }
        let body = Box::new(Body::new(make()?));
        Ok(self.0.get_or_init(|| body))
    }

    /// Whether the body is there.
    pub fn is_made(&self) -> bool {
        self.0.get().is_some()
    }

    /// What an entry is charged for it, with its packed form; nothing before it is made.
    pub(crate) fn charge(&self) -> usize {
        self.0.get().map_or(0, |body| charge(body.bytes.len()))
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

/// Room for a body that shows numbers of other entries as well: it is good as long as they are the same.
#[derive(Debug, Default)]
pub struct KeptWith(RwLock<Option<Arc<With>>>);

#[derive(Debug)]
struct With {
    numbers: Box<[u64]>,
    body: Arc<Body>,
}

impl KeptWith {
    /// The body with these numbers, made if there is none or it has others.
    ///
    /// # Errors
    /// As `make`; and what was kept stays.
    pub fn or_make<E>(
        &self,
        numbers: &[u64],
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Arc<Body>, E> {
        let kept = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(kept) = kept.filter(|kept| *kept.numbers == *numbers) {
            return Ok(Arc::clone(&kept.body));
        }
        let body = Arc::new(Body::new(make()?));
        let with = With {
            numbers: numbers.into(),
            body: Arc::clone(&body),
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(with));
        Ok(body)
    }
}

impl Clone for KeptWith {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for KeptWith {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KeptWith {}

/// What an entry is charged for a body of this many bytes, with its packed form.
pub(crate) const fn charge(body_bytes: usize) -> usize {
    BODY_BYTES + body_bytes + packed_charge(body_bytes)
}

/// The same where the bytes themselves are a part of the value.
pub(crate) const fn charge_beside(body_bytes: usize) -> usize {
    BODY_BYTES + packed_charge(body_bytes)
}

const fn packed_charge(body_bytes: usize) -> usize {
    if body_bytes > PACK_ABOVE {
        let (part, whole) = WORTH;
        PACKED_BYTES + body_bytes / whole * part
    } else {
        0
    }
}

/// How long a value is as JSON.
pub(crate) fn json_bytes(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    // What has no JSON has no body either.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_tag_is_quoted_and_follows_the_bytes() {
        let body = Body::new("lamp");
        assert_eq!(text(&body.tag()).len(), TAG_BYTES);
        assert_eq!(body.tag(), Body::new("lamp").tag());
        assert_ne!(body.tag(), Body::new("lamps").tag());
        assert_eq!(text(&body.length()), "4");
        let tag = text(&body.tag()).trim_matches('"').to_owned();
        assert_eq!(text(&body.packed_tag()), format!("\"{tag}-gzip\""));
    }

    #[test]
    fn what_is_packed_is_the_same_again() {
        let bytes = "a lamp and ".repeat(200);
        for effort in [Effort::Once, Effort::EachTime] {
            let packed = Packed::of(bytes.as_bytes(), effort);
            assert!(packed.bytes().len() < bytes.len() / 4);
            assert_eq!(text(packed.length()), packed.bytes().len().to_string());
            let mut again = String::new();
            let mut decoder = GzDecoder::new(&packed.bytes()[..]);
            decoder.read_to_string(&mut again).unwrap();
            assert_eq!(again, bytes);
        }
    }

    #[test]
    fn a_packed_form_that_saves_little_is_not_kept() {
        let mut seed = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed.to_be_bytes()[0]
        })
        .take(2000)
        .collect();
        let body = Body::new(noise);
        assert!(body.packed().is_none());
        assert!(body.keep(Packed::of(body.bytes(), Effort::Once)).is_none());
        assert!(matches!(body.packed(), Some(None)), "it is known");
        let body = Body::new("lamp".repeat(500));
        assert!(body.keep(Packed::of(body.bytes(), Effort::Once)).is_some());
        assert!(matches!(body.packed(), Some(Some(_))));
    }

    #[test]
    fn a_body_is_made_once_for_a_value_and_not_copied_with_it() {
        let kept = Kept::default();
        let never = || -> Result<Bytes, Infallible> { panic!("it is there") };
        let made = |text: &'static str| move || Ok::<_, Infallible>(Bytes::from(text));
        let Ok(body) = kept.or_make(made("one"));
        let Ok(again) = kept.or_make(never);
        assert!(std::ptr::eq(body, again));
        let copy = kept.clone();
        let Ok(other) = copy.or_make(made("two"));
        assert_eq!(other.bytes(), "two");
        assert_eq!(copy, kept);
    }

    #[test]
    fn a_body_with_other_numbers_is_made_anew() {
        let kept = KeptWith::default();
        let made = |text: &'static str| move || Ok::<_, &str>(Bytes::from(text));
        let one = kept.or_make(&[1, 2], made("one")).unwrap();
        let never = || -> Result<Bytes, &str> { panic!("it is there") };
        let again = kept.or_make(&[1, 2], never).unwrap();
        assert!(Arc::ptr_eq(&one, &again));
        assert_eq!(kept.or_make(&[1, 3], || Err("no")).unwrap_err(), "no");
        assert_eq!(kept.or_make(&[1], made("two")).unwrap().bytes(), "two");
        let third = kept.or_make(&[1, 2], made("three")).unwrap();
        assert_eq!(third.bytes(), "three");
        assert_eq!(one.bytes(), "one", "who has it keeps it");
        let copy = kept.clone();
        assert_eq!(copy.or_make(&[1, 2], made("copy")).unwrap().bytes(), "copy");
    }

    #[test]
    fn what_can_not_be_made_is_asked_for_again() {
        let kept = Kept::default();
        assert_eq!(kept.or_make(|| Err("no")).unwrap_err(), "no");
        assert!(kept.or_make(|| Ok::<_, ()>(Bytes::new())).is_ok());
    }
}
