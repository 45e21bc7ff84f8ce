//! The table of contents: which path is served by which file.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};

use crate::app::App;
use crate::edge::around;
use crate::hits::Hits;
use crate::problem::{Code, Problem, shortened};
use crate::tokens::Tokens;
use crate::{
    caches, categories, changes, documents, forget, home, postcodes, probes, problems, products,
    states,
};

/// Every route.
fn routes() -> [(&'static str, MethodRouter<Arc<App>>); 20] {
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
        ("/v1/x/{entity}", get(documents::find)),
        ("/v1/x/{entity}/{key}", get(documents::by_key)),
        ("/v1/forget", post(forget::forget)),
        ("/v1/caches", get(caches::list)),
        ("/v1/caches/{entity}", get(caches::one)),
        ("/v1/caches/{entity}/keys/{key}", get(caches::key)),
        ("/v1/changes", get(changes::follow)),
        ("/livez", get(probes::alive)),
        ("/readyz", get(probes::ready)),
        ("/problems", get(problems::page)),
    ]
}

/// The service over these look-ups.
pub fn router(app: App) -> Router {
    let paths = routes().map(|(path, _)| path);
    let tokens = app.tokens.clone();
    let app = Arc::new(app);
    let inner = routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| {
            router.route(path, methods)
        })
        .fallback(async move |uri: Uri| unknown_route(&uri, &paths))
        .with_state(Arc::clone(&app))
        .layer(from_fn_with_state(tokens, readers));
    // Around the routes, because a layer inside does not see the `Allow` header of a 405.
    let hits = Hits::before(inner, Arc::clone(&app));
    Router::new().fallback_service(around(hits, &app, &paths))
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

fn unknown_route(uri: &Uri, paths: &[&'static str]) -> Problem {
    let path = shortened(uri.path());
    Problem::new(
        Code::RouteUnknown,
        format!("no route at {path:?}; the member `routes` has every route"),
    )
    .with("routes", paths)
}
