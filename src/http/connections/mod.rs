//! Accepts connections, with or without TLS, and ends them at the shutdown.
//!
//! | module | content |
//! | --- | --- |
//! | `answered` | the body of an answer, and when it is no longer in progress |
//! | `connection` | serves one connection, by HTTP/1.1 or HTTP/2 |
//! | `places` | how many connections there may be |
//! | `pace` | how long a head may take, and how long a connection may be idle |
//! | `unread` | how long a body may take, and what becomes of one that nobody reads |

mod answered;
mod connection;
mod pace;
mod places;
mod unread;

use std::{io, net::IpAddr, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::normalize_path::NormalizePath;

pub use self::places::ConnectionLimits;
use self::{
    connection::{LAST_BYTES, Serving},
    pace::IDLE,
    places::Places,
};
use crate::tls::ServerTls;

/// The pause before the next try if accepting a connection failed, for example because no file descriptor was free.
const PAUSE: Duration = Duration::from_secs(1);

/// Where connections arrive.
#[derive(Debug)]
pub struct Door {
    /// The listener.
    pub listener: TcpListener,
    /// How many connections there may be.
    pub limits: ConnectionLimits,
    /// TLS of the connections; `None` if they are plain.
    pub tls: Option<ServerTls>,
}

/// Answers the requests of every connection until `stop` is cancelled. Then it finishes the requests that are in
/// progress, and returns. A connection without a request in progress does not delay the end.
pub(super) async fn serve_connections(
    door: Door,
    router: NormalizePath<Router>,
    stop: CancellationToken,
) {
    let Door {
        listener,
        limits,
        tls,
    } = door;
    let places = Places::new(limits);
    let serving = Serving {
        router,
        requests: TaskTracker::new(),
        connections: TaskTracker::new(),
        stop,
        closing: CancellationToken::new(),
        expelled: CancellationToken::new(),
    };
    while let Some((stream, peer)) = serving.stop.run_until_cancelled(accept(&listener)).await {
        let Some(place) = places.take(peer) else {
            continue;
        };
        let mut one = serving.clone();
        if let Some(tls) = &tls {
            let (tls, expelled) = tls.current();
            one.expelled = expelled;
            serving.connections.spawn(async move {
                one.over_tls(stream, tls, peer).await;
                drop(place);
            });
        } else {
            serving.connections.spawn(async move {
                one.plain(stream, peer).await;
                drop(place);
            });
        }
    }
    drop(listener);
    let Serving {
        requests,
        connections,
        closing,
        ..
    } = serving;
    requests.close();
    connections.close();
    let all_answered = async {
        // A request may have begun before its client noticed the shutdown.
        loop {
            requests.wait().await;
            sleep(LAST_BYTES).await;
            if requests.is_empty() {
                return;
            }
        }
    };
    tokio::select! {
        () = connections.wait() => {}
        () = all_answered => {}
    }
    closing.cancel();
    connections.wait().await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot disable Nagle's algorithm; answers on this connection may be delayed");
                }
                limit_unread_answers(&stream);
                return (stream, peer.ip());
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection; trying again after a pause");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Lets the kernel end the connection if its client takes no byte of an answer for so long, be it gone or only not reading.
/// Other systems than Linux have limits of their own for clients that are gone.
#[cfg(target_os = "linux")]
fn limit_unread_answers(stream: &TcpStream) {
    let limit = u32::try_from(IDLE.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, limit) {
        tracing::debug!(%error, "cannot limit how long an answer may remain unread");
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_unread_answers(_: &TcpStream) {}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
