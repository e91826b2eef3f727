//! The body of an answer, which tells the pace of its connection when it is no longer in progress.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::pace::InProgress;

/// The body of an answer. Until a streamed one was handed over, the request is in progress. Any other is there already, so
/// that it only has to be sent: a client that does not read it is idle.
#[derive(Debug)]
pub(super) struct Answered {
    body: Body,
    _in_progress: Option<Arc<InProgress>>,
}

impl Answered {
    pub(super) fn new(body: Body, in_progress: Arc<InProgress>) -> Self {
        let is_streamed = body.size_hint().exact().is_none();
        Self {
            body,
            _in_progress: is_streamed.then_some(in_progress),
        }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::{super::pace::Pace, *};

    #[test]
    fn an_answer_that_only_has_to_be_sent_is_not_in_progress() {
        let pace = Pace::new();
        let whole = Answered::new(Body::from("whole"), pace.begin());
        assert!(!pace.is_busy());
        let pieces = stream::iter(["piece", "piece"].map(Ok::<_, Infallible>));
        let streamed = Answered::new(Body::from_stream(pieces), pace.begin());
        assert!(pace.is_busy());
        drop((whole, streamed));
        assert!(!pace.is_busy());
    }
}
