//! Whose turn it is on a connection: the client's, who sends the head of a request, or ours.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use hyper::service::Service;
use pin_project_lite::pin_project;

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

    fn begin(&self) {
        self.heads.fetch_add(1, Ordering::Relaxed);
        self.is_ours.store(true, Ordering::Relaxed);
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

impl<R, S: Service<R>> Service<R> for Telling<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn call(&self, request: R) -> Self::Future {
        self.turn.begin();
        Answering {
            answer: self.service.call(request),
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
            this.turn.is_ours.store(false, Ordering::Relaxed);
        }
        answer
    }
}
