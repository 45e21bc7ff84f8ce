//! What a request says in its path, its query and its headers.

use std::borrow::Cow;

/// A value that a request may give.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) text: &'static str,
}

/// Where it stands. What is in the path must be given, everything else may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Header,
}

/// What it may be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Text of 1 to `most` characters; `pattern` says which, `characters` in words.
    Name {
        most: usize,
        pattern: &'static str,
        characters: &'static str,
    },
    Whole {
        least: usize,
        most: usize,
        usual: usize,
    },
    OneOf {
        names: &'static [&'static str],
        usual: Option<&'static str>,
    },
    Flag,
    /// Texts, separated by commas.
    List {
        most: usize,
        pattern: &'static str,
        characters: &'static str,
    },
}

impl Parameter {
    pub(crate) const fn is_required(&self) -> bool {
        matches!(self.place, Place::Path)
    }
}

impl Kind {
    /// What it may be, in words.
    pub(crate) fn words(self) -> Cow<'static, str> {
        match self {
            Self::Text => "text".into(),
            Self::Name {
                most, characters, ..
            } => format!("1 to {most} {characters}").into(),
            Self::Whole { least, most, usual } => {
                format!("a whole number from {least} to {most}; {usual} if it is not given").into()
            }
            Self::OneOf { names, usual } => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                let usual = usual.map(|name| format!("; `{name}` if it is not given"));
                format!("one of {}{}", names.join(", "), usual.unwrap_or_default()).into()
            }
            Self::Flag => "`true` or `false`".into(),
            Self::List {
                most, characters, ..
            } => format!("1 to {most} texts, separated by commas, each of {characters}").into(),
        }
    }
}

const fn name(most: usize, pattern: &'static str, characters: &'static str) -> Kind {
    Kind::Name {
        most,
        pattern,
        characters,
    }
}

const fn of(place: Place, name: &'static str, kind: Kind, text: &'static str) -> Parameter {
    Parameter {
        name,
        place,
        kind,
        text,
    }
}

const NAME: &str = "^[A-Za-z0-9_-]{1,64}$";
const NAME_WORDS: &str = "letters, digits, `-` or `_`";
const PRINTABLE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";
const PRINTABLE_WORDS: &str = "printable characters";

use Place::{Header, Path, Query};

pub(crate) const PRODUCT_ID: Parameter =
    of(Path, "id", name(64, NAME, NAME_WORDS), "The product's id.");
pub(crate) const CATEGORY_ID: Parameter =
    of(Path, "id", name(64, NAME, NAME_WORDS), "The category's id.");
pub(crate) const POSTCODE: Parameter = of(
    Path,
    "code",
    name(
        64,
        "^\\s*([0-9]\\s*){5}$",
        "characters: five digits, with white space, which is ignored",
    ),
    "The postcode.",
);
pub(crate) const ENTITY: Parameter = of(
    Path,
    "entity",
    name(64, PRINTABLE, PRINTABLE_WORDS),
    "The entity's name. `GET /v1/caches` has all of them.",
);
pub(crate) const KEY: Parameter = of(
    Path,
    "key",
    name(200, PRINTABLE, PRINTABLE_WORDS),
    "A key of the entity.",
);

