//! Accepting connections, and ending them.

use std::{io, time::Duration};

use axum::{extract::OriginalUri, http::Request};
use futures_util::TryFutureExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{ApiState, router, unread::Unread};

/// How long a request's head may take to arrive, and how long a connection may be idle before it.
/// Longer than the usual proxy keeps its own, so that it is the proxy that closes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long answers may take to leave once all are made; whoever is still sending a head then has no request.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// How long nothing is accepted after an accept failed for lack of something, such as file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves every route until `stop`, then ends the requests that are under way. Idle connections, and those
/// that never finish a request, hold nothing up.
pub async fn serve(listener: TcpListener, state: ApiState, stop: CancellationToken) {
    let router = router(state);
    let connections = TaskTracker::new();
    let requests = TaskTracker::new();
    let graceful = GracefulShutdown::new();
    let closing = CancellationToken::new();
    while let Some(stream) = stop.run_until_cancelled(accept(&listener)).await {
        let (router, requests) = (router.clone(), requests.clone());
        let unread = Unread::default();
        let reading_on = unread.clone().read_on();
        let service = service_fn(move |request: Request<Incoming>| {
            let (mut request, lending) = unread.lend(request);
            // With the slashes at its end, which the router takes away: a relative `Location` depends on them.
            let uri = OriginalUri(request.uri().clone());
            request.extensions_mut().insert(uri);
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
                    tracing::debug!(%error, "a connection waits for full packets");
                }
                return stream;
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection could be accepted");
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
