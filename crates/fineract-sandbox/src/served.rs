//! A sandbox for tests, on a port of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::Sandbox;

/// A sandbox that serves on a free port of this machine until it is dropped.
#[derive(Debug)]
pub struct ServedSandbox {
    address: SocketAddr,
    _stop: DropGuard,
}

impl ServedSandbox {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of Fineract's API, as a gateway's `FINERACT_URL` takes it.
    pub fn url(&self) -> String {
        format!("http://{}/fineract-provider/api/v1", self.address)
    }
}

impl Sandbox {
    /// Serves on a free port of this machine.
    pub async fn serve_on_free_port(self) -> io::Result<ServedSandbox> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        TaskTracker::new().spawn(self.serve(listener, stop.clone()));
        Ok(ServedSandbox {
            address,
            _stop: stop.drop_guard(),
        })
    }
}
