//! A sandbox for tests, which serves on a free port.

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
    /// The address at which the sandbox listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of Fineract's API, in the form of the gateway's setting `FINERACT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}/fineract-provider/api/v1", self.address)
    }
}

impl Sandbox {
    /// Serves on a free port of this machine until the returned value is dropped.
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
