//! Sets up TLS: all connections of the process use one implementation, `ring`.
//!
//! | module | content |
//! | --- | --- |
//! | `files` | certificates and keys in PEM files, and what is wrong with them |
//! | `server` | TLS of the connections that this process accepts, and its renewal |

mod files;
mod server;

use std::{error::Error, io};

use rustls::crypto::ring;

pub use self::{
    files::{FileProblem, NamedFile, read_pair},
    server::{ServerFiles, ServerTls},
};

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

/// The error of TLS among the causes of an error, if there is one.
pub fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // `io::Error` shows the error inside it only by `get_ref`.
        cause = match error.downcast_ref::<io::Error>() {
            Some(outer) => outer.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
