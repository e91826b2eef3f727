//! The TLS files change while the gateway runs.

use std::{fs, fs::File, net::SocketAddr};

use sqlx::PgPool;
use tokio::{net::TcpListener, process::Child};

use super::tls::system;
use crate::support::{
    authority::{Authority, Issued, write},
    command::{TemporaryFolder, program},
    eventually::{eventually, eventually_ok},
};

/// A gateway as a process of its own, because the tests in one process share their metrics.
struct Gateway {
    address: SocketAddr,
    folder: TemporaryFolder,
    _process: Child,
}

impl Gateway {
    async fn start(pool: &PgPool, authority: &Authority) -> Self {
        let folder = TemporaryFolder::new();
        let mut system = system(pool, authority, &folder).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        system.set("HTTP_LISTEN", &address.to_string());
        let variables = system.variables();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let log = File::create(format!("{}/log", folder.path())).expect("a file");
        let process = program(&["serve"], &variables).stderr(log).spawn();
        let gateway = Self {
            address,
            folder,
            _process: process.expect("the gateway starts"),
        };
        gateway.uses(authority).await;
        gateway
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// Reads a path on a new connection. `None` if the gateway has no certificate of this CA.
    async fn get(&self, authority: &Authority, path: &str) -> Option<String> {
        let client = authority.client().build().expect("a client");
        let answer = client.get(self.url(path)).send().await.ok()?;
        Some(answer.text().await.expect("a whole answer"))
    }

    /// Waits until new connections get a certificate of this CA.
    async fn uses(&self, authority: &Authority) {
        eventually("the certificate is used", async || {
            self.get(authority, "/healthz").await.is_some()
        })
        .await;
    }

    /// Waits until a metric has this value.
    async fn reports(&self, authority: &Authority, metric: &str, value: &str) {
        let line = format!("{metric} {value}");
        eventually_ok("the metric has its value", async || {
            let metrics = self.get(authority, "/metrics").await.unwrap_or_default();
            if metrics.lines().any(|known| known == line) {
                return Ok(());
            }
            let known = metrics.lines().find(|known| known.starts_with(metric));
            Err(known.map(str::to_owned))
        })
        .await;
    }

    fn replace(&self, issued: &Issued) {
        write(&self.folder, "tls.crt", &issued.certificate);
        write(&self.folder, "tls.key", &issued.key);
    }
}

const END: &str = "gateway_tls_certificate_end_timestamp_seconds";
const REFUSED: &str = "gateway_tls_files_refused";

#[sqlx::test]
async fn a_new_certificate_is_used_and_a_broken_one_is_not(pool: PgPool) {
    let old = Authority::new();
    let gateway = Gateway::start(&pool, &old).await;
    gateway.reports(&old, END, "2208988800").await;
    gateway.reports(&old, REFUSED, "0").await;
    let long_lived = old.client().build().expect("a client");
    let get = || long_lived.get(gateway.url("/healthz")).send();
    assert_eq!(get().await.unwrap().status(), 200);

    let next = Authority::new();
    let issued = next.issue(2041);
    write(&gateway.folder, "tls.crt", &issued.certificate);
    gateway.reports(&old, REFUSED, "1").await;
    gateway.replace(&issued);
    gateway.uses(&next).await;
    assert_eq!(gateway.get(&old, "/healthz").await, None);
    assert_eq!(get().await.unwrap().status(), 200, "open connections go on");
    gateway.reports(&next, REFUSED, "0").await;
    gateway.reports(&next, END, "2240611200").await;

    write(&gateway.folder, "tls.key", "hush");
    gateway.reports(&next, REFUSED, "1").await;
    gateway.reports(&next, END, "2240611200").await;
    let log = fs::read_to_string(format!("{}/log", gateway.folder.path())).expect("the log");
    for said in [
        "does not belong to the certificate of TLS_CERT_FILE",
        "contains no private key in PEM format, or only an encrypted one",
        "the changed TLS files are used from now on",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let secret = issued.key.lines().nth(1).expect("a line of the key");
    assert!(!log.contains(secret) && !log.contains("hush"), "{log}");
}
