//! Serves HTTP on this machine, for receivers of webhooks.

use std::net::SocketAddr;

use axum::Router;
use tokio::{net::TcpListener, task::JoinSet};

/// Serves these routes until the tasks are dropped. Returns the address.
pub(crate) async fn serve(router: Router) -> anyhow::Result<(SocketAddr, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        // It ends with its task.
        drop(axum::serve(listener, router).await);
    });
    Ok((address, serving))
}
