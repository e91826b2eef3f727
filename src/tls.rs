//! Sets up TLS: all connections of the process use one implementation, `ring`.

use rustls::crypto::ring;

/// Starts building an HTTP client. Every client of the process must be created here, because reqwest is compiled
/// without a TLS implementation of its own (aws-lc takes minutes to compile).
pub fn http_client() -> reqwest::ClientBuilder {
    // An error means that the provider is already installed.
    drop(ring::default_provider().install_default());
    reqwest::Client::builder()
}

/// As [`http_client`], for a client that blocks its thread.
pub fn blocking_http_client() -> reqwest::blocking::ClientBuilder {
    drop(ring::default_provider().install_default());
    reqwest::blocking::Client::builder()
}
