//! The closed list of what can go wrong.
//!
//! A code is part of the interface: it is never renamed, and clients may match on it. Each has its
//! section in `docs/problems.md`, and its place on the page that its `type` points to.

use axum::http::StatusCode;

macro_rules! codes {
    ($($code:ident $name:literal $status:ident $title:literal $explanation:literal)*) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $explanation] $code,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// The word in the member `code`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// The status of the response.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$code => StatusCode::$status,)*
                }
            }

            /// The same few words whenever this happens.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$code => $title,)*
                }
            }

            /// When it happens, and what would be right.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$code => $explanation,)*
                }
            }

            /// The `type`: a reference to the section of the page of problems.
            pub const fn reference(self) -> &'static str {
                match self {
                    $(Self::$code => concat!("/problems#", $name),)*
                }
            }
        }
    };
}

codes! {
    UriMalformed "uri_malformed" BAD_REQUEST
        "The address can not be read"
        "A `%` in the path or the query is not followed by two hexadecimal digits, or what is encoded is not UTF-8."
    UriTooLong "uri_too_long" URI_TOO_LONG
        "The address is too long"
        "Path and query together are longer than the server reads. Ask for fewer things at a time."
    ParameterUnknown "parameter_unknown" BAD_REQUEST
        "Unknown query parameter"
        "The route does not have this query parameter. The member `known_parameters` has those that it has."
    ParameterRepeated "parameter_repeated" BAD_REQUEST
        "Query parameter given twice"
        "Each query parameter may be given once. Many ids are one parameter, separated by commas."
    ParameterMissing "parameter_missing" BAD_REQUEST
        "Query parameter missing"
        "The route needs one of the query parameters in the member `known_parameters`."
    ParametersConflict "parameters_conflict" BAD_REQUEST
        "Query parameters exclude each other"
        "Only one of the query parameters in the member `known_parameters` may be given."
    IdsEmpty "ids_empty" BAD_REQUEST
        "No ids"
        "The query parameter `ids` is empty. It has at least one id, and separates many by commas."
    IdsTooMany "ids_too_many" BAD_REQUEST
        "Too many ids"
        "The query parameter `ids` has more ids than one request may ask for. The member `most` says how many are allowed."
    RouteUnknown "route_unknown" NOT_FOUND
        "No such route"
        "Nothing is served under this path. The member `routes` has every route."
    ProductUnknown "product_unknown" NOT_FOUND
        "No such product"
        "No product has this id, sku or slug."
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED
        "Method not allowed"
        "The route exists, but not for this method. The header `Allow` has the methods that it answers."
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE
        "The body is too large"
        "The body of the request is larger than the server reads. The member `most_bytes` says how large it may be."
    PostcodeMalformed "postcode_malformed" UNPROCESSABLE_ENTITY
        "Not a postcode"
        "A postcode has five digits, such as 50450. White space is ignored."
    ProductIdMalformed "product_id_malformed" UNPROCESSABLE_ENTITY
        "Not a product id"
        "A product id has 1 to 64 letters, digits, `-` or `_`."
    SkuMalformed "sku_malformed" UNPROCESSABLE_ENTITY
        "Not a sku"
        "A sku has 1 to 64 printable characters."
    SlugMalformed "slug_malformed" UNPROCESSABLE_ENTITY
        "Not a slug"
        "A slug has 1 to 200 small letters, digits or `-`."
    Overloaded "overloaded" SERVICE_UNAVAILABLE
        "Too many look-ups are waiting"
        "The database is busy and the queue in front of it is full. Ask again after `Retry-After` seconds."
    SourceFailed "source_failed" SERVICE_UNAVAILABLE
        "The database failed"
        "The answer is not cached, and the database did not give it. Ask again after `Retry-After` seconds."
    NotCurrent "not_current" SERVICE_UNAVAILABLE
        "The answer is not known to be current"
        "A value is cached, but the request insists on a current one and the node can not reach the database to tell. Ask again after `Retry-After` seconds, or without insisting."
    BatchIncomplete "batch_incomplete" SERVICE_UNAVAILABLE
        "Some of the products could not be looked up"
        "A list without them would look as if they did not exist. The member `failed` says how many. Ask again after `Retry-After` seconds."
    ShuttingDown "shutting_down" SERVICE_UNAVAILABLE
        "The node is stopping"
        "This node answers no more look-ups. Another one does; ask again after `Retry-After` seconds."
    DeadlineExceeded "deadline_exceeded" GATEWAY_TIMEOUT
        "The database did not answer in time"
        "The answer is not cached, and loading it took longer than the hard deadline."
    NotCached "not_cached" GATEWAY_TIMEOUT
        "Nothing is cached"
        "The request has `Cache-Control: only-if-cached`, and no tier holds the answer. Ask without it to have it loaded."
    RequestTimeout "request_timeout" GATEWAY_TIMEOUT
        "The request took too long"
        "The server gave the request up. Asking again is safe."
    Internal "internal" INTERNAL_SERVER_ERROR
        "Unexpected error"
        "The server has a bug. What happened is in its log, and no other request was affected."
}
