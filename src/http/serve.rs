//! Accepts connections, and ends them at the shutdown.

use std::{io, time::Duration};

use axum::{Router, extract::OriginalUri, http::Request};
use futures_util::TryFutureExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tower_http::normalize_path::NormalizePath;

use super::{observe::Peer, unread::Unread};

/// How long a connection may be idle, and how long the head of a request may take to arrive. This time is longer than
/// the idle timeout of common proxies, so that the proxy closes the connection first. If the gateway closed it first,
/// the proxy might send a request on the closing connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long the last answers may take to be written at the shutdown, after the last request in progress was answered. A
/// request is in progress from the time when its head has arrived completely.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// The pause before the next try if accepting a connection failed, for example because no file descriptor was free.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers the requests of every connection until `stop` is cancelled. Then it finishes the requests that are in
/// progress, and returns. A connection without a request in progress does not delay the end.
pub(super) async fn serve_connections(
    listener: TcpListener,
    router: NormalizePath<Router>,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let requests = TaskTracker::new();
    let graceful = GracefulShutdown::new();
    let closing = CancellationToken::new();
    while let Some(stream) = stop.run_until_cancelled(accept(&listener)).await {
        let (router, requests) = (router.clone(), requests.clone());
        let peer = stream.peer_addr().ok().map(|peer| Peer(peer.ip()));
        let unread = Unread::default();
        let reading_on = unread.clone().read_on();
        let service = service_fn(move |request: Request<Incoming>| {
            let (mut request, lending) = unread.lend(request);
            // A relative `Location` depends on the trailing slashes of the path. The router removes them, so the
            // original URI is kept here.
            let uri = OriginalUri(request.uri().clone());
            request.extensions_mut().insert(uri);
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let answering = router.clone().oneshot(request);
            requests.track_future(answering.map_ok(move |mut response| {
                lending.mark(&mut response);
                response
            }))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let closing = closing.clone();
        connections.spawn(async move {
            let ended = tokio::select! {
                biased;
                ended = connection => ended,
                never = reading_on => match never {},
                () = closing.cancelled() => Ok(()),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    requests.close();
    let all_answered = async {
        requests.wait().await;
        tokio::time::sleep(LAST_BYTES).await;
    };
    tokio::select! {
        () = graceful.shutdown() => {}
        () = all_answered => {}
    }
    closing.cancel();
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot disable Nagle's algorithm; answers on this connection may be delayed");
                }
                return stream;
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection; trying again after a pause");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
