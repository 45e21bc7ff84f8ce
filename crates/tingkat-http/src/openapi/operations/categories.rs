//! Categories.

use super::{EVERY, LOOK_UP, NO_QUERY, NOT_MODIFIED, QUERY, example, found};
use crate::openapi::operation::{Access, Group, Operation, Verb};
use crate::openapi::parameter::{self as one};
use crate::problem::Code;

/// One of them for each route and method.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        verb: Verb::Get,
        path: "/v1/categories",
        id: "findCategories",
        group: Group::Categories,
        summary: "The whole tree, or one category by its slug",
        text: "Categories that are not shown are left out, with what is under them.",
        access: Access::Read,
        parameters: &[&[one::CATEGORY_SLUG], one::LOOK_UP],
        body: None,
        answers: &[
            found("The tree, or the category.", "CategoryTree|Category"),
            NOT_MODIFIED,
        ],
        problems: &[
            EVERY,
            &[Code::ParameterUnknown, Code::ParameterRepeated],
            LOOK_UP,
            &[Code::CategoryUnknown],
        ],
        examples: &[
            example!(
                "category_by_slug",
                "By slug",
                "/v1/categories?slug=candle-holders",
                OK
            ),
            example!(
                "category_slug_unknown",
                "There is no such category",
                "/v1/categories?slug=nowhere",
                NOT_FOUND
            ),
        ],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/categories/{id}",
        id: "getCategory",
        group: Group::Categories,
        summary: "One category, the way to it, and what is right under it",
        text: "",
        access: Access::Read,
        parameters: &[&[one::CATEGORY_ID], one::LOOK_UP],
        body: None,
        answers: &[found("The category.", "Category"), NOT_MODIFIED],
        problems: &[
            EVERY,
            NO_QUERY,
            LOOK_UP,
            &[Code::CategoryIdMalformed, Code::CategoryUnknown],
        ],
        examples: &[
            example!("category", "A category", "/v1/categories/c1", OK),
            example!(
                "category_unknown",
                "There is no such category",
                "/v1/categories/nowhere",
                NOT_FOUND
            ),
        ],
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/categories/{id}/products",
        id: "listProductsOfCategory",
        group: Group::Categories,
        summary: "The products on sale in a category and what is under it",
        text: "The same as `GET /v1/products?category=`.",
        access: Access::Read,
        parameters: &[
            &[
                one::CATEGORY_ID,
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
        answers: &[found("A page.", "ProductPage"), NOT_MODIFIED],
        problems: &[
            EVERY,
            QUERY,
            LOOK_UP,
            &[
                Code::CategoryIdMalformed,
                Code::CursorMalformed,
                Code::CategoryUnknown,
            ],
        ],
        examples: &[
            example!(
                "category_products",
                "The first by name",
                "/v1/categories/c1/products?sort=name&limit=1",
                OK
            ),
            example!(
                "limit_malformed",
                "A mistake",
                "/v1/categories/c1/products?limit=1000",
                BAD_REQUEST
            ),
        ],
    },
];
