//! The state that all endpoints share.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    access::{Credentials, WrongSecrets},
    bulk::Bulk,
    database_probe::DatabaseProbe,
    events::Streams,
    page::Page,
    tokens::Tokens,
    transactions::Budgets,
};
use crate::{domain::FineractHealth, operations::Deployment, store::Store, webhooks::Guard};

/// The state that all endpoints share.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// Whether the process serves callers. If not, it serves only `/healthz`, `/readyz` and `/metrics`.
    pub has_callers: bool,
    /// The queue.
    pub store: Store,
    /// How the database is, for `/readyz`.
    pub database_probe: DatabaseProbe,
    /// The settings against which payloads are checked.
    pub deployment: Arc<Deployment>,
    /// The credentials of the database.
    pub credentials: Credentials,
    /// The wrong secrets of the last minute.
    pub wrong_secrets: WrongSecrets,
    /// The tokens of callers and operators in the settings.
    pub tokens: Tokens,
    /// The API keys in the settings, which permit reading transactions.
    pub api_keys: Tokens,
    /// The request budgets of the API keys.
    pub budgets: Budgets,
    /// The currency of a transaction as long as the currency of its loan is unknown.
    pub currency: String,
    /// The state of the bulk endpoints.
    pub bulk: Bulk,
    /// The operators' streams of events.
    pub streams: Streams,
    /// Where webhooks may be delivered.
    pub webhooks: Guard,
    /// The state of the operators' page.
    pub page: Page,
    /// The prefixes under which the routes are served, in addition to the paths without a prefix. A prefix has no
    /// trailing slash, so the base path `/` is an empty prefix.
    pub base_paths: Vec<String>,
    /// The length of the backlog at which new operations are refused with 429.
    pub max_waiting: u64,
    /// Fineract's health, as the worker of this process last saw it.
    pub fineract: watch::Receiver<FineractHealth>,
    /// Whether the gateway's user in Fineract lacks the permission `READ_AUDIT`.
    pub lacks_read_audit: watch::Receiver<bool>,
    /// Cancelled when the process begins to shut down. The gateway then answers requests with `Prefer: wait`
    /// immediately.
    pub draining: CancellationToken,
}
