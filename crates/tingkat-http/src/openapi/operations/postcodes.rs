//! Postcodes and states.

use axum::http::StatusCode;

use super::{EVERY, LOOK_UP, NO_QUERY, NOT_MODIFIED, QUERY, example, found};
use crate::openapi::header_field;
use crate::openapi::operation::{Access, Answer, Content, Group, Operation, Verb};
use crate::openapi::parameter::{self as one};
use crate::problem::Code;

/// One of them for each route and method.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        verb: Verb::Get,
        path: "/v1/postcodes/{code}",
        id: "getPostcode",
        group: Group::Postcodes,
        summary: "Whether a postcode exists, and where it is",
        text: "An unknown postcode of the right form is no problem document but the shape of a known \
               one, with `valid` false and codes that may have been meant.",
        access: Access::Read,
        parameters: &[&[one::POSTCODE], one::LOOK_UP],
        body: None,
        answers: &[
            found("The postcode.", "Postcode"),
            NOT_MODIFIED,
            Answer {
                status: StatusCode::NOT_FOUND,
                words: "No place has the postcode.",
                headers: header_field::ABSENT,
                content: Content::Shape("UnknownPostcode"),
            },
        ],
        problems: &[EVERY, NO_QUERY, LOOK_UP, &[Code::PostcodeMalformed]],
        examples: &[
            example!("postcode", "A postcode", "/v1/postcodes/50450", OK),
            example!(
                "postcode_unknown",
                "There is no such postcode",
                "/v1/postcodes/50449",
                NOT_FOUND
            ),
            example!(
                "postcode_malformed",
                "A mistake",
                "/v1/postcodes/5045",
                UNPROCESSABLE_ENTITY
            ),
        ],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/postcodes",
        id: "listPostcodes",
        group: Group::Postcodes,
        summary: "Postcodes of a state, a zone or a city, or those that begin so",
        text: "Those that pass every filter, ordered by code. Capitals do not matter.",
        access: Access::Read,
        parameters: &[
            &[
                one::STATE,
                one::ZONE,
                one::CITY,
                one::BEGINNING,
                one::LIMIT,
                one::CURSOR,
            ],
            one::LOOK_UP,
        ],
        body: None,
        answers: &[found("A page.", "PostcodePage"), NOT_MODIFIED],
        problems: &[EVERY, QUERY, LOOK_UP, &[Code::CursorMalformed]],
        examples: &[
            example!(
                "postcode_page",
                "In Selangor",
                "/v1/postcodes?state=SGR&q=shah&limit=2",
                OK
            ),
            example!(
                "cursor_malformed",
                "A mistake",
                "/v1/postcodes?cursor=abc",
                BAD_REQUEST
            ),
        ],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/states",
        id: "listStates",
        group: Group::Postcodes,
        summary: "The states and federal territories, ordered by code",
        text: "",
        access: Access::Read,
        parameters: &[one::LOOK_UP],
        body: None,
        answers: &[found("The states.", "StateList"), NOT_MODIFIED],
        problems: &[EVERY, NO_QUERY, LOOK_UP],
        examples: &[
            example!("states", "The states", "/v1/states", OK),
            example!(
                "parameter_unknown",
                "A mistake",
                "/v1/states?zone=west",
                BAD_REQUEST
            ),
        ],
    },
];
