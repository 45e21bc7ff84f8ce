//! The table of contents: which path is served by which file.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use tower::Service;

use crate::app::App;
use crate::edge::around;
use crate::hits::Hits;
use crate::metrics::{Metered, Requests, scrape};
use crate::problem::{Code, Problem, shortened};
use crate::tokens::Tokens;
use crate::{
    caches, categories, changes, docs, documents, forget, health, home, openapi, postcodes, probes,
    problems, products, states, warm,
};

/// Every route.
fn routes() -> [(&'static str, MethodRouter<Arc<App>>); 25] {
    [
        ("/", get(home::page)),
        ("/v1/postcodes", get(postcodes::list)),
        ("/v1/postcodes/{code}", get(postcodes::locate)),
        ("/v1/states", get(states::list)),
        (
            "/v1/products/{id}",
            get(products::by_id).patch(products::patch),
        ),
        ("/v1/products", get(products::find)),
        ("/v1/products:batchGet", post(products::batch_get)),
        ("/v1/categories", get(categories::find)),
        ("/v1/categories/{id}", get(categories::by_id)),
        (
            "/v1/categories/{id}/products",
            get(products::listing::of_category),
        ),
        (
            "/v1/x/{entity}",
            get(documents::find)
                .post(documents::batch_get)
                .fallback(documents::other_method),
        ),
        ("/v1/x/{entity}/{key}", get(documents::by_key)),
        ("/v1/forget", post(forget::forget)),
        (
            "/v1/warm",
            get(warm::standing).post(warm::start).delete(warm::stop),
        ),
        ("/v1/caches", get(caches::list)),
        ("/v1/caches/{entity}", get(caches::one)),
        ("/v1/caches/{entity}/keys/{key}", get(caches::key)),
        ("/v1/changes", get(changes::follow)),
        ("/v1/health", get(health::tell)),
        ("/metrics", get(scrape)),
        ("/livez", get(probes::alive)),
        ("/readyz", get(probes::ready)),
        ("/problems", get(problems::page)),
        ("/docs", get(docs::page)),
        ("/openapi.json", get(openapi::serve)),
    ]
}

/// What a listener serves. Probes are everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Face {
    /// Look-ups, and what their problem documents lead to.
    pub look_ups: bool,
    /// What operators do and see, and whatever writes.
    pub operations: bool,
    /// `/metrics`.
    pub metrics: bool,
}

impl Face {
    /// Everything.
    pub const WHOLE: Self = Self {
        look_ups: true,
        operations: true,
        metrics: true,
    };

    fn has(self, path: &str) -> bool {
        match path {
            "/livez" | "/readyz" => true,
            "/metrics" => self.metrics,
            _ if LOOK_UPS.contains(&path) => self.look_ups,
            _ => self.operations,
        }
    }
}

/// The routes of shoppers. What is not here is for operators.
const LOOK_UPS: [&str; 12] = [
    "/v1/postcodes",
    "/v1/postcodes/{code}",
    "/v1/states",
    "/v1/products/{id}",
    "/v1/products",
    "/v1/products:batchGet",
    "/v1/categories",
    "/v1/categories/{id}",
    "/v1/categories/{id}/products",
    "/v1/x/{entity}",
    "/v1/x/{entity}/{key}",
    "/problems",
];

/// The service over these look-ups, to be put among other routes.
pub fn router(app: App) -> Router {
    Router::new().fallback_service(face(app, Face::WHOLE))
}

/// As much of the service as one of its listeners has, for [`serve`](fn@crate::serve).
pub fn face(
    app: App,
    face: Face,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let (tokens, requests) = (app.tokens.clone(), app.metrics.requests());
    let routes = routes().map(|(path, methods)| match path {
        "/v1/products/{id}" if !face.operations => (path, get(products::by_id)),
        _ => (path, methods),
    });
    let routes = routes.into_iter().filter(|(path, _)| face.has(path));
    let paths = templates().into_iter().filter(|path| face.has(path));
    let (paths, known): (Vec<_>, _) = (paths.collect(), Arc::clone(&requests));
    let app = Arc::new(app);
    let inner = routes
        .fold(Router::new(), |router, (path, methods)| {
            router.route(path, methods)
        })
        .fallback(async move |uri: Uri| unknown_route(&uri, &paths, &known))
        .with_state(Arc::clone(&app))
        .layer(from_fn_with_state(tokens, readers));
    let inner = Hits::before(inner, face.look_ups.then(|| Arc::clone(&app)));
    // Around the routes, because a layer inside does not see the `Allow` header of a 405.
    Metered::new(around(inner, &app), requests)
}

/// The paths of all routes.
pub(crate) fn templates() -> Vec<&'static str> {
    routes().map(|(path, _)| path).to_vec()
}

/// Lets look-ups pass, unless they need a token. Probes are for everybody.
async fn readers(State(tokens): State<Tokens>, request: Request, next: Next) -> Response {
    let is_look_up = request.uri().path().starts_with("/v1/")
        && matches!(*request.method(), Method::GET | Method::HEAD);
    if is_look_up && let Err(problem) = tokens.check_look_up(request.headers()) {
        return problem.into_response();
    }
    next.run(request).await
}

fn unknown_route(uri: &Uri, paths: &[&'static str], known: &Requests) -> Problem {
    let path = shortened(uri.path());
    let on = if known.has_route(uri.path()) {
        " on this listener"
    } else {
        ""
    };
    Problem::new(
        Code::RouteUnknown,
        format!("no route at {path:?}{on}; the member `routes` has every route"),
    )
    .with("routes", paths)
}
