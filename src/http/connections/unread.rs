//! Limits how long the body of a request may take. If the gateway answers a request before it has read the whole body,
//! this module reads and discards the rest of the body. Otherwise the caller might not receive the answer.
//!
//! If the gateway closes a connection while received bytes are unread, TCP resets the connection, and the caller loses
//! the part of the answer that it has not read yet. Most clients and proxies write the whole body before they read the
//! answer, so they would never see why the gateway refused the request.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http::{
    HeaderValue, Request, Response,
    header::{CONNECTION, EXPECT},
};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::{
    sync::Notify,
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::pace::InProgress;
use crate::http::{body::UPLOAD_LIMIT, body_too_slow::BodyTooSlow};

/// The longest time between two pieces of a body.
const PIECE: Duration = Duration::from_secs(10);
/// The longest time that a whole body may take to arrive, after the head.
const WHOLE: Duration = Duration::from_mins(1);

/// The largest number of bytes that are read and discarded. It is the largest body limit of any route, because a
/// request that matches no route has no limit of its own.
const MOST_BYTES: u64 = UPLOAD_LIMIT as u64;
/// The longest time for which an unread body is read.
const LONGEST: Duration = Duration::from_secs(10);

/// The slot of a connection. A request puts the unread rest of its body into the slot. One slot is enough, because the
/// next request of the connection comes after that body. Cheap to clone, and small, because there may be 10,000 idle
/// connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<Left>);

#[derive(Debug, Default)]
struct Left {
    body: Mutex<Option<(Incoming, Arc<InProgress>)>>,
    is_there: Notify,
}

impl Unread {
    /// Reads the rest of each body, for as long as the connection exists.
    ///
    /// Poll this future after the connection, so that the answer is written before the rest of the body is read. If the
    /// body were read first, a caller that sent `Expect: 100-continue` would be asked for the body of a refused
    /// request.
    pub(super) async fn read_on(self) -> Infallible {
        loop {
            self.0.is_there.notified().await;
            let left = self.slot().take();
            if let Some((body, in_progress)) = left {
                read_to_limits(body).await;
                drop(in_progress);
            }
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<(Incoming, Arc<InProgress>)>> {
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wraps the body of a request, and limits its time. If the body is dropped before its end, the rest is put into the
    /// slot.
    pub(super) fn lend(
        &self,
        request: Request<Incoming>,
        in_progress: &Arc<InProgress>,
    ) -> (Request<Body>, Lending) {
        let lending = Lending {
            expects_100: request.headers().contains_key(EXPECT),
            is_asked_for: Arc::default(),
        };
        let request = request.map(|body| {
            let mut lent = Lent::new(body, in_progress);
            lent.is_asked_for = Arc::clone(&lending.is_asked_for);
            lent.unread = Some(self.clone());
            Body::new(lent)
        });
        (request, lending)
    }

    /// Wraps the body of a request of HTTP/2, and only limits its time. A rest that nobody reads is harmless there, because
    /// it does not end the connection.
    pub(super) fn limit(
        request: Request<Incoming>,
        in_progress: &Arc<InProgress>,
    ) -> Request<Body> {
        request.map(|body| Body::new(Lent::new(body, in_progress)))
    }
}

/// Whether the caller waits for `100 Continue`, and whether the gateway has begun to read the wrapped body.
#[derive(Debug)]
pub(super) struct Lending {
    expects_100: bool,
    is_asked_for: Arc<AtomicBool>,
}

impl Lending {
    /// Adds `Connection: close` to the answer if the caller waits for `100 Continue` and the body was never read. Such
    /// a caller cannot know whether the gateway next expects the body or another request (RFC 9110 section 10.1.1).
    pub(super) fn mark<B>(&self, response: &mut Response<B>) {
        if self.expects_100 && !self.is_asked_for.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
    }
}

/// Reads and discards the rest of a body, up to the limits.
async fn read_to_limits(mut body: Incoming) {
    let reading = async {
        let mut size = 0;
        while size <= MOST_BYTES
            && let Some(Ok(frame)) = next_frame(&mut body).await
        {
            size += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
    };
    if timeout(LONGEST, reading).await.is_err() {
        tracing::debug!("the rest of a refused body took too long to arrive");
    }
}

async fn next_frame(body: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// The body of a request. If it is dropped before its end, the rest goes into the slot of the connection, if there is one.
#[derive(Debug)]
struct Lent {
    body: Option<Incoming>,
    is_asked_for: Arc<AtomicBool>,
    unread: Option<Unread>,
    in_progress: Arc<InProgress>,
    /// When the whole body must have arrived.
    until: Instant,
    /// Ends when the next piece must have arrived. `None` unless a piece is waited for.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Lent {
    fn new(body: Incoming, in_progress: &Arc<InProgress>) -> Self {
        Self {
            body: Some(body),
            is_asked_for: Arc::default(),
            unread: None,
            in_progress: Arc::clone(in_progress),
            until: Instant::now() + WHOLE,
            waiting: None,
        }
    }
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        self.is_asked_for.store(true, Ordering::Relaxed);
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else {
            let until = self.until.min(Instant::now() + PIECE);
            let waiting = self
                .waiting
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            return waiting
                .as_mut()
                .poll(context)
                .map(|()| Some(Err(BodyTooSlow.into())));
        };
        self.waiting = None;
        // The body has ended or is broken, so there is nothing left to read.
        if let None | Some(Err(_)) = frame {
            self.body = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && let Some(unread) = &self.unread
            && !body.is_end_stream()
        {
            *unread.slot() = Some((body, Arc::clone(&self.in_progress)));
            unread.0.is_there.notify_one();
        }
    }
}
