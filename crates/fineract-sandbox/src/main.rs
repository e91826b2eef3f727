//! `fineract-sandbox` serves the stand-in for Fineract on a port.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use clap::Parser as _;
use fineract_sandbox::{KeySettings, Release, Sandbox};

/// Runs an in-memory stand-in for Fineract until SIGTERM or Ctrl-C.
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Arguments {
    /// Listens at this address.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Answers as this release of Fineract does: `develop` or `1.10.1`.
    #[arg(long, value_name = "VERSION", default_value = "develop")]
    fineract_version: Release,
    /// Reads idempotency keys from this header.
    #[arg(long, value_name = "HEADER", default_value = "Idempotency-Key")]
    idempotency_header: String,
    /// Ignores idempotency keys: executes a command again each time the same command arrives.
    #[arg(long)]
    ignore_keys: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;
    anstream::println!(
        "Sandbox on http://{address}/fineract-provider/api/v1 (user mifos, password password)"
    );
    let keys = KeySettings::default().under(&arguments.idempotency_header);
    let sandbox = Sandbox::new()
        .with_release(arguments.fineract_version)
        .with_keys(if arguments.ignore_keys {
            keys.ignoring_all()
        } else {
            keys
        });
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = sandbox.serve(listener, CancellationToken::new()) => served?,
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}
