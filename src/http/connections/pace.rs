//! Limits how long a connection may take for the head of a request, and how long it may be idle.

use std::{
    io::IoSlice,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{self, AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, sleep_until},
};

/// How long the head of a request may take to arrive: the first one from the beginning of the connection, each other one
/// from its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may be idle between two requests. This time is longer than the idle timeout of common proxies,
/// so that the proxy closes the connection first. If the gateway closed it first, the proxy might send a request on the
/// closing connection.
pub(super) const IDLE: Duration = Duration::from_secs(75);

/// What a connection is doing.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// The head of a request arrives, or the connection is new.
    Head,
    /// This many requests are in progress: their bodies arrive, or they are being answered. There is no limit here.
    Busy(usize),
    /// All requests were answered, or all that is left of their answers is to be sent.
    Idle,
}

/// The pace of one connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Tells that the end has moved to an earlier time than the one that is waited for.
    is_earlier: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// When the connection has to end, unless something happens.
    end: Option<Instant>,
    /// The time that is waited for. A later `end` is noticed then, so that a request need not wake the timer.
    waits_until: Option<Instant>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                phase: Phase::Head,
                end: Some(Instant::now() + HEAD),
                waits_until: None,
            }),
            is_earlier: Notify::new(),
        }))
    }

    /// A request has begun: its head has arrived.
    pub(super) fn begin(&self) -> Arc<InProgress> {
        let mut state = self.state();
        state.phase = match state.phase {
            Phase::Busy(count) => Phase::Busy(count + 1),
            Phase::Head | Phase::Idle => Phase::Busy(1),
        };
        state.end = None;
        drop(state);
        Arc::new(InProgress(self.clone()))
    }

    /// Ends when the connection has taken too long. Returns whether a head did, not an idle connection.
    pub(super) async fn is_too_slow(&self) -> bool {
        loop {
            let end = {
                let mut state = self.state();
                match state.end {
                    Some(end) if end <= Instant::now() => return state.phase == Phase::Head,
                    end => state.waits_until = end,
                }
                state.end
            };
            let waited = async {
                match end {
                    Some(end) => sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = waited => {}
                () = self.0.is_earlier.notified() => {}
            }
        }
    }

    /// Bytes have arrived.
    fn received(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            self.set_end(state, HEAD);
        }
    }

    /// Whether requests are in progress.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state().phase, Phase::Busy(_))
    }

    /// Bytes of an answer were sent. A large one may still be under way when it no longer counts as in progress, also while
    /// the next head arrives: so far, that head has not been looked at.
    fn sent(&self) {
        let state = self.state();
        if matches!(state.phase, Phase::Idle | Phase::Head) {
            self.set_end(state, IDLE);
        }
    }

    fn set_end(&self, mut state: MutexGuard<'_, State>, after: Duration) {
        let end = Instant::now() + after;
        state.end = Some(end);
        if state.waits_until.is_none_or(|until| end < until) {
            self.0.is_earlier.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in progress. The request is over when its body and the body of its answer have dropped this.
#[derive(Debug)]
pub(super) struct InProgress(Pace);

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut state = self.0.state();
        match state.phase {
            Phase::Busy(count) if count > 1 => state.phase = Phase::Busy(count - 1),
            Phase::Busy(_) | Phase::Head | Phase::Idle => {
                state.phase = Phase::Idle;
                self.0.set_end(state, IDLE);
            }
        }
    }
}

/// A stream that tells the pace of its connection what arrives and what is sent.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
    /// Whether bytes that arrive while nothing is in progress are the head of a request.
    are_heads: bool,
}

/// Fewer bytes than this are no part of an answer, but for example what HTTP/2 answers to a ping. They do not keep a
/// connection open.
const OF_AN_ANSWER: usize = 64;

impl<S> Paced<S> {
    /// A stream of HTTP/1.1.
    pub(super) fn heads(stream: S, pace: &Pace) -> Self {
        Self {
            stream,
            pace: pace.clone(),
            are_heads: true,
        }
    }

    /// A stream of HTTP/2, where bytes also arrive that belong to no request.
    pub(super) fn streams(stream: S, pace: &Pace) -> Self {
        Self {
            are_heads: false,
            ..Self::heads(stream, pace)
        }
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(OF_AN_ANSWER..)) = written {
            self.pace.sent();
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.are_heads && buffer.filled().len() > before {
            self.pace.received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn only_heads_and_idleness_have_an_end() {
        let pace = Pace::new();
        let left = || {
            let end = pace.state().end;
            end.map(|end| (end - Instant::now()).as_millis().div_ceil(1000))
        };
        assert_eq!(left(), Some(10), "a new connection");
        pace.received();
        assert_eq!(left(), Some(10));
        let [first, second] = [pace.begin(), pace.begin()];
        pace.received();
        assert_eq!(left(), None, "two requests in progress");
        drop(first);
        assert_eq!(left(), None);
        drop(second);
        assert_eq!(left(), Some(75), "idle");
        pace.received();
        assert_eq!(left(), Some(10), "the next head");
        pace.sent();
        assert_eq!(left(), Some(75), "the next head, behind a long answer");
        pace.state().phase = Phase::Idle;
        pace.received();
        let is_too_slow = async || timeout(Duration::ZERO, pace.is_too_slow()).await.ok();
        assert_eq!(is_too_slow().await, None);
        pace.state().end = Some(Instant::now());
        assert_eq!(is_too_slow().await, Some(true));
    }
}
