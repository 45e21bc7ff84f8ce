//! `GET /docs`: the interface as a page, from the same table as the OpenAPI document. It needs neither
//! scripts nor a network.

mod shapes;
mod text;

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::response::Response;

use crate::openapi::operation::{Access, Answer, Example, Group, Operation};
use crate::openapi::operations;
use crate::openapi::parameter::{Kind, Parameter, Place};
use crate::page::{Escaped, styled};
use crate::problem::Code;
use text::{Marked, indented};

const STYLE: &str = "\
:root{--code:#f3f3f7}@media(prefers-color-scheme:dark){:root{--code:#222229}}\
nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}\
h2{margin-top:3rem;border-bottom:2px solid var(--line)}\
h3{margin:2.5rem 0 .25rem;font-size:1.1rem;overflow-wrap:anywhere}\
h4{margin:1rem 0 .25rem;font-size:1rem}\
.verb{border:1px solid;border-radius:.25rem;padding:0 .35rem;font:700 .8rem/1.4 ui-monospace,monospace}\
.kind{opacity:.85;font-size:.9rem}\
dl{margin:.25rem 0;display:grid;grid-template-columns:minmax(8rem,13rem) 1fr;gap:.4rem 1rem}\
dt{overflow-wrap:anywhere}dd{margin:0;overflow-wrap:anywhere}\
@media(max-width:36rem){dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .6rem 1rem}}\
details{margin:.4rem 0}summary{cursor:pointer;overflow-wrap:anywhere}\
summary:focus-visible{outline:3px solid var(--link);outline-offset:2px}\
pre{background:var(--code);padding:.75rem;margin:.4rem 0;border-radius:.25rem;white-space:pre-wrap;\
overflow-wrap:anywhere;font:.85rem/1.45 ui-monospace,monospace}";

const ABOUT: &str = "\
<p>Every route of this node. The same as <a href=\"/openapi.json\">OpenAPI 3.1</a>; errors are \
explained on the page of <a href=\"/problems\">problems</a>. Examples are the answers of a node with \
the demo store.</p>
<p>No answer is older than the staleness bound, a second by default, whoever changed it in the database, \
unless <code>Cache-Status</code> has <code>detail=stale</code>. What answers GET answers HEAD as well. \
Query parameters are known and given once; a misspelt one is refused. Times are RFC 3339 in UTC, money is \
in minor units.</p>
<p>A token is sent as <code>Authorization: Bearer</code>. Its scope is <code>read</code>, \
<code>write</code> or <code>operate</code>; every token opens look-ups, and look-ups need none unless \
there is one for <code>read</code>.</p>
";

static CONTENT: LazyLock<String> = LazyLock::new(content);

/// The page.
pub(crate) async fn page() -> Response {
    styled("Tingkat: the HTTP interface", STYLE, &CONTENT)
}

fn content() -> String {
    let mut out = ABOUT.to_owned();
    contents(&mut out);
    for group in Group::ALL {
        let name = Escaped(group.name());
        // Writing to a String does not fail, here and below.
        let _ = write!(
            out,
            "<h2 id=\"{}\">{name}</h2>\n<p>{}</p>\n",
            anchor(group),
            Marked(group.text())
        );
        for operation in operations::all().filter(|it| it.group == group) {
            section(&mut out, operation);
        }
    }
    shapes::section(&mut out);
    out
}

fn contents(out: &mut String) {
    out.push_str("<nav aria-label=\"Contents\">\n<ul>\n");
    for group in Group::ALL {
        let (anchor, name) = (anchor(group), Escaped(group.name()));
        let _ = writeln!(out, "<li><a href=\"#{anchor}\">{name}</a></li>");
    }
    out.push_str("<li><a href=\"#shapes\">Shapes</a></li>\n</ul>\n</nav>\n");
}

fn anchor(group: Group) -> String {
    group.name().to_lowercase().replace(' ', "-")
}

fn section(out: &mut String, operation: &Operation) {
    let _ = write!(
        out,
        "<section aria-labelledby=\"{id}\">\n\
         <h3 id=\"{id}\"><span class=\"verb\">{verb}</span> <code>{path}</code></h3>\n\
         <p><strong>{summary}.</strong> {text} {access}</p>\n",
        id = operation.id,
        verb = operation.verb.name(),
        path = Escaped(operation.path),
        summary = Marked(operation.summary),
        text = Marked(operation.text),
        access = Marked(operation.access.text()),
    );
    for (place, heading) in [
        (Place::Path, "In the path"),
        (Place::Query, "In the query"),
        (Place::Header, "Headers of the request"),
    ] {
        parameters(out, heading, operation.parameters_in(place));
    }
    if let Some(body) = operation.body {
        let _ = writeln!(
            out,
            "<h4>Body</h4>\n<p>{}, as JSON of at most {} bytes.</p>",
            shapes::links(body.shape),
            body.most_bytes
        );
    }
    answers(out, operation);
    if !operation.examples.is_empty() {
        out.push_str("<h4>Examples</h4>\n");
    }
    for example in operation.examples {
        shown(out, operation, example);
    }
    out.push_str("</section>\n");
}

