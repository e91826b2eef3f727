//! `fineract-sandbox`: a stand-in for Fineract on a port of its own.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use clap::Parser as _;
use fineract_sandbox::{KeySettings, Release, Sandbox};

/// Runs a stand-in for Fineract, in memory, until SIGTERM or Ctrl-C.
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// The release of Fineract that is stood in for: `develop` or `1.10.1`.
    #[arg(long, value_name = "VERSION", default_value = "develop")]
    fineract_version: Release,
    /// The header in which keys are looked for.
    #[arg(long, value_name = "HEADER", default_value = "Idempotency-Key")]
    idempotency_header: String,
    /// Looks at no key: each command is carried out however often it comes.
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