pub(crate) const TIER: Parameter = of(
    Query,
    "tier",
    Kind::OneOf {
        names: &["guest", "member"],
        usual: Some("guest"),
    },
    "Who is to pay `price`.",
);
pub(crate) const IDS: Parameter = of(
    Query,
    "ids",
    Kind::List {
        most: 200,
        pattern: NAME,
        characters: "1 to 64 letters, digits, `-` or `_`",
    },
    "Many products by their ids. Given alone, or beside `tier`.",
);
pub(crate) const SKU: Parameter = of(
    Query,
    "sku",
    name(200, PRINTABLE, PRINTABLE_WORDS),
    "One product by its sku, or that of one of its variants. Given alone, or beside `tier`.",
);
pub(crate) const SLUG: Parameter = of(
    Query,
    "slug",
    name(500, PRINTABLE, PRINTABLE_WORDS),
    "One product by what its page is called. Given alone, or beside `tier`.",
);
pub(crate) const CATEGORY: Parameter = of(
    Query,
    "category",
    name(64, NAME, NAME_WORDS),
    "Only products of the category with this id, or of one under it.",
);
pub(crate) const CATEGORY_SLUG: Parameter = of(
    Query,
    "slug",
    Kind::Text,
    "One category by what its page is called.",
);
pub(crate) const FEATURED: Parameter = of(
    Query,
    "featured",
    Kind::Flag,
    "Only products that stand on the front page, or only others.",
);
pub(crate) const PROMOTED: Parameter = of(
    Query,
    "promoted",
    Kind::Flag,
    "Only products that a promotion makes cheaper now, or only others.",
);
pub(crate) const SORT: Parameter = of(
    Query,
    "sort",
    Kind::OneOf {
        names: &["newest", "price", "-price", "popularity", "name"],
        usual: Some("newest"),
    },
    "The order. With a `cursor`, that of the cursor.",
);
pub(crate) const LIMIT: Parameter = of(
    Query,
    "limit",
    Kind::Whole {
        least: 1,
        most: crate::paging::MOST,
        usual: crate::paging::USUAL,
    },
    "How many things a page has at most.",
);
pub(crate) const CURSOR: Parameter = of(
    Query,
    "cursor",
    Kind::Text,
    "Where the page begins: the `next` of the page before.",
);
pub(crate) const STATE: Parameter = of(
    Query,
    "state",
    Kind::Text,
    "Only postcodes of the state with this code, such as `SGR`.",
);
pub(crate) const ZONE: Parameter = of(
    Query,
    "zone",
    Kind::OneOf {
        names: &["west", "east"],
        usual: None,
    },
    "Only postcodes on this side of the sea.",
);
pub(crate) const CITY: Parameter = of(
    Query,
    "city",
    Kind::Text,
    "Only postcodes of the city with this name.",
);
pub(crate) const BEGINNING: Parameter = of(
    Query,
    "q",
    Kind::Text,
    "Only postcodes whose code or city begins so.",
);
pub(crate) const KEYS: Parameter = of(
    Query,
    "keys",
    Kind::List {
        most: 200,
        pattern: "^[^,\\u0000-\\u001f\\u007f-\\u009f]{1,200}$",
        characters: "1 to 200 printable characters",
    },
    "Keys of the entity. Must be given.",
);
pub(crate) const FROM: Parameter = of(
    Query,
    "from",
    Kind::Text,
    "The `id` of the last event that was seen. `Last-Event-ID` is preferred where both are given.",
);

/// The headers that every look-up obeys.
pub(crate) const LOOK_UP: &[Parameter] = &[CACHE_CONTROL, POSITION, IF_NONE_MATCH];

const CACHE_CONTROL: Parameter = of(
    Header,
    "Cache-Control",
    Kind::Text,
    "`no-cache`: validated by a poll of the change log that is sent after the request, or a fast \
     503. `max-age=N`: by one of the last N seconds. `only-if-cached`: nothing is loaded.",
);
const POSITION: Parameter = of(
    Header,
    "Tingkat-Position",
    name(
        64,
        "^([0-9a-f]{32}:)?[0-9]{1,19}$",
        "characters: `<incarnation>:<xid>`, or the number alone",
    ),
    "The answer shows at least this write: what the answer to a `PATCH` had, or the number that \
     `SELECT pg_current_xact_id()` gives in a transaction of your own.",
);
const IF_NONE_MATCH: Parameter = of(
    Header,
    "If-None-Match",
    Kind::Text,
    "The `ETag` of an answer that you hold: 304 without a body if it is still the answer.",
);
pub(crate) const LAST_EVENT_ID: Parameter = of(
    Header,
    "Last-Event-ID",
    Kind::Text,
    "The `id` of the last event that was seen. A browser's `EventSource` sends it by itself.",
);
