//! Where a request stands in a trace (W3C Trace Context): what the client says of it, strictly read.
//!
//! What is malformed is ignored, and the trace begins here, as the text of the W3C says.

use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A `traceparent` of version 00; later versions may go on after another dash.
const LENGTH: usize = 55;

/// The only flag that version 00 knows; the others are not handed on.
const SAMPLED: u8 = 1;

/// As many members of a `tracestate` as there may be.
const MOST_MEMBERS: usize = 32;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) trace: u128,
    pub(super) flags: u8,
    /// What systems on the way want to find again.
    pub(super) state: Option<HeaderValue>,
}

impl Parent {
    /// What the headers of a request say, if they say it right.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let (trace, flags) = parent(value.as_bytes())?;
        Some(Self {
            trace,
            flags,
            state: state(headers),
        })
    }
}

fn parent(text: &[u8]) -> Option<(u128, u8)> {
    let (known, more) = text.split_at_checked(LENGTH)?;
    let mut fields = known.split(|byte| *byte == b'-');
    let version = hex(fields.next()?, 2)?;
    let trace = hex(fields.next()?, 32)?;
    let span = hex(fields.next()?, 16)?;
    let flags = hex(fields.next()?, 2)?;
    let is_whole = fields.next().is_none()
        && match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more.first() == Some(&b'-'),
        };
    let flags = u8::try_from(flags).ok()? & SAMPLED;
    (is_whole && trace != 0 && span != 0).then_some((trace, flags))
}

/// A number of exactly so many digits, none of them a capital letter.
fn hex(text: &[u8], digits: usize) -> Option<u128> {
    if text.len() != digits {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// All lines of `tracestate` as one, if every member is right.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(TRACESTATE).iter();
    let first = lines.next()?;
    let joined = match lines.next() {
        None => first.clone(),
        Some(second) => {
            let all = [first, second].into_iter().chain(lines);
            let all: Vec<&[u8]> = all.map(HeaderValue::as_bytes).collect();
            HeaderValue::try_from(all.join(&b',')).ok()?
        }
    };
    is_state(joined.as_bytes()).then_some(joined)
}

fn is_state(text: &[u8]) -> bool {
    let mut keys: Vec<&[u8]> = Vec::new();
    for member in text.split(|byte| *byte == b',') {
        let member = trimmed(member);
        // An empty member is allowed, and counts for nothing.
        if member.is_empty() {
            continue;
        }
        let Some(at) = member.iter().position(|byte| *byte == b'=') else {
            return false;
        };
        let (key, value) = member.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        if keys.len() == MOST_MEMBERS || !is_key(key) || !is_value(value) || keys.contains(&key) {
            return false;
        }
        keys.push(key);
    }
    !keys.is_empty()
}

fn trimmed(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let from = text.iter().position(is_text).unwrap_or(text.len());
    let to = text.iter().rposition(is_text).map_or(from, |at| at + 1);
    text.get(from..to).unwrap_or_default()
}

/// A name, or a tenant and a system.
fn is_key(key: &[u8]) -> bool {
    let is_inner = |byte: &u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'_' | b'-' | b'*' | b'/')
    };
    let is_name = |name: &[u8], most: usize, may_begin_with_digit: bool| {
        let begins = name.first().is_some_and(|byte| {
            byte.is_ascii_lowercase() || (may_begin_with_digit && byte.is_ascii_digit())
        });
        begins && name.len() <= most && name.iter().all(is_inner)
    };
    match key.iter().position(|byte| *byte == b'@') {
        None => is_name(key, 256, false),
        Some(at) => {
            let (tenant, system) = key.split_at(at);
            let system = system.get(1..).unwrap_or_default();
            is_name(tenant, 241, true) && is_name(system, 14, false)
        }
    }
}

fn is_value(value: &[u8]) -> bool {
    let is_printable = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    matches!(value.len(), 1..=256) && value.iter().all(is_printable) && value.last() != Some(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn read(traceparent: &str) -> Option<(u128, u8)> {
        parent(traceparent.as_bytes())
    }

    #[test]
    fn a_parent_is_read_and_flags_that_nobody_knows_are_left_out() {
        let trace = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
        for (flags, known) in [("00", 0), ("01", 1), ("03", 1), ("fe", 0)] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(read(&text), Some((trace, known)), "{text}");
        }
        for later in ["", "-", "-what-comes-later"] {
            let text = format!("cc-{TRACE}-{SPAN}-01{later}");
            assert_eq!(read(&text), Some((trace, 1)), "{text}");
        }
    }

    #[test]
    fn what_is_no_parent_is_none() {
        let zero = "0".repeat(32);
        let long = format!("00-{TRACE}-{SPAN}-01");
        for text in [
            String::new(),
            "00".to_owned(),
            long[..54].to_owned(),
            format!("{long}-"),
            format!("{long}0"),
            format!(" {long}"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("FF-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}0-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{zero}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zero[..16]),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{TRACE}{SPAN}--01-"),
        ] {
            assert_eq!(read(&text), None, "{text}");
        }
    }

    #[test]
    fn a_second_parent_makes_both_worthless() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::try_from(format!("00-{TRACE}-{SPAN}-01")).unwrap();
        headers.append(TRACEPARENT, value.clone());
        assert!(Parent::of(&headers).is_some());
        headers.append(TRACEPARENT, value);
        assert_eq!(Parent::of(&headers), None);
    }

    #[test]
    fn a_state_is_handed_on_whole_or_not_at_all() {
        let handed_on = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(TRACESTATE, HeaderValue::from_str(line).unwrap());
            }
            state(&headers).map(|value| value.to_str().unwrap().to_owned())
        };
        let long = format!("a={}", "v".repeat(256));
        for right in [
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
            "fw529a3039@dt=FfAy, ,\t4tenant@sys=a b",
            "a_-*/9=!",
            &long,
        ] {
            assert_eq!(handed_on(&[right]).as_deref(), Some(right));
        }
        assert_eq!(handed_on(&["a=1", "b=2"]).as_deref(), Some("a=1,b=2"));
        let many: Vec<String> = (0..33).map(|at| format!("k{at}=v")).collect();
        let (many, most) = (many.join(","), many[..32].join(","));
        assert!(handed_on(&[&most]).is_some());
        let longer = format!("{long}v");
        for wrong in [
            "", ",", "a", "=1", "A=1", "1a=1", "a=", "a=1=2", "a=1,a=2", "a@=1", "@a=1", "a@1b=1",
            "a@b@c=1", "a b=1", "a=é", &longer, &many,
        ] {
            assert_eq!(handed_on(&[wrong]), None, "{wrong}");
        }
        assert_eq!(handed_on(&["a=1", "a=2"]), None);
    }
}
