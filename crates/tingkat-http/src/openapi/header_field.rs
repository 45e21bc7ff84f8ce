//! The headers of answers.

/// A header that an answer may have.
#[derive(Debug)]
pub(crate) struct HeaderField {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) text: &'static str,
}

/// What its value is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Text that matches a regular expression.
    Text(&'static str),
    /// Seconds.
    Seconds,
}

/// Every one of them.
pub(crate) const ALL: [&HeaderField; 12] = [
    &AGE,
    &CACHE_CONTROL,
    &CACHE_STATUS,
    &CONTENT_ENCODING,
    &CONTENT_SECURITY_POLICY,
    &ETAG,
    &REFERRER_POLICY,
    &RETRY_AFTER,
    &TINGKAT_POSITION,
    &VARY,
    &WWW_AUTHENTICATE,
    &X_ACCEL_BUFFERING,
];

/// Those of an answer that a look-up found.
pub(crate) const LOOK_UP: &[&HeaderField] = &[
    &AGE,
    &CACHE_CONTROL,
    &CACHE_STATUS,
    &CONTENT_ENCODING,
    &ETAG,
    &VARY,
];

/// Those of an answer that the client holds.
pub(crate) const HELD: &[&HeaderField] = &[&AGE, &CACHE_CONTROL, &CACHE_STATUS, &ETAG, &VARY];

/// Those of an answer that a look-up knows not to exist.
pub(crate) const ABSENT: &[&HeaderField] = &[&AGE, &CACHE_CONTROL, &CACHE_STATUS];

/// Those of an answer that is true for a moment alone.
pub(crate) const MOMENT: &[&HeaderField] = &[&CACHE_CONTROL];

/// Those of a page for people.
pub(crate) const PAGE: &[&HeaderField] =
    &[&CACHE_CONTROL, &CONTENT_SECURITY_POLICY, &REFERRER_POLICY];

pub(crate) static AGE: HeaderField = HeaderField {
    name: "Age",
    kind: Kind::Seconds,
    text: "For how long the answer has been cached; of several things, the oldest.",
};

pub(crate) static CACHE_CONTROL: HeaderField = HeaderField {
    name: "Cache-Control",
    kind: Kind::Text("^((private, )?no-cache|no-store|(public|private), max-age=[0-9]+)$"),
    text: "For how long others may keep the answer: `no-cache`, with an `ETag`, for what must \
           never be old. What is not known to be current is `private` as well, and so is all that needs a token.",
};

pub(crate) static CACHE_STATUS: HeaderField = HeaderField {
    name: "Cache-Status",
    kind: Kind::Text(
        "^memory; (hit|fwd=uri-miss)(; detail=stale)?(, redis; (hit|fwd=uri-miss)(; detail=stale)?)?(, source; fwd=uri-miss(; stored)?(; collapsed)?(; detail=stale)?)?$",
    ),
    text: "The tiers that were asked (RFC 9211). With `detail=stale` the answer is not known to be \
           current.",
};

pub(crate) static CONTENT_ENCODING: HeaderField = HeaderField {
    name: "Content-Encoding",
    kind: Kind::Text("^gzip$"),
    text: "The body is packed, for a client whose `Accept-Encoding` lets it be.",
};

pub(crate) static CONTENT_SECURITY_POLICY: HeaderField = HeaderField {
    name: "Content-Security-Policy",
    kind: Kind::Text("^default-src 'none'; "),
    text: "The page runs no script, loads nothing and may not be framed.",
};

pub(crate) static ETAG: HeaderField = HeaderField {
    name: "ETag",
    kind: Kind::Text("^\"[0-9a-f]{32}(-gzip)?\"$"),
    text: "A strong tag of the body, the same on every node; that of the packed form is another.",
};

pub(crate) static REFERRER_POLICY: HeaderField = HeaderField {
    name: "Referrer-Policy",
    kind: Kind::Text("^no-referrer$"),
    text: "Links of the page tell nobody where they were followed.",
};

pub(crate) static RETRY_AFTER: HeaderField = HeaderField {
    name: "Retry-After",
    kind: Kind::Seconds,
    text: "When asking again makes sense.",
};

pub(crate) static TINGKAT_POSITION: HeaderField = HeaderField {
    name: "Tingkat-Position",
    kind: Kind::Text("^[0-9a-f]{32}:[0-9]+$"),
    text: "The write. Send it with a look-up to any node, and the answer shows the write.",
};

pub(crate) static VARY: HeaderField = HeaderField {
    name: "Vary",
    kind: Kind::Text("^accept-encoding$"),
    text: "Whoever asks for another encoding may get other bytes.",
};

pub(crate) static WWW_AUTHENTICATE: HeaderField = HeaderField {
    name: "WWW-Authenticate",
    kind: Kind::Text("^Bearer$"),
    text: "How to bring a token.",
};

pub(crate) static X_ACCEL_BUFFERING: HeaderField = HeaderField {
    name: "X-Accel-Buffering",
    kind: Kind::Text("^no$"),
    text: "Asks proxies not to hold events back.",
};
