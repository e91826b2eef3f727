//! `serve`: runs the gateway until SIGTERM, SIGHUP or Ctrl-C.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::{hold_all, lab, settings};
use crate::{app, telemetry, traces};

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Do not migrate the schema; start only if the schema has the version of this gateway.
    #[arg(long)]
    no_migrate: bool,
    /// Put everything on hold before anything runs, for every gateway on the database, until operators release it; an
    /// existing hold stays unchanged.
    #[arg(
        long,
        value_name = "REASON",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = hold_all::STARTED_ON_HOLD,
        value_parser = hold_all::reason
    )]
    on_hold: Option<String>,
}

/// Migrates the schema, runs the gateway, and shuts it down after a signal. A second signal ends the gateway
/// immediately.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = settings::read()?;
    telemetry::init(&config.log)?;
    if let Some(settings) = &config.traces {
        traces::start(settings)?;
    }
    lab::apply(settings::variables()?)?;
    if !arguments.no_migrate {
        app::migrate(&config).await?;
    }
    if let Some(reason) = &arguments.on_hold {
        app::keep_on_hold(&config, reason).await?;
    }
    let gateway = app::start(&config).await?;
    tracing::info!(
        address = %gateway.address(),
        role = ?config.role,
        "the gateway runs"
    );
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    let failed = tokio::select! {
        _ = terminated.recv() => false,
        _ = interrupted.recv() => false,
        _ = hung_up.recv() => false,
        () = gateway.failed() => true,
    };
    tracing::info!("shutting down");
    let finished = tokio::select! {
        finished = gateway.shut_down() => finished,
        _ = terminated.recv() => false,
        _ = interrupted.recv() => false,
        _ = hung_up.recv() => false,
    };
    if !finished {
        tracing::warn!(
            "some operations had not ended; other processes run them after their leases expire"
        );
    }
    Ok(if failed || !finished {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
