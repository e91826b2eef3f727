//! `fineract-gateway sandbox`: a stand-in for Fineract on a port of its own.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::sandbox::Sandbox;

/// How the sandbox is served.
#[derive(Args, Debug)]
pub(super) struct SandboxArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
}

/// Serves the sandbox until Ctrl-C.
pub(super) async fn run(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    anstream::println!(
        "Sandbox on http://{address}/fineract-provider/api/v1 (user mifos, password password, tenant default)"
    );
    let shutdown = CancellationToken::new();
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => Ok(()),
        served = Sandbox::new().serve(listener, shutdown.clone()) => served.context("the sandbox stopped"),
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C"),
    }?;
    Ok(ExitCode::SUCCESS)
}
