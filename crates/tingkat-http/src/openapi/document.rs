//! The operations as an OpenAPI document.

mod fields;
mod problems;

use axum::http::StatusCode;
use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{OperationBuilder, PathItemBuilder, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, OneOfBuilder, Ref, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    HttpMethod, OpenApi, OpenApiBuilder, RefOr, Required, Response, ResponseBuilder,
};

use super::header_field;
use super::operation::{Access, Answer, Content, Example, Group, Operation, Verb};
use super::{operations, shapes};
use crate::problem::MEDIA_TYPE_NAME;

const ABOUT: &str = "\
The caching tier of an online store: memory and Redis in front of its database.

**Fresh.** No answer is older than the staleness bound of the node, a second by default, whoever \
changed it in the database, unless `Cache-Status` has `detail=stale`. `Cache-Control: no-cache` asks \
for one that is validated by a poll sent after the request; `Tingkat-Position` for one that shows a \
write.

**Errors** are problem documents (RFC 9457), `application/problem+json`. The member `code` is one of a \
closed list; `/problems` explains each. A path that is not here is answered with 404 \
`route_unknown`, a method with 405 `method_not_allowed` and `Allow`. What answers GET answers HEAD as \
well.

**Names.** Every answer has `X-Request-Id`, the one of the request if that was sound, and a \
`traceparent` (W3C) that goes on with that of the request. Problems have both as members.

**Queries** have known parameters, each at most once; a misspelt one is refused, because ignoring it \
would answer another question. Times are RFC 3339 in UTC, money is in minor units.

Examples are the answers of a node with the demo store.";

const TOKEN: &str = "\
A token of `TINGKAT__SERVER__TOKENS`. Its scope is `read`, `write` or `operate`; every token opens \
look-ups, and look-ups need none unless there is one for `read`.";

/// Everything that is said of the interface.
pub(super) fn document() -> OpenApi {
    let license = LicenseBuilder::new()
        .name("Apache-2.0 OR MIT")
        .identifier(Some("Apache-2.0 OR MIT"));
    let info = InfoBuilder::new()
        .title("Tingkat")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license.build()));
    let tags = Group::ALL.map(|group| {
        let tag = TagBuilder::new().name(group.name());
        tag.description(Some(group.text())).build()
    });
    let here = ServerBuilder::new()
        .url("/")
        .description(Some("This node"))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([here]))
        .tags(Some(tags))
        .paths(paths())
        .components(Some(components().build()))
        .build()
}

fn components() -> ComponentsBuilder {
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(TOKEN));
    let components = ComponentsBuilder::new()
        .security_scheme("token", SecurityScheme::Http(token.build()))
        .schema("Problem", problems::shape());
    let components = header_field::ALL
        .iter()
        .fold(components, |components, field| {
            components.header(field.name, fields::header(field))
        });
    shapes::add_to(components)
}

fn paths() -> PathsBuilder {
    let mut paths: Vec<(&str, PathItemBuilder)> = Vec::new();
    for operation in operations::all() {
        let method = match operation.verb {
            Verb::Get => HttpMethod::Get,
            Verb::Post => HttpMethod::Post,
            Verb::Patch => HttpMethod::Patch,
            Verb::Delete => HttpMethod::Delete,
        };
        let described = described(operation);
        let known = paths.iter_mut().find(|(path, _)| *path == operation.path);
        if let Some((_, item)) = known {
            let others = std::mem::replace(item, PathItemBuilder::new());
            *item = others.operation(method, described);
        } else {
            let item = PathItemBuilder::new().operation(method, described);
            paths.push((operation.path, item));
        }
    }
    paths
        .into_iter()
        .fold(PathsBuilder::new(), |all, (path, item)| {
            all.path(path, item.build())
        })
}

fn described(operation: &Operation) -> OperationBuilder {
    let text = format!("{} {}", operation.text, operation.access.text());
    let mut built = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .tag(operation.group.name())
        .summary(Some(operation.summary))
        .description(Some(text.trim()))
        .request_body(body(operation))
        .securities(Some(securities(operation.access)));
    for parameter in operation.parameters() {
        built = built.parameter(fields::parameter(parameter));
    }
    for (status, response) in responses(operation) {
        built = built.response(status.as_str(), response);
    }
    built
}

