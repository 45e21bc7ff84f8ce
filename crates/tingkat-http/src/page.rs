//! What the pages for people have in common: one file each, without scripts and without network.

use std::fmt::{self, Write as _};

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

/// Nothing but the page's own style may be used, and nobody may frame it.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1b1b1f;--back:#fff;--line:#c9c9d1;--link:#0b57d0}\
@media(prefers-color-scheme:dark){:root{--text:#e5e5ea;--back:#16161a;--line:#46464f;--link:#a8c7fa}}\
body{margin:0;background:var(--back);color:var(--text);font:1rem/1.5 system-ui,sans-serif}\
main{max-width:48rem;margin:0 auto;padding:1.5rem 1rem}\
a{color:var(--link)}a:focus-visible{outline:3px solid var(--link);outline-offset:2px}\
table{border-collapse:collapse;width:100%}caption{text-align:start;font-weight:600;padding:.5rem 0}\
th,td{text-align:start;vertical-align:top;border-bottom:1px solid var(--line);padding:.4rem .75rem .4rem 0;overflow-wrap:anywhere}\
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}";

/// A page with this title and this content, which is HTML.
pub(crate) fn page(title: &str, content: &str) -> Response {
    styled(title, "", content)
}

/// A page with a style of its own beside that of all.
pub(crate) fn styled(title: &str, style: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <style>{STYLE}{style}</style>\n\
         </head>\n\
         <body>\n\
         <main>\n\
         <h1>{title}</h1>\n\
         {content}\
         </main>\n\
         </body>\n\
         </html>\n",
        title = Escaped(title),
    );
    let headers = [
        (header::CACHE_CONTROL, crate::reply::NO_STORE),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (headers, Html(html)).into_response()
}

/// A text that is shown as it is, in content and in quoted attributes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_is_shown_and_not_obeyed() {
        let text = Escaped("<a href=\"x\" title='y'>&").to_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;");
    }
}
