//! Entities of the operator's own, changes, and what operators do and see.

use axum::http::StatusCode;

use super::{
    BODY, EVERY, LOOK_UP, NO_QUERY, NOT_MODIFIED, QUERY, READ, TOKEN, example, found, moment,
};
use crate::forget::MOST_BYTES;
use crate::openapi::header_field;
use crate::openapi::operation::{Access, Answer, Body, Content, Group, Operation, Verb};
use crate::openapi::parameter::{self as one};
use crate::problem::Code;

/// One of them for each route and method.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        verb: Verb::Get,
        path: "/v1/x/{entity}/{key}",
        id: "getDocument",
        group: Group::Documents,
        summary: "The document with a key",
        text: "The bytes are those that the database gave.",
        access: Access::Read,
        parameters: &[&[one::ENTITY, one::KEY], one::LOOK_UP],
        body: None,
        answers: &[
            Answer {
                status: StatusCode::OK,
                words: "The document.",
                headers: header_field::LOOK_UP,
                content: Content::Json,
            },
            NOT_MODIFIED,
        ],
        problems: &[
            EVERY,
            NO_QUERY,
            LOOK_UP,
            &[
                Code::EntityUnknown,
                Code::DocumentUnknown,
                Code::KeyMalformed,
            ],
        ],
        examples: &[
            example!("document", "A document", "/v1/x/shipping_rate/50", OK),
            example!(
                "document_unknown",
                "Nothing has this key",
                "/v1/x/shipping_rate/99",
                NOT_FOUND
            ),
            example!(
                "own_entity_unknown",
                "There is no such entity",
                "/v1/x/nowhere/50",
                NOT_FOUND
            ),
        ],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/x/{entity}",
        id: "findDocuments",
        group: Group::Documents,
        summary: "Many documents by their keys, in the order of the keys",
        text: "A key is in `missing` only if it is known that nothing has it; one that could not be \
               looked up is a problem.",
        access: Access::Read,
        parameters: &[&[one::ENTITY, one::KEYS], one::LOOK_UP],
        body: None,
        answers: &[
            found("Documents, and which are missing.", "DocumentBatch"),
            NOT_MODIFIED,
        ],
        problems: &[
            EVERY,
            QUERY,
            LOOK_UP,
            &[Code::EntityUnknown, Code::KeyMalformed],
        ],
        examples: &[
            example!(
                "document_batch",
                "Two keys",
                "/v1/x/shipping_rate?keys=50,99",
                OK
            ),
            example!(
                "keys_missing",
                "A mistake",
                "/v1/x/shipping_rate",
                BAD_REQUEST
            ),
        ],
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/x/{entity}:batchGet",
        id: "batchGetDocuments",
        group: Group::Documents,
        summary: "Many documents, by keys in the body",
        text: "For keys with commas, and for lists that are too long for an address. A look-up, \
               though it is a POST.",
        access: Access::Read,
        parameters: &[&[one::ENTITY], one::LOOK_UP],
        body: Some(Body {
            shape: "KeyList",
            most_bytes: crate::documents::MOST_BYTES,
        }),
        answers: &[found("Documents, and which are missing.", "DocumentBatch")],
        problems: &[
            EVERY,
            NO_QUERY,
            LOOK_UP,
            BODY,
            &[
                Code::EntityUnknown,
                Code::KeyMalformed,
                Code::IdsEmpty,
                Code::IdsTooMany,
                Code::IdsInvalid,
            ],
        ],
        examples: &[],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/changes",
        id: "followChanges",
        group: Group::Changes,
        summary: "What changed, as server-sent events",
        text: "An event `changes` names deps that are different now (`ChangesEvent`), an event \
               `reset` says that nobody knows what was missed (`ResetEvent`); the `id` of an event \
               is the cursor, good on every node. A stream without a cursor begins with `reset`. \
               After fifteen seconds of silence comes a comment, with the `id` if it has moved. \
               Delivery is at least once.",
        access: Access::Read,
        parameters: &[&[one::FROM, one::LAST_EVENT_ID]],
        body: None,
        answers: &[Answer {
            status: StatusCode::OK,
            words: "Events, until the client or the server goes away.",
            headers: &[
                &header_field::CACHE_CONTROL,
                &header_field::X_ACCEL_BUFFERING,
            ],
            content: Content::Events,
        }],
        problems: &[
            EVERY,
            READ,
            &[
                Code::ParameterUnknown,
                Code::ParameterRepeated,
                Code::CursorMalformed,
                Code::ChangesUnsupported,
                Code::StreamsExhausted,
            ],
        ],
        examples: &[example!(
            "from_malformed",
            "A mistake",
            "/v1/changes?from=abc",
            BAD_REQUEST
        )],
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/forget",
        id: "forget",
        group: Group::Operating,
        summary: "Forget keys, a pattern, tags, or all, on every node",
        text: "Through the change log, so it holds for nodes that are cut off at the moment as well.",
        access: Access::Operate,
        parameters: &[],
        body: Some(Body {
            shape: "Forget",
            most_bytes: MOST_BYTES,
        }),
        answers: &[moment("What is forgotten by now.", "Forgotten")],
        problems: &[
            EVERY,
            NO_QUERY,
            TOKEN,
            BODY,
            &[
                Code::ForgetInvalid,
                Code::EntityUnknown,
                Code::KeyMalformed,
                Code::ChangesUnsupported,
                Code::ForgetUnavailable,
                Code::ShuttingDown,
            ],
        ],
        examples: &[
            example!(
                "forgotten",
                "Two products",
                "/v1/forget",
                OK,
                r#"{"entity":"product","keys":["7","8"]}"#
            ),
            example!(
                "forget_invalid",
                "A mistake",
                "/v1/forget",
                UNPROCESSABLE_ENTITY,
                r#"{"entity":"product"}"#
            ),
        ],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/health",
        id: "getHealth",
        group: Group::Operating,
        summary: "How the service, the cache and the data are, and what to do",
        text: "The status is 200 whatever the health is; probes have `/readyz`.",
        access: Access::Read,
        parameters: &[],
        body: None,
        answers: &[moment("The health.", "Health")],
        problems: &[EVERY, NO_QUERY, READ],
        examples: &[],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/caches",
        id: "listCaches",
        group: Group::Operating,
        summary: "What each cache of this node has and did",
        text: "",
        access: Access::Read,
        parameters: &[],
        body: None,
        answers: &[moment("The caches.", "CacheList")],
        problems: &[EVERY, NO_QUERY, READ],
        examples: &[],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/caches/{entity}",
        id: "getCache",
        group: Group::Operating,
        summary: "One cache, with its policy and its counters",
        text: "",
        access: Access::Read,
        parameters: &[&[one::ENTITY]],
        body: None,
        answers: &[moment("The cache.", "CacheDetail")],
        problems: &[EVERY, NO_QUERY, READ, &[Code::EntityUnknown]],
        examples: &[
            example!("cache", "A cache", "/v1/caches/states", OK),
            example!(
                "entity_unknown",
                "There is no such entity",
                "/v1/caches/nowhere",
                NOT_FOUND
            ),
        ],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/caches/{entity}/keys/{key}",
        id: "inspectKey",
        group: Group::Operating,
        summary: "What the tiers have under a key, and whether it would be served",
        text: "Nothing is loaded.",
        access: Access::Read,
        parameters: &[&[one::ENTITY, one::KEY]],
        body: None,
        answers: &[moment("What is there.", "CacheKey")],
        problems: &[
            EVERY,
            NO_QUERY,
            READ,
            &[Code::EntityUnknown, Code::KeyMalformed],
        ],
        examples: &[
            example!("cache_key", "A key", "/v1/caches/product/keys/1", OK),
            example!(
                "key_malformed",
                "A mistake",
                "/v1/caches/postcode/keys/5045",
                UNPROCESSABLE_ENTITY
            ),
        ],
    },
];
