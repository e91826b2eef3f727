//! What an early answer leaves unread of its request: it is read and thrown away, so that the caller
//! gets the answer.
//!
//! A connection that is closed with bytes unread is reset, and a reset takes from the caller what it has
//! not read yet: who writes a whole body before reading, as most clients and proxies do, never sees why it
//! was refused.

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
use tokio::{sync::Notify, time::timeout};

use super::body_limits::UPLOAD_LIMIT;

/// How much more is read: as much as the largest body that any route takes. Which limit would have held is
/// not known of a request that no route wanted; and nothing of it is kept.
const MOST_BYTES: u64 = UPLOAD_LIMIT as u64;
/// How long.
const LONGEST: Duration = Duration::from_secs(10);

/// Where a connection's request leaves its body, if it was not read to its end. One place is enough: the
/// next request is behind that body. Cheap to clone, and small: there may be 10,000 idle connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<Left>);

#[derive(Debug, Default)]
struct Left {
    body: Mutex<Option<Incoming>>,
    is_there: Notify,
}

impl Unread {
    /// Reads whatever is left, for as long as the connection lasts.
    ///
    /// Poll it after the connection: an answer goes out before what is left is read, so that a caller that
    /// sent `Expect: 100-continue` is told not to send its body, rather than to go on.
    pub(super) async fn read_on(self) -> Infallible {
        loop {
            self.0.is_there.notified().await;
            let left = self.slot().take();
            if let Some(body) = left {
                read_to_limits(body).await;
            }
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a request's body to whoever answers it.
    pub(super) fn lend(&self, request: Request<Incoming>) -> (Request<Body>, Lending) {
        let lending = Lending {
            expects_100: request.headers().contains_key(EXPECT),
            is_asked_for: Arc::default(),
        };
        let request = request.map(|body| {
            Body::new(Lent {
                body: Some(body),
                is_asked_for: Arc::clone(&lending.is_asked_for),
                unread: self.clone(),
            })
        });
        (request, lending)
    }
}

/// What became of a body that was lent.
#[derive(Debug)]
pub(super) struct Lending {
    expects_100: bool,
    is_asked_for: Arc<AtomicBool>,
}

impl Lending {
    /// Says on the answer that the connection ends with it where the caller cannot tell any more what is
    /// read next, its body or another request (RFC 9110 section 10.1.1).
    pub(super) fn mark<B>(&self, response: &mut Response<B>) {
        if self.expects_100 && !self.is_asked_for.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
    }
}

/// Reads what is left of a body, up to the limits, and throws it away.
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

/// A request's body; what is not read of it goes back to its connection.
#[derive(Debug)]
struct Lent {
    body: Option<Incoming>,
    is_asked_for: Arc<AtomicBool>,
    unread: Unread,
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.is_asked_for.store(true, Ordering::Relaxed);
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        // At its end, or broken: there is nothing left to read.
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.body = None;
        }
        polled
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
            && !body.is_end_stream()
        {
            *self.unread.slot() = Some(body);
            self.unread.0.is_there.notify_one();
        }
    }
}
