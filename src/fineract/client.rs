//! The HTTP client for one tenant of one Fineract.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use reqwest::{
    Client, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    cache::Cache,
    checkers::Checkers,
    exchange::{Exchange, Kind, Observer},
};
use crate::{
    config,
    domain::{Answer, Failure, IdempotencyKey, Method, Reply, Request, TRACEPARENT},
    tls,
    traces::Span,
};

/// Fineract closes idle connections after 60 s (`docs/fineract/outages.md`, "Connections"), so the gateway closes
/// them first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// The reason why the client for Fineract cannot be created from the settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The tenant contains characters that a header cannot contain.
    #[error("FINERACT_TENANT cannot be sent in a header")]
    Tenant(#[source] http::header::InvalidHeaderValue),
    /// TLS cannot be set up.
    #[error("cannot create the client for Fineract (are the system's CA certificates installed?)")]
    Client(#[source] reqwest::Error),
}

/// The client for Fineract, with the credentials of the gateway's user. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Fineract {
    pub(super) http: Client,
    pub(super) base: Arc<str>,
    user: Arc<str>,
    pub(super) password: SecretString,
    pub(super) single_process: bool,
    key_header: HeaderName,
    last_failure: Arc<Mutex<Option<Instant>>>,
    pub(super) shows_metrics: Arc<AtomicBool>,
    observer: Option<Observer>,
    pub(super) cache: Arc<Mutex<Cache>>,
    pub(super) checkers: Arc<Checkers>,
}

