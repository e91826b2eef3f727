//! TLS: one implementation, `ring`, for all connections of the process.

use rustls::crypto::ring;

/// Starts an HTTP client. reqwest is built without a TLS implementation of its own (aws-lc takes minutes to build), so
/// every client of the process begins here.
pub fn http_client() -> reqwest::ClientBuilder {
    // An error means that one was installed before.
    drop(ring::default_provider().install_default());
    reqwest::Client::builder()
}
