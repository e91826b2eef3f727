//! The client with which `prove` uses the sandbox: its ledger, its faults, and the writes of the back office.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    judge::{Effect, OTHER_WRITER},
    ledger::Line,
};
use crate::private::API;
use fineract_gateway::domain::{self, Loan, OperationType};

/// The user name of the back office, which is also its password.
const CLERK: &str = "clerk";
/// A second user for gateways, with the same password as the first user.
pub(super) const OTHER_USER: &str = "gateway";
/// The suffix of a fault's name if a command that the fault hits still takes effect.
pub(super) const WITH_EFFECT: &str = ", with the effect";
/// How often a call of the back office is tried. A fault may hit the call.
const TRIES: usize = 20;
/// How long to wait for a condition in the sandbox.
const PATIENCE: Duration = Duration::from_secs(15);
/// The interval between two polls.
const POLL: Duration = Duration::from_millis(20);

/// In every fourth round, the sandbox behaves like an older release (`docs/fineract/release-1.10.1.md`).
const OLD_RELEASE_EVERY: u32 = 4;

/// The release of Fineract in this round.
pub(super) const fn release_in(round: u32) -> &'static str {
    if round.is_multiple_of(OLD_RELEASE_EVERY) {
        "1.10.1"
    } else {
        "develop"
    }
}

/// A client of the sandbox.
#[derive(Debug)]
pub(super) struct SandboxClient {
    http: Client,
    address: SocketAddr,
    writes: AtomicU32,
}

impl SandboxClient {
    /// A client of the sandbox at this address.
    pub(super) fn new(http: Client, address: SocketAddr) -> Self {
        Self {
            http,
            address,
            writes: AtomicU32::new(0),
        }
    }

    fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}/sandbox/{path}", self.address);
        self.http.request(method, url)
    }

    fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{API}{path}", self.address))
            .basic_auth(CLERK, Some(CLERK))
            .header("Fineract-Platform-TenantId", "default")
    }

    /// Calls the sandbox's admin interface. Waits while the sandbox refuses connections.
    async fn administer(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Response> {
        let started = Instant::now();
        let answer = loop {
            let request = self.admin(method.clone(), path).body(body.to_string());
            match request.send().await {
                // Another card has shut the sandbox down for a while.
                Err(error) if error.is_connect() && started.elapsed() < PATIENCE => {
                    tokio::time::sleep(POLL).await;
                }
                answer => break answer.context("the sandbox does not answer")?,
            }
        };
        answer.error_for_status().context("the sandbox refuses")
    }

    /// Resets the sandbox to this release of Fineract, without clients, loans and ledger. Adds the user of the back
    /// office and the second user of the gateways.
    pub(super) async fn reset(&self, release: &str) -> anyhow::Result<()> {
        let release = json!({ "fineractVersion": release });
        self.administer(Method::POST, "reset", &release).await?;
        for (name, password) in [(CLERK, CLERK), (OTHER_USER, "password")] {
            let user = json!({ "name": name, "password": password });
            self.administer(Method::POST, "users", &user).await?;
        }
        Ok(())
    }

    /// Simulates a restart of Fineract.
    pub(super) async fn restart(&self) -> anyhow::Result<()> {
        self.administer(Method::POST, "restart", &Value::Null)
            .await
            .map(drop)
    }

    /// Gives a loan's number to another loan, as a restore of Fineract may do.
    pub(super) async fn renumber(&self, loan: &str) -> anyhow::Result<()> {
        let loan = json!({ "externalId": loan });
        self.administer(Method::POST, "renumber", &loan)
            .await
            .map(drop)
    }

    /// Simulates a restart of Fineract with these settings for idempotency keys.
    pub(super) async fn restart_with_keys(&self, keys: &Value) -> anyhow::Result<()> {
        self.administer(Method::POST, "keys", keys).await.map(drop)
    }

    /// Waits until a fault has hit a request. Returns without an error if this takes longer than [`PATIENCE`].
    pub(super) async fn await_hit(&self, fault: &str) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let hits = self.hits().await?;
            if hits.iter().any(|(name, hits)| name == fault && *hits > 0) {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Adds a fault.
    pub(super) async fn add_fault(&self, fault: &Value) -> anyhow::Result<()> {
        self.administer(Method::POST, "faults", &json!([fault]))
            .await
            .map(drop)
    }

    /// How many requests each fault has hit, in the order in which the faults were added.
    pub(super) async fn hits(&self) -> anyhow::Result<Vec<(String, u64)>> {
        #[derive(Deserialize)]
        struct Entry {
            fault: String,
            hits: u64,
            #[serde(default)]
            effect: bool,
        }
        let answer = self.administer(Method::GET, "faults", &Value::Null).await?;
        let faults: Vec<Entry> = answer.json().await?;
        Ok(faults
            .into_iter()
            .map(|fault| {
                let effect = if fault.effect { WITH_EFFECT } else { "" };
                (format!("{}{effect}", fault.fault), fault.hits)
            })
            .collect())
    }

    /// Removes all faults.
    pub(super) async fn clear_faults(&self) -> anyhow::Result<()> {
        self.administer(Method::DELETE, "faults", &Value::Null)
            .await
            .map(drop)
    }

    /// All effects since the last reset, in order.
    pub(super) async fn ledger(&self) -> anyhow::Result<Vec<Effect>> {
        let answer = self.administer(Method::GET, "ledger", &Value::Null).await?;
        let lines: Vec<Line> = serde_json::from_str(&answer.text().await?)?;
        Ok(lines.into_iter().map(Effect::from).collect())
    }

    /// Waits until an operation of this type has had its effect on a client or loan. Returns without an error if this
    /// takes longer than [`PATIENCE`].
    pub(super) async fn await_effect(
        &self,
        operation_type: OperationType,
        lane: &str,
    ) -> anyhow::Result<()> {
        let is_it =
            |effect: &Effect| effect.operation_type == Some(operation_type) && effect.lane == lane;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self
                .ledger()
                .await
                .is_ok_and(|ledger| ledger.iter().any(is_it))
            {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Writes as the back office until the write succeeds, at most [`TRIES`] times. A refusal by Fineract is not an
    /// error.
    pub(super) async fn write(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<()> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let method = Method::from_bytes(method.as_bytes())?;
        for _ in 0..TRIES {
            if self.is_written(&method, path, body, number).await {
                break;
            }
            tokio::time::sleep(POLL * 5).await;
        }
        Ok(())
    }

    /// Writes as the back office once. A refusal by Fineract is not an error.
    pub(super) async fn write_once(&self, method: &Method, path: &str, body: &Value) {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        self.is_written(method, path, body, number).await;
    }

    async fn is_written(&self, method: &Method, path: &str, body: &Value, number: u32) -> bool {
        let mut request = self
            .api(method.clone(), path)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", format!("{OTHER_WRITER}{number}"));
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return true,
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::debug!(status, path, "Fineract refused a write of the back office");
            }
            Err(error) => {
                tracing::debug!(%error, path, "Fineract did not answer a write of the back office");
            }
        }
        false
    }

    /// Reads an object as the back office. Returns `None` if the object does not exist.
    pub(super) async fn read<T>(
        &self,
        path: &str,
        parse: fn(&str) -> Result<T, serde_json::Error>,
    ) -> anyhow::Result<Option<T>> {
        for _ in 0..TRIES {
            if let Ok(answer) = self.api(Method::GET, path).send().await {
                let status = answer.status().as_u16();
                let body = answer.text().await.unwrap_or_default();
                match (status, parse(&body)) {
                    (200, Ok(resource)) => return Ok(Some(resource)),
                    (404, _) => return Ok(None),
                    _ => {}
                }
            }
            tokio::time::sleep(POLL * 5).await;
        }
        bail!("the sandbox never answered GET {path}")
    }

    /// A client by its external id.
    pub(super) async fn client(&self, id: &str) -> anyhow::Result<Option<domain::Client>> {
        self.read(&format!("/clients/external-id/{id}"), domain::Client::parse)
            .await
    }

    /// A loan by its external id, with transactions and tranches.
    pub(super) async fn loan(&self, id: &str) -> anyhow::Result<Option<Loan>> {
        let path =
            format!("/loans/external-id/{id}?associations=transactions,multiDisburseDetails");
        self.read(&path, Loan::parse).await
    }

    /// The path of a lane's client or loan in Fineract, by number. `None` if the client or loan does not exist.
    pub(super) async fn path_of(&self, lane: &str) -> anyhow::Result<Option<String>> {
        Ok(match lane.split_once(':') {
            Some(("loan", id)) => self
                .loan(id)
                .await?
                .map(|loan| format!("/loans/{}", loan.id)),
            Some((_, id)) => {
                let client = self.client(id).await?;
                client.map(|client| format!("/clients/{}", client.id))
            }
            None => None,
        })
    }
}