impl Fineract {
    /// Creates the client. This sends nothing, so Fineract may be unavailable.
    pub fn new(settings: &config::Fineract) -> Result<Self, SetupError> {
        let mut headers = HeaderMap::new();
        let tenant = HeaderValue::from_str(&settings.tenant).map_err(SetupError::Tenant)?;
        headers.insert("Fineract-Platform-TenantId", tenant);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut builder = tls::http_client()
            .default_headers(headers)
            // Following a redirect (for example to TLS) would change a POST into a GET (`docs/fineract/commands.md`,
            // "Addresses and headers").
            .redirect(redirect::Policy::none())
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.max_in_flight)
            .tcp_nodelay(true)
            .no_proxy();
        if !settings.certificates.is_empty() {
            builder = builder.tls_certs_merge(settings.certificates.iter().cloned());
        }
        if let Some(identity) = &settings.identity {
            builder = builder.identity(identity.clone());
        }
        Ok(Self {
            http: builder.build().map_err(SetupError::Client)?,
            base: settings.url.as_str().trim_end_matches('/').into(),
            user: settings.user.as_str().into(),
            password: settings.password.clone(),
            single_process: settings.single_process,
            key_header: settings.idempotency_header.clone(),
            last_failure: Arc::default(),
            shows_metrics: Arc::default(),
            observer: None,
            cache: Arc::default(),
            checkers: Arc::new(Checkers::new(settings.maker_checker)),
        })
    }

    /// The same client, which also reports every exchange to `observer`.
    #[must_use]
    pub fn observed_by(self, observer: Observer) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    /// The name of the header that carries keys, in lower case.
    pub fn key_header(&self) -> &str {
        self.key_header.as_str()
    }

    /// The name of the gateway's user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Sends a command under its key, once. The client itself never repeats a command that may have reached Fineract.
    pub async fn send(&self, request: &Request, key: IdempotencyKey) -> Reply {
        match self.send_under(request, &key.to_string()).await {
            Ok(answer) => Reply::Answer(answer),
            Err(failure) => Reply::Failure(failure),
        }
    }

    /// Sends a command under any key, once.
    pub(super) async fn send_under(&self, request: &Request, key: &str) -> Result<Answer, Failure> {
        let mut builder = self
            .request(request.method, &request.path)
            // A DELETE needs this header too, although it has no body: with it, Fineract stores the real answer
            // (`docs/fineract/idempotency.md`, "The body of a stored answer").
            .header(CONTENT_TYPE, "application/json")
            .header(self.key_header.clone(), key);
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        self.exchange(Kind::of(request.method, &request.path), builder)
            .await
    }

    /// The time of the last exchange without an answer of Fineract: no answer at all, or only an answer of a proxy.
    /// Since that time, another process of Fineract may answer.
    pub fn last_failure(&self) -> Option<Instant> {
        *self.failure()
    }

    fn failure(&self) -> MutexGuard<'_, Option<Instant>> {
        self.last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the given path.
    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        let kind = Kind::of(Method::Get, path);
        self.exchange(kind, self.request(Method::Get, path)).await
    }

    /// Whether Fineract accepts requests of the gateway at all. To find out, the gateway reads the payment types. A
    /// refusal because of a missing permission also counts as accepted.
    pub async fn probe(&self) -> bool {
        match self.get("/paymenttypes").await {
            Ok(answer) => {
                let listed = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(&answer.body);
                let lacks_permission = answer
                    .codes()
                    .iter()
                    .any(|code| code == "error.msg.not.authorized");
                (answer.status == 200 && listed.is_ok())
                    || (answer.status == 403 && lacks_permission)
            }
            Err(_) => false,
        }
    }

    async fn exchange(
        &self,
        kind: Kind,
        builder: reqwest::RequestBuilder,
    ) -> Result<Answer, Failure> {
        let span = Span::begin_call(format_args!("{kind}"));
        let builder = match span.context() {
            Some(context) => builder.header(TRACEPARENT, context.to_string()),
            None => builder,
        };
        let started = Instant::now();
        let result = exchange(builder).await;
        let exchange = Exchange {
            kind,
            took: started.elapsed(),
            result: &result,
        };
        exchange.describe(span);
        self.report(&exchange);
        result
    }

    /// Records an exchange, and reports it to the observer.
    pub(super) fn report(&self, exchange: &Exchange<'_>) {
        exchange.record();
        // After a lost connection, another process of Fineract may answer, with other settings or other books. So
        // forget the cached objects.
        if let Err(Failure::NotConnected | Failure::Closed) = exchange.result {
            self.forget();
        }
        // A 502, 503 or 504 without a code of Fineract comes from a proxy: Fineract itself is unavailable.
        let is_proxy =
            |answer: &Answer| matches!(answer.status, 502..=504) && answer.codes().is_empty();
        if exchange.result.as_ref().map_or(true, is_proxy) {
            *self.failure() = Some(Instant::now());
        }
        if let Some(observer) = &self.observer {
            observer.observe(exchange);
        }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let method = match method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        self.http
            .request(method, format!("{}{path}", self.base))
            .basic_auth(&self.user, Some(self.password.expose_secret()))
    }
}

async fn exchange(builder: reqwest::RequestBuilder) -> Result<Answer, Failure> {
    let response = builder.send().await.map_err(|error| failure(&error))?;
    answer_of(response).await
}

/// Reads an answer to its end.
pub(super) async fn answer_of(response: reqwest::Response) -> Result<Answer, Failure> {
    let status: StatusCode = response.status();
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let cached = header("x-served-from-cache") == Some("true");
    let retry_after = header(RETRY_AFTER.as_str())
        .and_then(|value| value.parse().ok())
        .map(Duration::from_secs);
    let body = response.bytes().await.map_err(|error| failure(&error))?;
    Ok(Answer {
        status: status.as_u16(),
        cached,
        // Postgres cannot store a NUL character in a text.
        body: String::from_utf8_lossy(&body).replace('\0', "\u{fffd}"),
        retry_after,
    })
}

pub(super) fn failure(error: &reqwest::Error) -> Failure {
    if let Some(reason) = tls::cause_of(error) {
        tracing::warn!(%reason, "TLS with Fineract fails");
    }
    if error.is_connect() || error.is_builder() {
        Failure::NotConnected
    } else if error.is_timeout() {
        Failure::TimedOut
    } else {
        Failure::Closed
    }
}
