//! A whole system for tests: a sandbox, and gateways on the test's own database.

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use fineract_gateway::tls::http_client;
use fineract_gateway::{
    app::{self, Gateway},
    config::Config,
};
use fineract_sandbox::Sandbox;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgPool};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Answer, TOKEN, keys::trust_keys};

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_mins(1);

/// A sandbox, and what its gateways need to know.
pub(crate) struct System {
    /// The sandbox's address.
    pub(crate) sandbox: SocketAddr,
    settings: Vec<(String, String)>,
    pub(super) client: Client,
    stop: CancellationToken,
    /// Where it stands that Fineract honours keys, before a gateway asks.
    pub(super) trusting: Option<PgPool>,
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl System {
    /// Starts a sandbox; gateways are started one by one.
    pub(crate) async fn start(pool: &PgPool) -> Self {
        let mut system = Self::asking(pool).await;
        system.trusting = Some(pool.clone());
        system
    }

    /// The same; the gateways find out for themselves whether Fineract honours keys.
    pub(crate) async fn asking(pool: &PgPool) -> Self {
        Self::on(pool.connect_options().to_url_lossy().as_str()).await
    }

    /// The same, on another database.
    pub(crate) async fn on(database_url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let sandbox = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let serving = Sandbox::new().serve(listener, stop.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(serving);
        let settings = [
            ("DATABASE_URL", database_url.to_owned()),
            ("HTTP_LISTEN", "127.0.0.1:0".to_owned()),
            ("INTERNAL_TOKENS", format!("los={TOKEN}")),
            (
                "BULK_CLIENTS",
                "lender=lender-id:lender-secret:lender-app:lender-org".to_owned(),
            ),
            (
                "FINERACT_URL",
                format!("http://{sandbox}/fineract-provider/api/v1"),
            ),
            ("FINERACT_USER", "mifos".to_owned()),
            ("FINERACT_PASSWORD", "password".to_owned()),
            ("FINERACT_SINGLE_PROCESS", "true".to_owned()),
            ("FINERACT_MAKER_CHECKER", "false".to_owned()),
            ("FINERACT_TIMEOUT_SECONDS", "2".to_owned()),
            ("WORKER_LEASE_SECONDS", "4".to_owned()),
            ("SHUTDOWN_GRACE_SECONDS", "3".to_owned()),
        ];
        Self {
            sandbox,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            client: http_client().timeout(DEADLINE).build().expect("a client"),
            stop,
            trusting: None,
        }
    }

    pub(super) fn setting(&self, name: &str) -> Option<String> {
        let found = self.settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
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

    /// The same, with a log of this filter, to there.
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
        caller.until_ready().await;
        caller
    }
}

/// A running gateway and how it is called.
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    client: Client,
    gateway: Option<Gateway>,
    process: Option<Child>,
}

/// The database cannot be dropped while a gateway uses it.
impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
            tokio::spawn(gateway.shut_down());
        }
    }
}

impl Caller {
    async fn until_ready(&self) {
        let started = Instant::now();
        let url = format!("http://{}/readyz", self.address);
        loop {
            if let Ok(answer) = self.client.get(&url).send().await
                && answer.status().is_success()
            {
                return;
            }
            assert!(
                started.elapsed() < DEADLINE,
                "the gateway never became ready"
            );
            tokio::task::yield_now().await;
        }
    }

    /// What the gateway answers to a GET without a token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("http://{}{path}", self.address))).await
    }

    /// What the gateway answers to an operation.
    pub(crate) async fn operate(&self, operation_type: &str, data: Value) -> Answer {
        let url = format!("http://{}/fineract/operate", self.address);
        let request = self.client.post(url).header("X-Internal-Token", TOKEN);
        Answer::of(request.json(&json!({ "status": operation_type, "data": data }))).await
    }

    /// A request without anything.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.request(method, url)
    }

    /// What is told of a transaction.
    pub(crate) async fn transaction(&self, id: &str, key: &str) -> Value {
        let request = self.request(reqwest::Method::GET, &format!("/transactions/{id}"));
        let request = request.header("Authorization", format!("Token {key}"));
        let answer = request.send().await.expect("the gateway answers");
        answer.json().await.expect("JSON")
    }

    /// Has an operation accepted; its tracking id.
    pub(crate) async fn send(&self, operation_type: &str, data: Value) -> String {
        self.submit(&json!({ "status": operation_type, "data": data }))
            .await
    }

    /// The same, of a whole body.
    pub(crate) async fn submit(&self, body: &Value) -> String {
        let url = format!("http://{}/fineract/operate", self.address);
        let request = self.client.post(url).header("X-Internal-Token", TOKEN);
        let answer = Answer::of(request.json(body)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()["tracking_id"]
            .as_str()
            .expect("a tracking id")
            .to_owned()
    }

    /// What track says once the operation has ended.
    pub(crate) async fn end_of(&self, tracking_id: &str) -> Value {
        let started = Instant::now();
        let url = format!("http://{}/fineract/track/{tracking_id}", self.address);
        loop {
            let request = self.client.get(&url).header("X-Internal-Token", TOKEN);
            let answer = request.header("Prefer", "wait=5").send().await;
            let body: Value = answer
                .expect("the gateway answers")
                .json()
                .await
                .expect("JSON");
            if body["status"] != "processing" {
                return body;
            }
            assert!(started.elapsed() < DEADLINE, "{tracking_id} never ended");
        }
    }

    /// Sends, and waits for the end.
    pub(crate) async fn run(&self, operation_type: &str, data: Value) -> Value {
        let tracking_id = self.send(operation_type, data).await;
        self.end_of(&tracking_id).await
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        let process = self.process.as_ref().expect("a process of its own");
        process.id().expect("it runs")
    }

    /// The process's exit code, once it has ended.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        let process = self.process.as_mut().expect("a process of its own");
        let ended = timeout(DEADLINE, process.wait()).await;
        ended
            .expect("it ends in time")
            .expect("it was there")
            .code()
    }

    /// Kills the process, at once.
    pub(crate) async fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill().await.expect("the process was there");
        }
    }

    /// Ends the gateway of this process; whether nothing was left.
    pub(crate) async fn shut_down(mut self) -> bool {
        self.gateway
            .take()
            .expect("a gateway of this process")
            .shut_down()
            .await
    }
}