/// Who may ask: none of these, or one of them.
fn securities(access: Access) -> Vec<SecurityRequirement> {
    let needed = access
        .scope()
        .map(|scope| SecurityRequirement::new("token", [scope]));
    let nobody =
        matches!(access, Access::Anybody | Access::Read).then(SecurityRequirement::default);
    nobody.into_iter().chain(needed).collect()
}

fn body(operation: &Operation) -> Option<utoipa::openapi::request_body::RequestBody> {
    let body = operation.body?;
    let text = format!("At most {} bytes.", body.most_bytes);
    let examples = operation.examples.iter().filter_map(|example| {
        let value = serde_json::from_str(example.body?).ok();
        let shown = ExampleBuilder::new().summary(example.words).value(value);
        Some((example.name, shown.build()))
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(body.shape)))
        .examples_from_iter(examples);
    let built = RequestBodyBuilder::new()
        .description(Some(text))
        .required(Some(Required::True))
        .content("application/json", content.build());
    Some(built.build())
}

/// The answers by their statuses. A status may be that of an answer and of problems.
fn responses(operation: &Operation) -> Vec<(StatusCode, Response)> {
    let problems = operation.problems();
    let only_problems = problems.iter().filter(|(status, _)| {
        let is_this = |answer: &Answer| answer.status == *status;
        !operation.answers.iter().any(is_this)
    });
    let answers = operation.answers.iter().map(|answer| {
        let codes = problems
            .iter()
            .find(|(status, _)| *status == answer.status)
            .map_or(&[][..], |(_, codes)| codes.as_slice());
        let mut response = answered(operation, answer);
        let mut words = answer.words.to_owned();
        if !codes.is_empty() {
            words = format!("{words} Or a problem: {}", problems::words(codes));
            let content = problems::content(codes, &examples(operation, answer.status, true));
            response = response.content(MEDIA_TYPE_NAME, content);
        }
        (answer.status, response.description(words).build())
    });
    let problems = only_problems.map(|(status, codes)| {
        let response = problems::response(operation, *status, codes);
        let content = problems::content(codes, &examples(operation, *status, true));
        (*status, response.content(MEDIA_TYPE_NAME, content).build())
    });
    answers.chain(problems).collect()
}

fn answered(operation: &Operation, answer: &Answer) -> ResponseBuilder {
    let mut response = ResponseBuilder::new();
    for field in answer.headers {
        response = response.header_ref(field.name, fields::header_ref(field));
    }
    for media_type in answer.content.media_types() {
        let content = ContentBuilder::new()
            .schema(schema(answer.content))
            .examples_from_iter(examples(operation, answer.status, false));
        response = response.content(*media_type, content.build());
    }
    response
}

/// The examples with a status, those of problems or the others.
fn examples(
    operation: &Operation,
    status: StatusCode,
    of_problems: bool,
) -> Vec<(String, utoipa::openapi::example::Example)> {
    // A status that has an answer of its own is no problem, such as an unknown postcode.
    let is_answer = operation.answers.iter().any(|it| it.status == status);
    let of_status = |example: &&Example| example.status == status && is_answer != of_problems;
    let shown = |example: &Example| {
        let request = format!("{} {}", operation.verb.name(), example.address);
        let shown = ExampleBuilder::new()
            .summary(request)
            .description(example.words)
            .value(serde_json::from_str::<Value>(example.answer).ok());
        (example.name.to_owned(), shown.build())
    };
    operation
        .examples
        .iter()
        .filter(of_status)
        .map(shown)
        .collect()
}

/// Of an answer that has one of some shapes, `|` is between their names.
fn schema(content: Content) -> Option<RefOr<Schema>> {
    match content {
        Content::Nothing => None,
        Content::Json => Some(fields::anything().into()),
        Content::Page | Content::Events | Content::Metrics => Some(fields::text().into()),
        Content::Shape(names) => {
            let one = |name: &str| RefOr::Ref(Ref::from_schema_name(name));
            if !names.contains('|') {
                return Some(one(names));
            }
            let shapes = names.split('|').map(one);
            let any = shapes.fold(OneOfBuilder::new(), OneOfBuilder::item);
            Some(any.into())
        }
    }
}
