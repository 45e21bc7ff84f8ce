//! Loading what customers are about to ask for.

use axum::http::StatusCode;

use super::{BODY, EVERY, NO_QUERY, READ, TOKEN, example, moment};
use crate::openapi::operation::{Access, Answer, Body, Content, Group, Operation, Verb};
use crate::problem::Code;
use crate::warm::MOST_BYTES;

/// One of them for each method.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        verb: Verb::Get,
        path: "/v1/warm",
        id: "getWarming",
        group: Group::Operating,
        summary: "How far a run is, what the last one did, and when the next ones begin",
        text: "",
        access: Access::Read,
        parameters: &[],
        body: None,
        answers: &[moment("How it stands.", "Warming")],
        problems: &[EVERY, NO_QUERY, READ],
        examples: &[],
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/warm",
        id: "warm",
        group: Group::Operating,
        summary: "Load what customers are about to ask for",
        text: "Behind their own requests. What is warm already is not loaded again.",
        access: Access::Operate,
        parameters: &[],
        body: Some(Body {
            shape: "Warm",
            most_bytes: MOST_BYTES,
        }),
        answers: &[begun("The run has begun.")],
        problems: &[
            EVERY,
            NO_QUERY,
            TOKEN,
            BODY,
            &[Code::WarmInvalid, Code::EntityUnknown, Code::WarmRunning],
        ],
        examples: &[
            example!(
                "warming_begun",
                "The hundred products that are wanted most",
                "/v1/warm",
                ACCEPTED,
                r#"{"entities":["product"],"top":100}"#
            ),
            example!(
                "warm_invalid",
                "A mistake",
                "/v1/warm",
                UNPROCESSABLE_ENTITY,
                r#"{"entity":"product"}"#
            ),
        ],
    },
    Operation {
        verb: Verb::Delete,
        path: "/v1/warm",
        id: "stopWarming",
        group: Group::Operating,
        summary: "End the run that goes on",
        text: "What is under way is finished.",
        access: Access::Operate,
        parameters: &[],
        body: None,
        answers: &[
            begun("The run is about to end."),
            Answer {
                status: StatusCode::NO_CONTENT,
                words: "No run goes on.",
                content: Content::Nothing,
                ..moment("", "")
            },
        ],
        problems: &[EVERY, NO_QUERY, TOKEN],
        examples: &[],
    },
];

const fn begun(words: &'static str) -> Answer {
    Answer {
        status: StatusCode::ACCEPTED,
        ..moment(words, "WarmingBegun")
    }
}
