//! Serves HTTP on a port of its own, for the other programs of a test: receivers, collectors, a Fineract.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

/// Serves these routes until the runtime of the test ends. Returns the address.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
