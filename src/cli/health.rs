//! `health`: asks the process of a gateway whether it is alive. The image has no other program for its health check.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use reqwest::Url;

use crate::{telemetry, tls};

/// How long the gateway may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The arguments of `health`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Set the gateway's address; it needs no token.
    #[arg(long, env = "GATEWAY_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
}

/// Asks `/healthz`. The exit code is 1 if the gateway does not answer that it is alive.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let http = tls::http_client()
        .timeout(TIMEOUT)
        // The address is usually one that no certificate names, and the request holds no secret.
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .build()
        .context("cannot create the HTTP client")?;
    let base = arguments.url.as_str().trim_end_matches('/');
    let answered = http.get(format!("{base}/healthz")).send().await;
    match answered.and_then(reqwest::Response::error_for_status) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            let error = anyhow::Error::new(error.without_url());
            telemetry::print_line(&format!("the gateway is not alive: {error:#}"));
            Ok(ExitCode::FAILURE)
        }
    }
}
