//! `sandbox`: a stand-in for Fineract on a port of its own.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::sandbox::{Release, Sandbox};

/// The arguments of `sandbox`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// The release of Fineract that is stood in for: `develop` or `1.10.1`.
    #[arg(long, value_name = "VERSION", default_value = "develop")]
    fineract_version: Release,
}

/// Serves the sandbox until SIGTERM or Ctrl-C.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;
    anstream::println!(
        "Sandbox on http://{address}/fineract-provider/api/v1 (user mifos, password password)"
    );
    let sandbox = Sandbox::new().with_release(arguments.fineract_version);
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = sandbox.serve(listener, CancellationToken::new()) => served?,
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}
