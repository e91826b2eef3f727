//! TCP connections that can be cut in the middle of an answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The value of `Shared::cut` if no cut is requested.
const WHOLE: i64 = -1;

/// A listener whose connections can be cut.
#[derive(Debug)]
pub(super) struct CuttableListener(pub(super) TcpListener);

/// The number of answers after which Tomcat closes a connection (`docs/fineract/outages.md`, "Connections").
const LAST_ANSWER: u32 = 100;

/// The handle with which a request handler cuts its connection and counts the answers.
#[derive(Clone, Debug)]
pub(super) struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How many bytes of the body are sent before the cut, or [`WHOLE`].
    cut: AtomicI64,
    answers: AtomicU32,
}

impl Line {
    fn new() -> Self {
        Self(Arc::new(Shared {
            cut: AtomicI64::new(WHOLE),
            answers: AtomicU32::new(0),
        }))
    }

    /// Counts an answer. Returns whether it is the last answer of the connection.
    pub(super) fn ends(&self) -> bool {
        self.0.answers.fetch_add(1, Ordering::Relaxed) + 1 >= LAST_ANSWER
    }

    /// Sends only this many bytes of the next answer's body, and then cuts the connection. With 0, the head of the
    /// answer is not sent either.
    pub(super) fn cut_after(&self, body_bytes: usize) {
        self.0
            .cut
            .store(i64::try_from(body_bytes).unwrap_or(0), Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().line.clone()
    }
}

impl Listener for CuttableListener {
    type Io = Cuttable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "The sandbox could not set TCP_NODELAY.");
        }
        (
            Cuttable {
                stream,
                line: Line::new(),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection that can be cut.
#[derive(Debug)]
pub(super) struct Cuttable {
    stream: TcpStream,
    line: Line,
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let cut = self.line.0.cut.load(Ordering::Acquire);
        let Ok(body_bytes) = usize::try_from(cut) else {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        };
        let head = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .map_or(0, |at| at + 4);
        if body_bytes > 0 {
            let shown = bytes.get(..head + body_bytes).unwrap_or(bytes);
            // This part is written in one attempt, because the connection is cut immediately afterwards. Bytes that the
            // socket does not accept are lost.
            drop(self.stream.try_write(shown));
        } else if let Err(error) = self.stream.set_zero_linger() {
            tracing::debug!(%error, "The sandbox could not prepare the reset of a connection.");
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
