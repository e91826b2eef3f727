//! Serves one connection, by HTTP/1.1 or HTTP/2.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::OriginalUri,
    http::{HeaderValue, Request, Response, StatusCode, Uri, header::HOST},
};
use futures_util::TryFutureExt as _;
use hyper::{
    body::Incoming,
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tower_http::normalize_path::NormalizePath;

use super::{
    answered::Answered,
    pace::{InProgress, Pace, Paced},
    unread::Unread,
};
use crate::http::observe::{Peer, X_FORWARDED_PROTO};

/// How long the last answers may take to be written at the shutdown, after the last request in progress was answered. A
/// request is in progress from the time when its head has arrived completely.
pub(super) const LAST_BYTES: Duration = Duration::from_secs(1);
/// How long the handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The limit in bytes for the head of a request.
const MOST_HEAD_BYTES: u16 = 16 * 1024;
/// How many headers a request may have. It is also the limit of HTTP/1.1 in hyper, which is faster if it is not set.
const MOST_HEADERS: usize = 100;
/// How many requests of one connection of HTTP/2 may be in progress.
const MOST_STREAMS: u32 = 100;
/// How many bytes of bodies a connection of HTTP/2 may send before the gateway has read them.
const WINDOW: u32 = 256 * 1024;
/// How long a connection of HTTP/2 may be silent before the gateway asks whether the client is still there, and how long
/// the client may take to answer that.
const STILL_THERE: Duration = Duration::from_secs(20);

/// What all connections share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) router: NormalizePath<Router>,
    /// The requests whose heads have arrived and whose answers have not begun.
    pub(super) requests: TaskTracker,
    /// Whatever runs for a connection.
    pub(super) connections: TaskTracker,
    /// Cancelled when no more requests are taken.
    pub(super) stop: CancellationToken,
    /// Cancelled when every connection has to end.
    pub(super) closing: CancellationToken,
    /// Cancelled when this connection may send no more requests, because the CA of its client's certificate was replaced.
    pub(super) expelled: CancellationToken,
}

/// Why a connection takes no more requests.
enum Ending {
    TooSlow,
    Asked,
}

impl Serving {
    /// Serves a connection without TLS.
    pub(super) async fn plain(self, stream: TcpStream, peer: IpAddr) {
        self.http1(stream, peer, false).await;
    }

