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
    ParametersConflict "parameters_conflict" BAD_REQUEST
        "Query parameters exclude each other"
        "Some of the query parameters in the member `known_parameters` may not be given together. The member `detail` says which."
    IdsEmpty "ids_empty" BAD_REQUEST
        "No ids"
        "The query parameter `ids`, or the list in the body, is empty. It has at least one id; the parameter separates many by commas."
    IdsTooMany "ids_too_many" BAD_REQUEST
        "Too many ids"
        "The query parameter `ids`, or the list in the body, has more ids than one request may ask for. The member `most` says how many are allowed."
    ParameterMalformed "parameter_malformed" BAD_REQUEST
        "A query parameter has no such value"
        "The value of a query parameter is not one of those that it has. The member `parameter` names it, and `detail` says what would be right."
    IdsInvalid "ids_invalid" UNPROCESSABLE_ENTITY
        "Not a list of ids"
        "The body has a member that is unknown or of the wrong form. It has `ids`, or for an entity of the store's own `keys`, a list of texts."
    PositionMalformed "position_malformed" BAD_REQUEST
        "Not a position"
        "The header `Tingkat-Position` has neither the form `<incarnation>:<xid>` that the answer to a write has, nor is it the number that `SELECT pg_current_xact_id()` gives."
    CursorMalformed "cursor_malformed" BAD_REQUEST
        "Not a cursor"
        "The query parameter `cursor` is not the `next` of a page of this list, or `from` or the header `Last-Event-ID` is not the `id` of an event of this route. Ask without one to begin anew."
    BodyMalformed "body_malformed" BAD_REQUEST
        "The body is not JSON"
        "The body of the request is not a JSON document."
    BodyBroken "body_broken" BAD_REQUEST
        "The body broke off"
        "The connection ended before the body of the request did, or the body is not framed as its headers say. Nothing was done."
    BodyTooSlow "body_too_slow" REQUEST_TIMEOUT
        "The body took too long"
        "The body of the request did not arrive in time. Nothing was done; send it again on another connection."
    TokenRequired "token_required" UNAUTHORIZED
        "A token is required"
        "The route needs the header `Authorization: Bearer` with a token that this server knows."
    TokenScope "token_scope" FORBIDDEN
        "The token is for something else"
        "The token is known, but does not open this route."
    TokensUnset "tokens_unset" FORBIDDEN
        "Nobody may write"
        "The server has no tokens. `TINGKAT__SERVER__TOKENS` has those that it accepts."
    RouteUnknown "route_unknown" NOT_FOUND
        "No such route"
        "Nothing is served under this path. The member `routes` has every route."
    ProductUnknown "product_unknown" NOT_FOUND
        "No such product"
        "No product has this id, sku or slug."
    CategoryUnknown "category_unknown" NOT_FOUND
        "No such category"
        "No category that is shown has this id or slug."
    EntityUnknown "entity_unknown" NOT_FOUND
        "No such entity"
        "The server caches nothing of this name. The member `known_entities` has those that it does."
    DocumentUnknown "document_unknown" NOT_FOUND
        "Nothing has this key"
        "The entity is one of the store's own, and it has nothing with this key."
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED
        "Method not allowed"
        "The route exists, but not for this method. The header `Allow` has the methods that it answers."
    VersionConflict "version_conflict" CONFLICT
        "The product was changed meanwhile"
        "The product has another version than the patch is for. The member `current_version` says which; read the product again and decide anew."
    WarmRunning "warm_running" CONFLICT
        "The tiers are being warmed"
        "One run goes on at a time. The member `run` says which; `GET /v1/warm` tells how far it is, and `DELETE /v1/warm` ends it."
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE
        "The body is too large"
        "The body of the request is larger than the server reads. The member `most_bytes` says how large it may be."
    PostcodeMalformed "postcode_malformed" UNPROCESSABLE_ENTITY
        "Not a postcode"
        "A postcode has five digits, such as 50450. White space is ignored."
    ProductIdMalformed "product_id_malformed" UNPROCESSABLE_ENTITY
        "Not a product id"
        "A product id has 1 to 64 letters, digits, `-` or `_`."
    CategoryIdMalformed "category_id_malformed" UNPROCESSABLE_ENTITY
        "Not a category id"
        "A category id has 1 to 64 letters, digits, `-` or `_`."
    KeyMalformed "key_malformed" UNPROCESSABLE_ENTITY
        "Not a key of the entity"
        "The text can not be a key of the entity. The member `detail` says what would be right."
    SkuMalformed "sku_malformed" UNPROCESSABLE_ENTITY
        "Not a sku"
        "A sku has 1 to 200 printable characters."
    SlugMalformed "slug_malformed" UNPROCESSABLE_ENTITY
        "Not a slug"
        "A slug has 1 to 500 printable characters."
    MediaTypeUnknown "media_type_unknown" UNSUPPORTED_MEDIA_TYPE
        "The body has another media type"
        "The body of the request has to be `application/json`."
    PatchInvalid "patch_invalid" UNPROCESSABLE_ENTITY
        "Not a patch of a product"
        "The body has a member that is unknown or of the wrong form, has nothing to change, or asks for what no product can have. Members are `stock` or `stock_delta`, `regular_price`, `member_price` and `version`."
    ForgetInvalid "forget_invalid" UNPROCESSABLE_ENTITY
        "Not a thing to forget"
        "The body has a member that is unknown or of the wrong form, or does not say one thing to forget: `keys` or a `pattern` of an `entity`, `tags`, or `all`, with an `entity` or of everything."
    WarmInvalid "warm_invalid" UNPROCESSABLE_ENTITY
        "Not a thing to warm"
        "The body has a member that is unknown or of the wrong form, or a number out of its range. Members are `entities` with `top`, or `keys` by entity, and `concurrency`, `rate`, `bytes`, `timeout_ms`, `validate` and `dry_run`."
    StockOutOfRange "stock_out_of_range" UNPROCESSABLE_ENTITY
        "The stock can not be adjusted by so many"
        "There are fewer left than are to be taken, or the sum is too large. The member `stock_quantity` says how many are left."
    RateLimited "rate_limited" TOO_MANY_REQUESTS
        "Too many requests of this client"
        "The client asks more often than the server allows it: by its token, or else by its address. Ask again after `Retry-After` seconds."
    Overloaded "overloaded" SERVICE_UNAVAILABLE
        "Too many requests are waiting"
        "The database is busy and the queue in front of it is full, or the server answers as many requests as it takes at a time. Ask again after `Retry-After` seconds."
    SourceFailed "source_failed" SERVICE_UNAVAILABLE
        "The database failed"
        "The answer is not cached, and the database did not give it. Ask again after `Retry-After` seconds."
    NotCurrent "not_current" SERVICE_UNAVAILABLE
        "The answer is not known to be current"
        "A value is cached, but the request insists on a current one and the node can not reach the database to tell. Ask again after `Retry-After` seconds, or without insisting."
    BatchIncomplete "batch_incomplete" SERVICE_UNAVAILABLE
        "Some of the products could not be looked up"
        "A list without them would look as if they did not exist. The member `failed` says how many. Ask again after `Retry-After` seconds."
    WriteUnavailable "write_unavailable" SERVICE_UNAVAILABLE
        "The database can not be written"
        "The database does not answer, or is busy. Nothing was written. Ask again after `Retry-After` seconds."
    ForgetUnavailable "forget_unavailable" SERVICE_UNAVAILABLE
        "Nothing could be forgotten"
        "The change could not be made known to every node, so it was not made. Ask again after `Retry-After` seconds."
    StreamsExhausted "streams_exhausted" SERVICE_UNAVAILABLE
        "Too many streams"
        "As many clients follow the changes as this node serves at a time. Ask again after `Retry-After` seconds, or another node: a cursor is good on each."
    ShuttingDown "shutting_down" SERVICE_UNAVAILABLE
        "The node is stopping"
        "This node answers no more look-ups. Another one does; ask again after `Retry-After` seconds."
    DeadlineExceeded "deadline_exceeded" GATEWAY_TIMEOUT
        "The database did not answer in time"
        "The answer is not cached, and loading it took longer than the hard deadline."
    WriteUnsure "write_unsure" GATEWAY_TIMEOUT
        "Nobody knows whether it was written"
        "The connection to the database was lost while it wrote, or the write took longer than a request may. Read the product again before you repeat the write."
    NotCached "not_cached" GATEWAY_TIMEOUT
        "Nothing is cached"
        "The request has `Cache-Control: only-if-cached`, and no tier holds the answer. Ask without it to have it loaded."
    RequestTimeout "request_timeout" GATEWAY_TIMEOUT
        "The request took too long"
        "The server gave the request up. Asking again is safe: a write is answered with `write_unsure` instead."
    WriteRefused "write_refused" INTERNAL_SERVER_ERROR
        "The database refuses the write"
        "The server's user lacks a right, or a rule of the table is broken. The log of the server says which. Nothing was written."
    WritesUnsupported "writes_unsupported" NOT_IMPLEMENTED
        "This database is not written"
        "The server reads from a source that it can not write to."
    ChangesUnsupported "changes_unsupported" NOT_IMPLEMENTED
        "There is no change log"
        "The server follows no change log, so it can not tell what changed."
    Internal "internal" INTERNAL_SERVER_ERROR
        "Unexpected error"
        "The server has a bug. What happened is in its log, and no other request was affected."
}
