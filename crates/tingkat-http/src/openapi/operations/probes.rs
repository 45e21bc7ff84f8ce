//! Probes, and pages for people. They ignore queries.

use axum::http::StatusCode;

use super::{EVERY, PROBE, example, moment};
use crate::openapi::header_field;
use crate::openapi::operation::{Access, Answer, Content, Group, Operation, Verb};

/// A page for people.
const PAGE: Answer = Answer {
    status: StatusCode::OK,
    words: "The page.",
    headers: header_field::PAGE,
    content: Content::Page,
};

/// One of them for each route and method.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        verb: Verb::Get,
        path: "/livez",
        id: "isAlive",
        group: Group::Probes,
        summary: "Whether the process is alive",
        text: "Asks nobody: a database that is down is no reason to restart a node. `?verbose` tells \
               more.",
        access: Access::Anybody,
        parameters: &[],
        body: None,
        answers: &[
            moment("It is.", "Alive"),
            Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                words: "Its event loop has stood still for too long.",
                headers: &[&header_field::CACHE_CONTROL],
                content: Content::Shape("Alive"),
            },
        ],
        problems: &[PROBE],
        examples: &[example!("alive", "It is", "/livez", OK)],
    },
    Operation {
        verb: Verb::Get,
        path: "/readyz",
        id: "isReady",
        group: Group::Probes,
        summary: "Whether the node should be sent requests, and what is missing",
        text: "A node without Redis is ready, and so is one whose database went down after it was \
               up: its tiers still answer. `?verbose` tells more.",
        access: Access::Anybody,
        parameters: &[],
        body: None,
        answers: &[
            moment("It takes requests.", "Readiness"),
            Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                words: "It can not answer yet, or is about to stop.",
                headers: &[&header_field::CACHE_CONTROL],
                content: Content::Shape("Readiness"),
            },
        ],
        problems: &[PROBE],
        examples: &[example!("ready", "It is", "/readyz", OK)],
    },
    Operation {
        verb: Verb::Get,
        path: "/metrics",
        id: "metrics",
        group: Group::Probes,
        summary: "What this node counts, for Prometheus",
        text: "As OpenMetrics where `Accept` prefers it.",
        access: Access::Anybody,
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: StatusCode::OK,
            words: "The metrics.",
            headers: &[&header_field::CACHE_CONTROL],
            content: Content::Metrics,
        }],
        problems: &[PROBE],
        examples: &[],
    },
    Operation {
        verb: Verb::Get,
        path: "/",
        id: "home",
        group: Group::Probes,
        summary: "A page of links, and the state of the tiers",
        text: "",
        access: Access::Anybody,
        parameters: &[],
        body: None,
        answers: &[PAGE],
        problems: &[EVERY],
        examples: &[],
    },
    Operation {
        verb: Verb::Get,
        path: "/docs",
        id: "docs",
        group: Group::Probes,
        summary: "This interface as a page",
        text: "",
        access: Access::Anybody,
        parameters: &[],
        body: None,
        answers: &[PAGE],
        problems: &[EVERY],
        examples: &[],
    },
    Operation {
        verb: Verb::Get,
        path: "/openapi.json",
        id: "openapi",
        group: Group::Probes,
        summary: "This interface as OpenAPI 3.1",
        text: "",
        access: Access::Anybody,
        parameters: &[],
        body: None,
        answers: &[
            Answer {
                status: StatusCode::OK,
                words: "The document.",
                headers: &[&header_field::CACHE_CONTROL, &header_field::ETAG],
                content: Content::Json,
            },
            Answer {
                status: StatusCode::NOT_MODIFIED,
                words: "What the client holds by `If-None-Match` is still the answer.",
                headers: &[&header_field::CACHE_CONTROL, &header_field::ETAG],
                content: Content::Nothing,
            },
        ],
        problems: &[EVERY],
        examples: &[],
    },
    Operation {
        verb: Verb::Get,
        path: "/problems",
        id: "problems",
        group: Group::Probes,
        summary: "All problems, and what would be right",
        text: "The `type` of a problem document leads to its place on this page.",
        access: Access::Anybody,
        parameters: &[],
        body: None,
        answers: &[PAGE],
        problems: &[EVERY],
        examples: &[],
    },
];
