//! A whole system for tests: a sandbox, and gateways on the test's own database. Each gateway is started as the product
//! starts it, in this process by `app::start` or as a process of its own, and runs the operations that it accepts.
//!
//! [`TestGateway`](super::TestGateway) is the other harness, in which the test does the work of the worker.

use std::{net::SocketAddr, process::Stdio};

use fineract_gateway::tls::http_client;
use fineract_gateway::{app, config::Config};
use fineract_sandbox::{Sandbox, ServedSandbox};
use reqwest::Client;
use sqlx::PgPool;
use tokio::{net::TcpListener, process::Command};

use super::{TOKEN, caller::Caller, database::url, eventually::DEADLINE, keys::trust_keys};

/// A sandbox, and the settings of its gateways.
pub(crate) struct System {
    /// The sandbox's address.
    pub(crate) sandbox: SocketAddr,
    settings: Vec<(String, String)>,
    pub(super) client: Client,
    _served: ServedSandbox,
    /// The database in which the tests record that Fineract honours keys, before a gateway starts.
    pub(super) trusting: Option<PgPool>,
}

impl System {
    /// Starts a sandbox. Gateways are started one by one.
    pub(crate) async fn start(pool: &PgPool) -> Self {
        let mut system = Self::asking(pool).await;
        system.trusting = Some(pool.clone());
        system
    }

    /// As [`System::start`], but the gateways find out for themselves whether Fineract honours keys.
    pub(crate) async fn asking(pool: &PgPool) -> Self {
        Self::on(&url(pool)).await
    }

    /// As [`System::asking`], on this database.
    pub(crate) async fn on(database_url: &str) -> Self {
        let served = Sandbox::new().serve_on_free_port().await;
        let served = served.expect("a free port");
        let settings = [
            ("DATABASE_URL", database_url.to_owned()),
            ("HTTP_LISTEN", "127.0.0.1:0".to_owned()),
            ("INTERNAL_TOKENS", format!("los={TOKEN}")),
            (
                "BULK_CLIENTS",
                "lender=lender-id:lender-secret:lender-app:lender-org".to_owned(),
            ),
            ("FINERACT_URL", served.url()),
            ("FINERACT_USER", "mifos".to_owned()),
            ("FINERACT_PASSWORD", "password".to_owned()),
            ("FINERACT_SINGLE_PROCESS", "true".to_owned()),
            ("FINERACT_MAKER_CHECKER", "false".to_owned()),
            ("FINERACT_TIMEOUT_SECONDS", "2".to_owned()),
            ("WORKER_LEASE_SECONDS", "4".to_owned()),
            ("SHUTDOWN_GRACE_SECONDS", "3".to_owned()),
        ];
        Self {
            sandbox: served.address(),
            _served: served,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            client: http_client().timeout(DEADLINE).build().expect("a client"),
            trusting: None,
        }
    }

    /// The value of a setting.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        let found = self.settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    /// All settings, as the environment of a command.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.settings.clone()
    }

    /// Changes a setting of the gateways that are started after this.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Starts a gateway in this process.
    pub(crate) async fn gateway(&self) -> Caller {
        trust_keys(self).await;
        let config = Config::read(|name| self.setting(name)).expect("the settings are right");
        let gateway = app::start(&config).await.expect("the gateway starts");
        let address = gateway.address();
        Caller {
            address,
            client: self.client.clone(),
            gateway: Some(gateway),
            process: None,
        }
    }

    /// Starts a gateway as a process of its own.
    pub(crate) async fn process(&self) -> Caller {
        self.process_with_log("warn", Stdio::inherit()).await
    }

    /// As [`System::process`], with this log filter and this destination of the log.
    pub(crate) async fn process_with_log(&self, filter: &str, stderr: Stdio) -> Caller {
        trust_keys(self).await;
        let port = TcpListener::bind("127.0.0.1:0")
            .await
            .and_then(|listener| listener.local_addr())
            .expect("a free port");
        let process = Command::new(env!("CARGO_BIN_EXE_fineract-gateway"))
            .arg("serve")
            .env_clear()
            .envs(self.settings.iter().cloned())
            .env("HTTP_LISTEN", port.to_string())
            .env("LOG_FILTER", filter)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway starts");
        let caller = Caller {
            address: port,
            client: self.client.clone(),
            gateway: None,
            process: Some(process),
        };
        caller.is_ready().await;
        caller
    }
}
