//! The short way: look-ups of one thing that memory can answer at once. All else, and all that is
//! not plain about such a request, goes to the routes, which answer the same.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures::future::Either;
use tingkat_shop::document::DocumentKey;
use tingkat_shop::postcode;
use tingkat_shop::product::{ProductId, Tier};
use tower::Service;

use crate::app::App;
use crate::demand::{self, POSITION};
use crate::reply::Reply;
use crate::{postcodes, products};

/// Stands before the routes.
#[derive(Clone)]
pub(crate) struct Hits {
    /// Nothing where no look-ups are served.
    app: Option<Arc<App>>,
    routes: Router,
}

impl Hits {
    pub(crate) const fn before(routes: Router, app: Option<Arc<App>>) -> Self {
        Self { app, routes }
    }

    /// The routes alone, for a request that memory was asked about already.
    pub(crate) fn after_hits(&self) -> Self {
        Self::before(self.routes.clone(), None)
    }

    /// The answer that memory has.
    pub(crate) fn at_once(&self, request: &Request) -> Option<Response> {
        let mut response = hit(self.app.as_ref()?, request)?;
        if request.method() == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        Some(response)
    }
}

impl Service<Request> for Hits {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The routes are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.at_once(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.routes.call(request)),
        }
    }
}

fn hit(app: &App, request: &Request) -> Option<Response> {
    let headers = request.headers();
    let is_plain = matches!(*request.method(), Method::GET | Method::HEAD)
        && !headers.contains_key(POSITION)
        && app.tokens.check_look_up(headers).is_ok();
    if !is_plain {
        return None;
    }
    let options = demand::options(headers);
    let (path, query) = (request.uri().path(), request.uri().query());
    let (collection, key) = path.strip_prefix("/v1/")?.split_once('/')?;
    match (collection, query) {
        ("products", query) => {
            let tier = match query {
                None | Some("tier=guest") => Tier::Guest,
                Some("tier=member") => Tier::Member,
                Some(_) => return None,
            };
            // An id has no character that is encoded, nor a slash.
            let id: ProductId = key.parse().ok()?;
            let answer = app.shop.products.hit(&id, options)?;
            let reply = products::shown(app, answer.value()?, tier, answer.trail());
            reply.ok()?.at_once(headers)
        }
        ("postcodes", None) => {
            let code: postcode::Code = key.parse().ok()?;
            let answer = app.shop.postcodes.hit(&code, options)?;
            let reply = postcodes::found(app, answer.value()?, answer.trail());
            reply.ok()?.at_once(headers)
        }
        ("x", None) => {
            let (entity, key) = key.split_once('/')?;
            let key: DocumentKey = key.parse().ok().filter(|_| !key.contains(['%', '/']))?;
            let answer = app.documents.of(entity)?.hit(&key, options)?;
            let body = answer.value()?.body();
            Reply::kept(body, app.keeps.of(entity), answer.trail()).at_once(headers)
        }
        _ => None,
    }
}
