//! The pages of which origins may read answers (the CORS protocol of the Fetch standard). Nobody's,
//! unless they are named; and never with cookies, which nothing here looks at.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, AGE, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, ORIGIN, RETRY_AFTER,
};
use axum::http::{HeaderValue, Method, Uri};
use axum::response::Response;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer, Vary};

use super::ids::REQUEST_ID;
use super::trace::{TRACEPARENT, TRACESTATE};
use crate::changes::LAST_EVENT_ID;
use crate::demand::POSITION;
use crate::reply::CACHE_STATUS;

/// For so long a browser need not ask again; longer than this none waits.
const MAX_AGE: Duration = Duration::from_hours(1);

/// Where a page is from: a scheme, a host and a port, exactly as a browser says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text that no browser says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an origin such as https://shop.example or http://localhost:3000, in small letters, \
     without a path and without the port that the scheme implies"
)]
pub struct OriginError;

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let uri: Uri = text.parse().map_err(|_| OriginError)?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(OriginError);
        };
        let port = match (scheme, uri.port_u16()) {
            ("http", Some(80)) | ("https", Some(443)) => return Err(OriginError),
            ("http" | "https", port) => port.map_or_else(String::new, |port| format!(":{port}")),
            _ => return Err(OriginError),
        };
        // What a browser says has nothing else, in no other spelling.
        let said = format!("{scheme}://{host}{port}").to_ascii_lowercase();
        if said != text || host.is_empty() || host.contains('*') {
            return Err(OriginError);
        }
        HeaderValue::try_from(said)
            .map(Self)
            .map_err(|_| OriginError)
    }
}

/// Answers browsers.
pub(super) struct Cors(CorsLayer);

impl Cors {
    /// For pages of these origins; nothing if there are none.
    pub(super) fn new(origins: &[Origin]) -> Option<Self> {
        if origins.is_empty() {
            return None;
        }
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins.iter().map(|it| it.0.clone())))
            .allow_headers([
                AUTHORIZATION,
                CACHE_CONTROL,
                CONTENT_TYPE,
                IF_NONE_MATCH,
                LAST_EVENT_ID,
                POSITION,
                TRACEPARENT,
                TRACESTATE,
                REQUEST_ID,
            ])
            .expose_headers([
                ETAG,
                CACHE_STATUS,
                AGE,
                POSITION,
                RETRY_AFTER,
                TRACEPARENT,
                REQUEST_ID,
            ])
            // A cache on the way must not give one page the answer that is for another.
            .vary(Vary::list([ORIGIN]))
            .max_age(MAX_AGE);
        Some(Self(layer))
    }

    /// Answers a request by the routes, or its preflight by what they answer.
    pub(super) async fn answer<F>(
        &self,
        request: Request,
        routes: impl Fn(Request) -> F,
    ) -> Response
    where
        F: Future<Output = Response>,
    {
        if is_preflight(&request) {
            return self.preflight(request, routes).await;
        }
        if request.method() == Method::OPTIONS {
            // Without a method in mind it is a question like any other.
            return routes(request).await;
        }
        let routes = service_fn(|request| {
            let answer = routes(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let Ok(response) = self.0.layer(routes).oneshot(request).await;
        response
    }

    /// The route itself says which methods it answers, in the header of a refusal.
    async fn preflight<F>(&self, request: Request, routes: impl Fn(Request) -> F) -> Response
    where
        F: Future<Output = Response>,
    {
        let mut bare = Request::new(Body::empty());
        *bare.method_mut() = Method::OPTIONS;
        *bare.uri_mut() = request.uri().clone();
        // Proxies say in them for whom it is.
        *bare.headers_mut() = request.headers().clone();
        let refusal = routes(bare).await;
        let Some(methods) = allowed(&refusal) else {
            return refusal;
        };
        let nobody = service_fn(async |_: Request| Ok::<_, Infallible>(Response::default()));
        let layer = self.0.clone().allow_methods(methods);
        let Ok(response) = layer.layer(nobody).oneshot(request).await;
        response
    }
}

fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn allowed(refusal: &Response) -> Option<Vec<Method>> {
    let allow = refusal.headers().get(ALLOW)?.to_str().ok()?;
    let methods = allow.split(',').filter_map(|name| name.trim().parse().ok());
    Some(methods.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_says_and_nothing_else() {
        for right in [
            "https://shop.example",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "http://[::1]:3000",
            "https://xn--kedai-x.example:8443",
        ] {
            let origin: Origin = right.parse().unwrap();
            assert_eq!(origin.0, right);
        }
        for wrong in [
            "",
            "*",
            "null",
            "shop.example",
            "//shop.example",
            "https://",
            "https://*",
            "https://*.shop.example",
            "https://Shop.example",
            "HTTPS://shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://shop.example?x",
            "https://shop.example:443",
            "http://shop.example:80",
            "https://user@shop.example",
            "ftp://shop.example",
            "https://shop.example:0443",
            "https://shop.example, https://other.example",
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(OriginError), "{wrong}");
        }
    }
}
