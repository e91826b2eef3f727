//! Reads, for the command `doctor`, what Fineract shows about itself and about the gateway's user. Sends no command.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use reqwest::header::DATE;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;

use super::{
    Fineract, ReadFailure, Subject, audits,
    client::{answer_of, failure},
    lookups::PAYMENT_TYPES,
};
use crate::{
    domain::{Answer, Failure, Method, decision::Audited},
    telemetry::chain,
    tls,
};

/// The first answer of Fineract, to a read of the payment types.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The answer.
    pub answer: Answer,
    /// Fineract's clock in whole seconds, if the answer shows it.
    pub now: Option<DateTime<Utc>>,
}

/// Why there is no first answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactFailure {
    /// The server's certificate is not accepted, or TLS fails for another reason. The text gives the reason.
    Tls(String),
    /// Nobody accepts the connection. The text gives the reason.
    NotConnected(String),
    /// No complete answer arrived in time.
    TimedOut,
    /// The connection was closed before a complete answer arrived.
    Closed,
}

impl Fineract {
    /// Reads the payment types, to find out whether Fineract answers.
    pub async fn contact(&self) -> Result<Contact, ContactFailure> {
        let request = self.request(Method::Get, PAYMENT_TYPES);
        let response = request.send().await.map_err(contact_failure)?;
        let date = response.headers().get(DATE);
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
        let answer = answer_of(response).await;
        Ok(Contact {
            answer: answer.map_err(|failure| match failure {
                Failure::TimedOut => ContactFailure::TimedOut,
                Failure::Closed | Failure::NotConnected | Failure::NotSent => {
                    ContactFailure::Closed
                }
            })?,
            now: date.map(|date| date.to_utc()),
        })
    }

    /// The version of Fineract (`docs/fineract/commands.md`, "Addresses and headers"). `None` if Fineract does not show
    /// it.
    pub async fn version(&self) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        struct Info {
            build: Build,
        }
        #[derive(Deserialize)]
        struct Build {
            version: String,
        }
        let Some(base) = self.base.strip_suffix("/api/v1") else {
            return Ok(None);
        };
        let request = self.http.get(format!("{base}/actuator/info")).send();
        let response = request.await.map_err(|error| failure(&error))?;
        let answer = answer_of(response).await?;
        let info = serde_json::from_str::<Info>(&answer.body).ok();
        Ok(info
            .filter(|_| answer.status == 200)
            .map(|info| info.build.version))
    }

    /// The permissions of the gateway's user (`docs/fineract/commands.md`, "The permissions of a user"). `None` if
    /// Fineract does not show them. The answer also contains the user's credentials, which are dropped here.
    pub async fn permissions(&self) -> Result<Option<BTreeSet<String>>, Failure> {
        #[derive(Deserialize)]
        struct Authenticated {
            permissions: BTreeSet<String>,
        }
        let credentials =
            json!({"username": self.user(), "password": self.password.expose_secret()});
        let request = self
            .request(Method::Post, "/authentication")
            .json(&credentials);
        let response = request.send().await.map_err(|error| failure(&error))?;
        let answer = answer_of(response).await?;
        let shown = serde_json::from_str::<Authenticated>(&answer.body).ok();
        Ok(shown
            .filter(|_| answer.status == 200)
            .map(|shown| shown.permissions))
    }

    /// Whether the gateway's user may read audits. `None` if Fineract's answer does not show it.
    pub async fn may_read_audits(&self) -> Option<bool> {
        let audited = self
            .read("/audits/1", Subject::Audit, false, Audited::parse)
            .await;
        audits::lacks_permission(&audited).map(|lacks| !lacks)
    }

    /// Whether the gateway's user may read a list. `None` if Fineract's answer does not show it.
    pub async fn may_read(&self, list: &str) -> Option<bool> {
        match self.get(list).await.map_err(ReadFailure::NoAnswer) {
            Ok(answer) if answer.status == 200 => Some(true),
            Ok(answer) if ReadFailure::Refused(answer.clone()).is_forbidden() => Some(false),
            Ok(_) | Err(_) => None,
        }
    }

    /// How many different processes have answered three requests. `None` if Fineract does not show its metrics.
    pub async fn count_processes(&self) -> Option<usize> {
        let readings = self.readings().await?;
        let starts: HashSet<_> = readings.iter().map(|reading| reading.started_at).collect();
        Some(starts.len())
    }
}

/// The error of a request without the URL, because the operator knows it from the settings.
fn contact_failure(error: reqwest::Error) -> ContactFailure {
    let error = error.without_url();
    let text = || chain(&error).to_string();
    if tls::cause_of(&error).is_some() {
        ContactFailure::Tls(text())
    } else if error.is_timeout() && !error.is_connect() {
        ContactFailure::TimedOut
    } else if error.is_connect() || error.is_builder() {
        ContactFailure::NotConnected(text())
    } else {
        ContactFailure::Closed
    }
}
