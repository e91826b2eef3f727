//! Tests of the sandbox: that it gives the recorded answers of a real Fineract, and that it follows Fineract's rules
//! where nothing was recorded.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are not #[test] functions themselves"
)]

mod replay;
mod sandbox;

/// Starts an HTTP client. reqwest is built without a TLS implementation, so this installs one for the process.
fn http_client() -> reqwest::ClientBuilder {
    // An error means that another test has already installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
}