fn parameters<'a>(out: &mut String, heading: &str, all: impl Iterator<Item = &'a Parameter>) {
    let mut rows = String::new();
    for parameter in all {
        let _ = writeln!(
            rows,
            "<dt><code>{}</code></dt><dd>{}{}</dd>",
            Escaped(parameter.name),
            Marked(parameter.text),
            kind(parameter.kind),
        );
    }
    if !rows.is_empty() {
        let _ = write!(out, "<h4>{heading}</h4>\n<dl>\n{rows}</dl>\n");
    }
}

/// What a value may be; nothing where it may be any text.
fn kind(kind: Kind) -> String {
    if matches!(kind, Kind::Text) {
        return String::new();
    }
    let words = sentence(&kind.words());
    format!(" <span class=\"kind\">{}.</span>", Marked(&words))
}

/// With a capital at its beginning.
fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

fn answers(out: &mut String, operation: &Operation) {
    out.push_str("<h4>Answers</h4>\n<dl>\n");
    for answer in operation.answers {
        let _ = writeln!(
            out,
            "<dt>{}</dt><dd>{}{}{}</dd>",
            answer.status.as_u16(),
            Marked(answer.words),
            body(answer),
            headers(answer)
        );
    }
    for (status, codes) in operation.problems() {
        let codes: Vec<String> = codes.iter().map(|code| problem(*code)).collect();
        let status = status.as_u16();
        let _ = writeln!(out, "<dt>{status}</dt><dd>{}</dd>", codes.join(", "));
    }
    out.push_str("</dl>\n");
}

fn body(answer: &Answer) -> String {
    use crate::openapi::operation::Content;
    match answer.content {
        Content::Nothing => String::new(),
        Content::Shape(names) => format!(" {}.", shapes::links(names)),
        Content::Json => " JSON.".to_owned(),
        Content::Page => " HTML.".to_owned(),
        Content::Events => " <code>text/event-stream</code>.".to_owned(),
        Content::Metrics => " Text for Prometheus.".to_owned(),
    }
}

fn headers(answer: &Answer) -> String {
    let names: Vec<String> = answer
        .headers
        .iter()
        .map(|field| format!("<code>{}</code>", Escaped(field.name)))
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" <span class=\"kind\">With {}.</span>", names.join(", "))
}

fn problem(code: Code) -> String {
    let (name, reference) = (Escaped(code.name()), Escaped(code.reference()));
    format!("<a href=\"{reference}\"><code>{name}</code></a>")
}

fn shown(out: &mut String, operation: &Operation, example: &Example) {
    let _ = writeln!(
        out,
        "<details>\n<summary>{words}: <code>{verb} {address}</code> → {status}</summary>\n\
         <pre><code>{curl}</code></pre>\n<pre><code>{answer}</code></pre>\n</details>",
        words = Marked(example.words),
        verb = operation.verb.name(),
        address = Escaped(example.address),
        status = example.status.as_u16(),
        curl = Escaped(&curl(operation, example)),
        answer = Escaped(&indented(example.answer)),
    );
}

/// The request as it is typed.
fn curl(operation: &Operation, example: &Example) -> String {
    let mut line = String::from("curl -s");
    if operation.verb.name() != "GET" {
        let _ = write!(line, " -X {}", operation.verb.name());
    }
    let _ = write!(line, " 'http://127.0.0.1:8080{}'", example.address);
    if matches!(operation.access, Access::Write | Access::Operate) {
        line.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
    }
    if let Some(body) = example.body {
        let _ = write!(
            line,
            " \\\n  -H 'Content-Type: application/json' -d '{body}'"
        );
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_every_shape_that_it_names_has_its_place() {
        let page = content();
        for operation in operations::all() {
            let heading = format!("<h3 id=\"{}\">", operation.id);
            assert_eq!(page.matches(&heading).count(), 1, "{}", operation.id);
        }
        for link in page.split("href=\"#").skip(1) {
            let anchor = link.split('"').next().unwrap();
            let is_there = page.contains(&format!("id=\"{anchor}\""));
            assert!(is_there, "{anchor}");
        }
    }

    #[test]
    fn a_request_is_shown_as_it_is_typed() {
        let operation = operations::all().find(|it| it.id == "patchProduct");
        let operation = operation.unwrap();
        assert_eq!(
            curl(operation, &operation.examples[0]),
            "curl -s -X PATCH 'http://127.0.0.1:8080/v1/products/2' \\\n  \
             -H \"Authorization: Bearer $TOKEN\" \\\n  \
             -H 'Content-Type: application/json' -d '{\"stock\":7}'"
        );
    }
}
