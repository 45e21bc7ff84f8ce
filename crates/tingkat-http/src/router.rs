//! The table of contents: which path is served by which file.

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get};
use tower::Layer;

use crate::app::App;
use crate::edge::edge;
use crate::problem::{Code, Problem, shortened};
use crate::{changes, home, postcodes, probes, problems, products, states};

/// Every route.
fn routes() -> [(&'static str, MethodRouter<Arc<App>>); 9] {
    [
        ("/", get(home::page)),
        ("/v1/postcodes/{code}", get(postcodes::locate)),
        ("/v1/states", get(states::list)),
        (
            "/v1/products/{id}",
            get(products::by_id).patch(products::patch),
        ),
        ("/v1/products", get(products::find)),
        ("/v1/changes", get(changes::follow)),
        ("/livez", get(probes::alive)),
        ("/readyz", get(probes::ready)),
        ("/problems", get(problems::page)),
    ]
}

/// The service over these look-ups.
pub fn router(app: App) -> Router {
    let limits = app.limits;
    let paths = routes().map(|(path, _)| path);
    let inner = routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| {
            router.route(path, methods)
        })
        .fallback(async move |uri: Uri| unknown_route(&uri, &paths))
        .with_state(Arc::new(app));
    // Around the routes, because a layer inside does not see the `Allow` header of a 405.
    Router::new().fallback_service(from_fn_with_state(limits, edge).layer(inner))
}

fn unknown_route(uri: &Uri, paths: &[&'static str]) -> Problem {
    let path = shortened(uri.path());
    Problem::new(
        Code::RouteUnknown,
        format!("no route at {path:?}; the member `routes` has every route"),
    )
    .with("routes", paths)
}
