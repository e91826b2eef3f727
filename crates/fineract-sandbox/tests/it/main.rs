//! The sandbox answers as a real Fineract was recorded to, and keeps its rules where nothing was recorded.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are not #[test] functions themselves"
)]

mod replay;
mod sandbox;

/// Starts an HTTP client. reqwest is built without a TLS implementation of its own.
fn http_client() -> reqwest::ClientBuilder {
    // An error means that one was installed before.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
}
