//! `GET /problems`: what the `type` of a problem document refers to.

use std::fmt::Write as _;

use axum::response::Response;

use crate::page::{Escaped, page as html};
use crate::problem::Code;

/// The page: one section per code.
pub(crate) async fn page() -> Response {
    let mut content = String::from(
        "<p>Errors are problem documents (RFC 9457). The member <code>code</code> is one of these.</p>\n",
    );
    for code in Code::ALL {
        let name = code.name();
        let status = code.status().as_u16();
        let title = Escaped(code.title());
        let explanation = Escaped(code.explanation());
        // Writing to a String does not fail.
        let _ = writeln!(
            content,
            "<h2 id=\"{name}\"><code>{name}</code></h2>\n<p>{status} · {title}</p>\n<p>{explanation}</p>"
        );
    }
    html("Problems", &content)
}
