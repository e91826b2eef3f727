//! The judge's own way to the sandbox: its ledger, its faults, and the back office's writes.

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
    judge::{Effect, OTHER},
    ledger::Line,
};
use crate::private::API;
use fineract_gateway::domain::{self, Loan, OperationType};

/// The back office's user, and its password.
const CLERK: &str = "clerk";
/// A second user of the gateways, with the first one's password.
pub(super) const OTHER_USER: &str = "gateway";
/// What follows the name of a fault that leaves the effect.
pub(super) const WITH_EFFECT: &str = ", with the effect";
/// How often a write of the back office is tried when a fault strikes it.
const TRIES: usize = 20;
/// For how long something in the sandbox is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often.
const POLL: Duration = Duration::from_millis(20);

/// Talks to the sandbox.
#[derive(Debug)]
pub(super) struct SandboxClient {
    http: Client,
    address: SocketAddr,
    writes: AtomicU32,
}

impl SandboxClient {
    /// Talks to the sandbox at this address.
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

    /// Asks the sandbox itself, which is waited for while it is away.
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
                // Another card has it away.
                Err(error) if error.is_connect() && started.elapsed() < PATIENCE => {
                    tokio::time::sleep(POLL).await;
                }
                answer => break answer.context("the sandbox does not answer")?,
            }
        };
        answer.error_for_status().context("the sandbox refuses")
    }

    /// Begins anew, as this release: no client, no loan, no ledger; a clerk of the back office, and a second user of the
    /// gateways.
    pub(super) async fn reset(&self, release: &str) -> anyhow::Result<()> {
        let release = json!({ "fineractVersion": release });
        self.administer(Method::POST, "reset", &release).await?;
        for (name, password) in [(CLERK, CLERK), (OTHER_USER, "password")] {
            let user = json!({ "name": name, "password": password });
            self.administer(Method::POST, "users", &user).await?;
        }
        Ok(())
    }

    /// As if Fineract's process had been started anew.
    pub(super) async fn restart(&self) -> anyhow::Result<()> {
        self.administer(Method::POST, "restart", &Value::Null)
            .await
            .map(drop)
    }

    /// Has a loan's number be another's from now on, as after a restore.
    pub(super) async fn renumber(&self, loan: &str) -> anyhow::Result<()> {
        let loan = json!({ "externalId": loan });
        self.administer(Method::POST, "renumber", &loan)
            .await
            .map(drop)
    }

    /// As if it had been started anew with these settings of keys.
    pub(super) async fn restart_with_keys(&self, keys: &Value) -> anyhow::Result<()> {
        self.administer(Method::POST, "keys", keys).await.map(drop)
    }

    /// Waits until a fault has struck.
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

    /// Has the sandbox misbehave.
    pub(super) async fn add_fault(&self, fault: &Value) -> anyhow::Result<()> {
        self.administer(Method::POST, "faults", &json!([fault]))
            .await
            .map(drop)
    }

    /// How often each fault has struck, in the order in which they were given.
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

    /// Has it behave.
    pub(super) async fn clear_faults(&self) -> anyhow::Result<()> {
        self.administer(Method::DELETE, "faults", &Value::Null)
            .await
            .map(drop)
    }

    /// Every effect since the last reset, in order.
    pub(super) async fn ledger(&self) -> anyhow::Result<Vec<Effect>> {
        let answer = self.administer(Method::GET, "ledger", &Value::Null).await?;
        let lines: Vec<Line> = serde_json::from_str(&answer.text().await?)?;
        Ok(lines.into_iter().map(Effect::from).collect())
    }

    /// Waits until an operation of this type has had its effect on a client or loan.
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

    /// A write of the back office, tried until it is answered; whether it is refused is its own affair.
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

    /// The same, once, and refused or not.
    pub(super) async fn write_once(&self, method: &Method, path: &str, body: &Value) {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        self.is_written(method, path, body, number).await;
    }

    async fn is_written(&self, method: &Method, path: &str, body: &Value, number: u32) -> bool {
        let mut request = self
            .api(method.clone(), path)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", format!("{OTHER}{number}"));
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return true,
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::debug!(status, path, "the back office is refused");
            }
            Err(error) => tracing::debug!(%error, path, "the back office is not answered"),
        }
        false
    }

    /// Reads one thing; `None` where Fineract does not have it.
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
                    (200, Ok(thing)) => return Ok(Some(thing)),
                    (404, _) => return Ok(None),
                    _ => {}
                }
            }
            tokio::time::sleep(POLL * 5).await;
        }
        bail!("the sandbox never answered GET {path}")
    }

    /// A client, by external id.
    pub(super) async fn client(&self, id: &str) -> anyhow::Result<Option<domain::Client>> {
        self.read(&format!("/clients/external-id/{id}"), domain::Client::parse)
            .await
    }

    /// A loan, by external id.
    pub(super) async fn loan(&self, id: &str) -> anyhow::Result<Option<Loan>> {
        let path =
            format!("/loans/external-id/{id}?associations=transactions,multiDisburseDetails");
        self.read(&path, Loan::parse).await
    }

    /// The path of a lane's client or loan, by number; `None` where there is none.
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
