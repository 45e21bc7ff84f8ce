//! Products.

use axum::http::StatusCode;

use super::{
    BATCH, BODY, EVERY, LOOK_UP, NO_QUERY, NOT_MODIFIED, QUERY, TOKEN, WRITE, example, found,
};
use crate::openapi::header_field;
use crate::openapi::operation::{Access, Answer, Body, Content, Group, Operation, Verb};
use crate::openapi::parameter::{self as one};
use crate::problem::Code;
use crate::products::{BATCH_BYTES, PATCH_BYTES};

/// One of them for each route and method.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        verb: Verb::Get,
        path: "/v1/products/{id}",
        id: "getProduct",
        group: Group::Products,
        summary: "One product by its id",
        text: "A product that is not on sale is answered as well, with its `status`.",
        access: Access::Read,
        parameters: &[&[one::PRODUCT_ID, one::TIER], one::LOOK_UP],
        body: None,
        answers: &[found("The product.", "Product"), NOT_MODIFIED],
        problems: &[
            EVERY,
            QUERY,
            LOOK_UP,
            &[Code::ProductIdMalformed, Code::ProductUnknown],
        ],
        examples: &[
            example!("product", "A product", "/v1/products/1", OK),
            example!(
                "product_unknown",
                "There is no such product",
                "/v1/products/nowhere",
                NOT_FOUND
            ),
            example!(
                "product_id_malformed",
                "A mistake",
                "/v1/products/1%2F2",
                UNPROCESSABLE_ENTITY
            ),
        ],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/products",
        id: "findProducts",
        group: Group::Products,
        summary: "One product by its sku or slug, many by their ids, or a listing",
        text: "With `sku` or `slug` the answer is one product, with `ids` it is a batch in the order \
               of the ids, and with anything else, or nothing, the products on sale that pass every \
               filter, page by page. A page ends on a place in the order, so products that come and \
               go move nothing across it. What is not on sale has no page by its slug and is in no \
               batch and no listing.",
        access: Access::Read,
        parameters: &[
            &[
                one::IDS,
                one::SKU,
                one::SLUG,
                one::CATEGORY,
                one::FEATURED,
                one::PROMOTED,
                one::SORT,
                one::LIMIT,
                one::CURSOR,
                one::TIER,
            ],
            one::LOOK_UP,
        ],
        body: None,
        answers: &[
            found(
                "A product, a batch or a page.",
                "Product|ProductBatch|ProductPage",
            ),
            NOT_MODIFIED,
        ],
        problems: &[
            EVERY,
            QUERY,
            LOOK_UP,
            BATCH,
            &[
                Code::ParametersConflict,
                Code::SkuMalformed,
                Code::SlugMalformed,
                Code::CategoryIdMalformed,
                Code::CursorMalformed,
                Code::ProductUnknown,
                Code::CategoryUnknown,
            ],
        ],
        examples: &[
            example!("product_by_sku", "By sku", "/v1/products?sku=85123A", OK),
            example!("product_batch", "By ids", "/v1/products?ids=1,nowhere", OK),
            example!(
                "product_page",
                "A listing",
                "/v1/products?sort=name&limit=1",
                OK
            ),
            example!(
                "parameters_conflict",
                "A mistake",
                "/v1/products?sku=85123A&ids=1",
                BAD_REQUEST
            ),
        ],
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/products:batchGet",
        id: "batchGetProducts",
        group: Group::Products,
        summary: "Many products by their ids, in a body",
        text: "The same as `GET /v1/products?ids=`, for lists that are too long for an address. A \
               look-up, though it is a POST. An id is in `missing` only if it is known that there \
               is no such product on sale; one that could not be looked up is a problem.",
        access: Access::Read,
        parameters: &[&[one::TIER], one::LOOK_UP],
        body: Some(Body {
            shape: "ProductIds",
            most_bytes: BATCH_BYTES,
        }),
        answers: &[found("Products, and which are missing.", "ProductBatch")],
        problems: &[EVERY, QUERY, LOOK_UP, BODY, BATCH, &[Code::IdsInvalid]],
        examples: &[
            example!(
                "products_batch_get",
                "Two products",
                "/v1/products:batchGet",
                OK,
                r#"{"ids":["1","nowhere"]}"#
            ),
            example!(
                "ids_empty",
                "A mistake",
                "/v1/products:batchGet",
                BAD_REQUEST,
                r#"{"ids":[]}"#
            ),
        ],
    },
    Operation {
        verb: Verb::Patch,
        path: "/v1/products/{id}",
        id: "patchProduct",
        group: Group::Products,
        summary: "Change stock and prices",
        text: "Written through to the database in one transaction. The answer is the product after \
               the write. Send its `Tingkat-Position` along with look-ups, and any node shows the \
               write; every node does within the staleness bound. With `version` the patch can be \
               repeated after a lost answer.",
        access: Access::Write,
        parameters: &[&[one::PRODUCT_ID]],
        body: Some(Body {
            shape: "ProductPatch",
            most_bytes: PATCH_BYTES,
        }),
        answers: &[
            Answer {
                status: StatusCode::OK,
                words: "The product after the write.",
                headers: &[
                    &header_field::AGE,
                    &header_field::CACHE_CONTROL,
                    &header_field::CACHE_STATUS,
                    &header_field::ETAG,
                    &header_field::VARY,
                    &header_field::TINGKAT_POSITION,
                ],
                content: Content::Shape("Product"),
            },
            Answer {
                status: StatusCode::NO_CONTENT,
                words: "Written, and the product can not be read back at the moment.",
                headers: &[&header_field::TINGKAT_POSITION],
                content: Content::Nothing,
            },
        ],
        problems: &[
            WRITE,
            NO_QUERY,
            TOKEN,
            BODY,
            &[
                Code::ProductIdMalformed,
                Code::WritesUnsupported,
                Code::PatchInvalid,
                Code::ProductUnknown,
                Code::VersionConflict,
                Code::StockOutOfRange,
                Code::WriteUnavailable,
                Code::WriteUnsure,
                Code::WriteRefused,
            ],
        ],
        examples: &[
            example!(
                "product_patched",
                "Seven are left",
                "/v1/products/2",
                OK,
                r#"{"stock":7}"#
            ),
            example!(
                "version_conflict",
                "Somebody else was faster",
                "/v1/products/2",
                CONFLICT,
                r#"{"stock_delta":-1,"version":0}"#
            ),
            example!(
                "patch_invalid",
                "A mistake",
                "/v1/products/2",
                UNPROCESSABLE_ENTITY,
                r#"{"stock":7,"stock_delta":1}"#
            ),
        ],
    },
];
