//! A real `PgBouncer` before the tests' Postgres. It is Debian's, and `scripts/pgbouncer.sh` unpacks it.

use std::{fs, path::Path, process::Stdio};

use reqwest::Url;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

use super::{command::TemporaryFolder, eventually::eventually};

/// A `PgBouncer` that ends when this value is dropped.
pub(crate) struct PgBouncer {
    /// The URL of the database through `PgBouncer`.
    pub(crate) url: String,
    _process: Child,
    _folder: TemporaryFolder,
}

impl PgBouncer {
    /// Starts a `PgBouncer` before this database. `mode` is `session`, `transaction` or `statement`; `connections` is
    /// the number of connections to Postgres for each database.
    pub(crate) async fn start(database_url: &str, mode: &str, connections: usize) -> Self {
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pgbouncer");
        let program = unpacked.join("usr/sbin/pgbouncer");
        assert!(
            program.exists(),
            "the tests need PgBouncer: run scripts/pgbouncer.sh"
        );
        let mut url = Url::parse(database_url).expect("a URL");
        let postgres = format!(
            "host={} port={} user={} password={}",
            url.host_str().expect("a host"),
            url.port().expect("a port"),
            url.username(),
            url.password().expect("a password"),
        );
        let port = free_port().await;
        let folder = TemporaryFolder::new();
        let settings = Path::new(folder.path()).join("pgbouncer.ini");
        // With `any`, PgBouncer asks for no password: every client becomes the user in the first line of settings.
        let text = format!(
            "[databases]\n* = {postgres}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\nmax_client_conn = 1000\npool_mode = {mode}\n\
             default_pool_size = {connections}\n"
        );
        fs::write(&settings, text).expect("the settings are written");
        let libraries = fs::read_dir(unpacked.join("usr/lib"))
            .expect("libraries")
            .map(|entry| entry.expect("a folder").path())
            .find(|path| path.to_string_lossy().ends_with("-linux-gnu"));
        let process = Command::new(program)
            // PgBouncer refuses to run as root.
            .args(rustix::process::getuid().is_root().then_some("--user=nobody"))
            .arg("--quiet")
            .arg(settings)
            .env("LD_LIBRARY_PATH", libraries.expect("a folder of libraries"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("PgBouncer starts");
        url.set_port(Some(port)).expect("the URL has a host");
        eventually("PgBouncer listens", async || {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Self {
            url: url.to_string(),
            _process: process,
            _folder: folder,
        }
    }
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .await
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