    /// Serves a connection with TLS.
    pub(super) async fn over_tls(self, stream: TcpStream, tls: Arc<ServerConfig>, peer: IpAddr) {
        let shaking_hands = timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(stream));
        let shaken = self.closing.run_until_cancelled(shaking_hands).await;
        let stream: TlsStream<TcpStream> = match shaken {
            Some(Ok(Ok(stream))) => stream,
            Some(failed) => {
                metrics::counter!("gateway_connections_refused_total", "reason" => "tls")
                    .increment(1);
                if let Ok(Err(error)) = failed {
                    tracing::debug!(%error, "TLS with a client failed");
                } else {
                    tracing::debug!("a client took too long for TLS");
                }
                return;
            }
            None => return,
        };
        // Boxed, so that the memory of the handshake is free during the connection.
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Box::pin(self.http2(stream, peer)).await;
        } else {
            Box::pin(self.http1(stream, peer, true)).await;
        }
    }

    async fn http1(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: IpAddr,
        is_over_tls: bool,
    ) {
        let unread = Unread::default();
        let reading_on = unread.clone().read_on();
        let pace = Pace::new();
        let service = service_fn(|request: Request<Incoming>| {
            let in_progress = pace.begin();
            let (request, lending) = unread.lend(request, &in_progress);
            let answering = self.answer(request, peer, is_over_tls, in_progress);
            answering.map_ok(move |mut response| {
                lending.mark(&mut response);
                response
            })
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(MOST_HEAD_BYTES.into())
            .serve_connection(TokioIo::new(Paced::heads(stream, &pace)), service);
        self.drive(pin!(connection), &pace, reading_on).await;
    }

    async fn http2(self, stream: TlsStream<TcpStream>, peer: IpAddr) {
        let pace = Pace::new();
        let (serving, paced) = (self.clone(), pace.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let in_progress = paced.begin();
            let serving = serving.clone();
            async move {
                if request.headers().len() > MOST_HEADERS {
                    let mut response = Response::new(Answered::new(Body::empty(), in_progress));
                    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                    return Ok(response);
                }
                let request = as_http1(Unread::limit(request, &in_progress));
                serving.answer(request, peer, true, in_progress).await
            }
        });
        let connection = http2::Builder::new(Tracked(self.connections.clone()))
            .timer(TokioTimer::new())
            .keep_alive_interval(STILL_THERE)
            .keep_alive_timeout(STILL_THERE)
            .max_header_list_size(MOST_HEAD_BYTES.into())
            .max_concurrent_streams(MOST_STREAMS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .serve_connection(TokioIo::new(Paced::streams(stream, &pace)), service);
        self.drive(pin!(connection), &pace, std::future::pending())
            .await;
    }

    /// Answers a request by the router.
    fn answer(
        &self,
        mut request: Request<Body>,
        peer: IpAddr,
        is_over_tls: bool,
        in_progress: Arc<InProgress>,
    ) -> impl Future<Output = Result<Response<Answered>, Infallible>> + use<> {
        // A relative `Location` depends on the trailing slashes of the path. The router removes them, so the original
        // URI is kept here.
        let uri = OriginalUri(request.uri().clone());
        request.extensions_mut().insert(uri);
        request.extensions_mut().insert(Peer(peer));
        if is_over_tls {
            let https = HeaderValue::from_static("https");
            request.headers_mut().insert(X_FORWARDED_PROTO, https);
        }
        let answering = self.router.clone().oneshot(request);
        let answering =
            answering.map_ok(|response| response.map(|body| Answered::new(body, in_progress)));
        let requests = self.requests.clone();
        // Tracked when it is polled: hyper does not poll it as long as an earlier answer is not read, and that must not delay
        // the shutdown.
        async move { requests.track_future(answering).await }
    }

    /// Runs a connection to its end. It is borrowed, because a moved one would be twice in the memory of this future.
    async fn drive<C: GracefulConnection<Error = hyper::Error>>(
        &self,
        mut connection: Pin<&mut C>,
        pace: &Pace,
        reading_on: impl Future<Output = Infallible>,
    ) {
        let mut reading_on = pin!(reading_on);
        let ending = tokio::select! {
            biased;
            ended = connection.as_mut() => return report(ended),
            never = reading_on.as_mut() => match never {},
            () = self.stop.cancelled() => Ending::Asked,
            () = self.expelled.cancelled() => Ending::Asked,
            was_head = pace.is_too_slow() => {
                if was_head {
                    metrics::counter!("gateway_connections_refused_total", "reason" => "slow_head").increment(1);
                }
                Ending::TooSlow
            }
        };
        connection.as_mut().graceful_shutdown();
        let last_bytes = async {
            if matches!(ending, Ending::Asked) {
                tokio::select! {
                    () = self.closing.cancelled() => return,
                    _was_head = pace.is_too_slow() => {}
                }
            }
            // A request may have begun before the client noticed the end.
            loop {
                sleep(LAST_BYTES).await;
                if !pace.is_busy() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            ended = connection => report(ended),
            never = reading_on => match never {},
            () = last_bytes => {}
        }
    }
}

fn report(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// A request of HTTP/2 with the URI and the `Host` that it would have in HTTP/1.1.
fn as_http1(mut request: Request<Body>) -> Request<Body> {
    let authority = request
        .uri()
        .authority()
        .map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(host)) = authority {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    request
}

/// Runs the tasks of connections of HTTP/2, one for each request.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}
