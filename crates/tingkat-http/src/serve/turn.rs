//! Whose turn it is on a connection: the client's, who sends the head of a request, or ours.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::Service;

/// What the two ends of a connection's task tell each other. Both run in one task, so no order of
/// memory matters.
#[derive(Debug, Default)]
pub(super) struct Turn {
    heads: AtomicU32,
    is_ours: AtomicBool,
}

impl Turn {
    /// How many heads were whole so far.
    pub(super) fn heads(&self) -> u32 {
        self.heads.load(Ordering::Relaxed)
    }

    /// Whether a request is being answered.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours.load(Ordering::Relaxed)
    }

    /// A head is whole.
    pub(super) fn begin(&self) {
        self.heads.fetch_add(1, Ordering::Relaxed);
        self.is_ours.store(true, Ordering::Relaxed);
    }

    /// The request is answered.
    pub(super) fn end(&self) {
        self.is_ours.store(false, Ordering::Relaxed);
    }
}

/// A service that tells whose turn it is.
pub(super) struct Telling<S> {
    pub(super) service: S,
    pub(super) turn: Arc<Turn>,
}

pin_project! {
    /// An answer under way.
    pub(super) struct Answering<F> {
        #[pin]
        answer: F,
        turn: Arc<Turn>,
    }
}

impl<S> hyper::service::Service<hyper::Request<Incoming>> for Telling<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        self.turn.begin();
        // Most have none, and nothing has to be kept for it then.
        let request = request.map(|body| {
            if body.is_end_stream() {
                Body::empty()
            } else {
                Body::new(body)
            }
        });
        Answering {
            // Routers are always ready.
            answer: self.service.clone().call(request),
            turn: Arc::clone(&self.turn),
        }
    }
}

impl<F: Future> Future for Answering<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = this.answer.poll(cx);
        if answer.is_ready() {
            this.turn.end();
        }
        answer
    }
}
