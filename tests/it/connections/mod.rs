//! The connections of callers: their limits, TLS, HTTP/2, and TLS with Fineract.

mod bodies;
mod fineract;
mod heads;
mod pipelined;
mod places;
mod tls;
mod tls_files;
mod tls_settings;

use std::{net::SocketAddr, time::Duration};

use fineract_gateway::http::{self, ConnectionLimits, Door};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{TestGateway, eventually::DEADLINE};

/// How many connections the tests open that do nothing useful. Both ends are in this process, and it may open few files.
const MANY: usize = 300;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: gateway\r\n";

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await;
    stream.expect("the gateway listens")
}

/// Opens many connections, one after the other, because the queue of new connections is short.
async fn connect_many(address: SocketAddr) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        open.push(connect(address).await);
    }
    open
}

/// Serves the routes of a gateway at another address with these limits, until the test ends.
async fn serve_with(gateway: &TestGateway, limits: ConnectionLimits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let door = Door {
        listener,
        limits,
        tls: None,
    };
    let serving = http::serve(door, gateway.state.clone(), CancellationToken::new());
    TaskTracker::new().spawn(serving);
    address
}

/// Reads until the gateway closes the connection, or resets it.
async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let reading = timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    drop(reading.expect("the gateway closes the connection"));
    String::from_utf8(answer).expect("a text")
}

/// Sends a request on a new connection, and returns the answer if there is one.
async fn health(address: SocketAddr) -> String {
    let mut stream = connect(address).await;
    let request = format!("{HEALTH}Connection: close\r\n\r\n");
    drop(stream.write_all(request.as_bytes()).await);
    read_to_end(&mut stream).await
}

/// Asserts that other callers notice nothing.
async fn others_are_served(address: SocketAddr) {
    let answer = timeout(Duration::from_secs(5), health(address)).await;
    let answer = answer.expect("others do not wait");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
