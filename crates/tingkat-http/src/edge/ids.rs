//! What a request is called: by its client, in answers, in problem documents and in log lines.
//!
//! They go with the task that answers, not with the request: a hit pays nothing for them but the
//! values of the headers.

use std::fmt;

use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue};

use super::trace::{Parent, TRACEPARENT, TRACESTATE};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client.
const LONGEST: usize = 128;

tokio::task_local! {
    static CURRENT: Ids;
}

/// The ids of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    request: RequestId,
    trace: u128,
    /// Of this hop.
    span: u64,
    flags: u8,
    state: Option<HeaderValue>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RequestId {
    /// Sound, so it is printable ASCII.
    Given(HeaderValue),
    Made(u128),
}

impl Ids {
    /// Those of the request that the calling task answers, if it does.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Answers a request of this name.
    pub(super) async fn during<T>(&self, answering: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), answering).await
    }

    /// What the client calls it, as far as that can be taken over.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let parent = Parent::of(headers);
        let given = given(headers);
        // A trace that begins here has no other request so far.
        let fresh = || nonzero(rand::random, 1);
        let trace = parent.as_ref().map_or_else(fresh, |parent| parent.trace);
        let request = match given {
            Some(value) => RequestId::Given(value.clone()),
            None if parent.is_some() => RequestId::Made(rand::random()),
            None => RequestId::Made(trace),
        };
        Self {
            request,
            trace,
            span: nonzero(rand::random, 1),
            flags: parent.as_ref().map_or(0, |parent| parent.flags),
            state: parent.and_then(|parent| parent.state),
        }
    }

    /// Names the request in its answer.
    pub(super) fn mark(self, answer: &mut HeaderMap) {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let (before, flags) = text.split_at_mut(53);
        let (before, span) = before.split_at_mut(36);
        let (_, trace) = before.split_at_mut(3);
        // The dash behind it is no digit.
        hex(self.trace, trace.get_mut(..32).unwrap_or_default());
        hex(self.span.into(), span.get_mut(..16).unwrap_or_default());
        hex(self.flags.into(), flags);
        insert(answer, TRACEPARENT, &text);
        if let Some(state) = self.state {
            answer.insert(TRACESTATE, state);
        }
        match self.request {
            RequestId::Given(value) => {
                answer.insert(REQUEST_ID, value);
            }
            RequestId::Made(number) => {
                let mut text = [0; 32];
                hex(number, &mut text);
                insert(answer, REQUEST_ID, &text);
            }
        }
    }

    /// The id of the request.
    pub const fn request_id(&self) -> impl fmt::Display + '_ {
        &self.request
    }

    /// The id of the trace, 32 hexadecimal digits.
    pub fn trace_id(&self) -> impl fmt::Display + use<> {
        Hex(self.trace)
    }

    /// A number that no client chooses.
    pub(super) const fn chance(&self) -> u64 {
        self.span
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(value) => f.write_str(value.to_str().unwrap_or_default()),
            Self::Made(number) => Hex(*number).fmt(f),
        }
    }
}

struct Hex(u128);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The last digits of a number, as many as there is room for.
fn hex(mut number: u128, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = match (number & 0xf) as u8 {
            small @ 0..=9 => b'0' + small,
            large => b'a' - 10 + large,
        };
        number >>= 4;
    }
}

fn insert(answer: &mut HeaderMap, name: HeaderName, text: &[u8]) {
    // Digits and dashes are always a header value.
    if let Ok(value) = HeaderValue::from_bytes(text) {
        answer.insert(name, value);
    }
}

/// Zero is no id.
fn nonzero<T: PartialEq + Default>(random: impl FnOnce() -> T, instead: T) -> T {
    let number = random();
    if number == T::default() {
        instead
    } else {
        number
    }
}

fn given(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(REQUEST_ID).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if is_sound(value.as_bytes()) => Some(value),
        _ => None,
    }
}

/// Ids of every usual form are; what could be an address of a person or a login in a URL is not.
fn is_sound(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b':')
    };
    matches!(id.len(), 1..=LONGEST) && id.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(HeaderName, &str)]) -> Ids {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        Ids::of(&headers)
    }

    #[test]
    fn a_sound_id_is_taken_over_and_nothing_else_is() {
        let longest = "x".repeat(LONGEST);
        for sound in [
            "1",
            "req-7f.A_~",
            "MTIz+/=",
            "Root=1-67891233-abc",
            &longest,
        ] {
            let ids = of(&[(REQUEST_ID, sound)]);
            assert_eq!(ids.request_id().to_string(), sound);
        }
        let longer = "x".repeat(LONGEST + 1);
        for odd in [
            "",
            "a b",
            "a\tb",
            "<script>",
            "a,b",
            "o@example.com",
            "é",
            "\"a\"",
            &longer,
        ] {
            let made = of(&[(REQUEST_ID, odd)]).request_id().to_string();
            assert_eq!(made.len(), 32, "{odd}");
        }
        let twice = of(&[(REQUEST_ID, "one"), (REQUEST_ID, "two")]);
        assert_eq!(twice.request_id().to_string().len(), 32);
    }

    #[test]
    fn each_request_has_ids_of_its_own() {
        let (one, two) = (of(&[]), of(&[]));
        assert_ne!(one.trace, two.trace);
        assert_ne!(one.span, two.span);
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let (one, two) = (of(&[(TRACEPARENT, parent)]), of(&[(TRACEPARENT, parent)]));
        assert_eq!(one.trace, two.trace);
        assert_ne!(one.span, two.span);
        assert_ne!(one.request, two.request);
    }

    #[test]
    fn names_cost_no_more_allocations_than_two_values_of_headers() {
        let request = HeaderMap::new();
        let mut answer = HeaderMap::with_capacity(8);
        // The source of random numbers begins once in each thread.
        Ids::of(&request).mark(&mut answer);
        let told = allocation_counter::measure(|| Ids::of(&request).mark(&mut answer));
        assert_eq!(told.count_total, 2);
    }

    #[test]
    fn zero_is_no_id() {
        assert_eq!(nonzero(|| 0_u64, 7), 7);
        assert_eq!(nonzero(|| 8_u64, 7), 8);
    }
}
