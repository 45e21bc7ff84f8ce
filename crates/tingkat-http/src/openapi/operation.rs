//! What is said of one route and method.

use axum::http::StatusCode;

use super::header_field::HeaderField;
use super::parameter::{Parameter, Place};
use crate::problem::Code;

/// A route, answered for one method.
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    pub(crate) path: &'static str,
    /// What generated clients call it.
    pub(crate) id: &'static str,
    pub(crate) group: Group,
    pub(crate) summary: &'static str,
    /// Sentences, with code in backticks.
    pub(crate) text: &'static str,
    pub(crate) access: Access,
    pub(crate) parameters: &'static [&'static [Parameter]],
    pub(crate) body: Option<Body>,
    /// The answers that are no problems.
    pub(crate) answers: &'static [Answer],
    pub(crate) problems: &'static [&'static [Code]],
    pub(crate) examples: &'static [Example],
}

/// The method. What answers GET answers HEAD as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

/// Routes that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Products,
    Categories,
    Postcodes,
    Documents,
    Changes,
    Operating,
    Probes,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Anybody,
    /// Anybody, unless there is a token for look-ups; then whoever has any token.
    Read,
    Write,
    Operate,
}

/// What a request brings along.
#[derive(Clone, Copy)]
pub(crate) struct Body {
    pub(crate) shape: &'static str,
    pub(crate) most_bytes: usize,
}

/// An answer that is no problem.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) words: &'static str,
    pub(crate) headers: &'static [&'static HeaderField],
    pub(crate) content: Content,
}

/// What an answer has in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Nothing,
    /// JSON of a shape.
    Shape(&'static str),
    /// JSON that others decide about.
    Json,
    Page,
    Events,
    /// A text for scrapers, in one of two formats.
    Metrics,
}

/// A request and its answer by a node with the demo store.
#[derive(Clone, Copy)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    /// Path and query.
    pub(crate) address: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) body: Option<&'static str>,
    /// The answer's body, byte for byte; a test asks a node for it.
    pub(crate) answer: &'static str,
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Group {
    /// All of them, in the order in which they are shown.
    pub(crate) const ALL: [Self; 7] = [
        Self::Products,
        Self::Categories,
        Self::Postcodes,
        Self::Documents,
        Self::Changes,
        Self::Operating,
        Self::Probes,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Products => "Products",
            Self::Categories => "Categories",
            Self::Postcodes => "Postcodes and states",
            Self::Documents => "Entities of your own",
            Self::Changes => "Changes",
            Self::Operating => "Operating",
            Self::Probes => "Probes and pages",
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Products => {
                "What is sold, at which price, and how much of it is left. `price` is what the \
                 tier of the request pays at this moment."
            }
            Self::Categories => "The tree that products are sorted into.",
            Self::Postcodes => "Malaysian postcodes, and the states that they are in.",
            Self::Documents => {
                "Entities that the operator names in the configuration; their values are JSON as \
                 the database gave it."
            }
            Self::Changes => "What changed, for page caches that must purge.",
            Self::Operating => "What operators do with the caches, and see of them.",
            Self::Probes => "For orchestrators and for people.",
        }
    }
}

impl Access {
    /// The scope that a token must have.
    pub(crate) const fn scope(self) -> Option<&'static str> {
        match self {
            Self::Anybody => None,
            Self::Read => Some("read"),
            Self::Write => Some("write"),
            Self::Operate => Some("operate"),
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Anybody => "For everybody.",
            Self::Read => "For everybody, unless the server has a token for `read`.",
            Self::Write => "With a token for `write`.",
            Self::Operate => "With a token for `operate`.",
        }
    }
}

impl Content {
    pub(crate) const fn media_types(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => &[],
            Self::Shape(_) | Self::Json => &["application/json"],
            Self::Page => &["text/html; charset=utf-8"],
            Self::Events => &["text/event-stream"],
            Self::Metrics => &[
                "text/plain; version=0.0.4; charset=utf-8",
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ],
        }
    }
}

impl Operation {
    /// Parameters in the path, the query and the headers.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters.iter().copied().flatten()
    }

    /// Those in one place.
    pub(crate) fn parameters_in(&self, place: Place) -> impl Iterator<Item = &'static Parameter> {
        self.parameters().filter(move |it| it.place == place)
    }

    /// The problems, in the order of their statuses.
    pub(crate) fn problems(&self) -> Vec<(StatusCode, Vec<Code>)> {
        let mut codes: Vec<Code> = self.problems.iter().copied().flatten().copied().collect();
        codes.sort_by_key(|code| code.status());
        let groups = codes.chunk_by(|one, other| one.status() == other.status());
        groups
            .filter_map(|codes| Some((codes.first()?.status(), codes.to_vec())))
            .collect()
    }
}
