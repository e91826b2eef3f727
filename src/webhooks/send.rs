//! Sends one message to a receiver, once.

use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use tokio::sync::Semaphore;

use super::{
    guard::{Guard, PrivateName},
    signature::Secret,
};
use crate::{
    domain::{TRACEPARENT, TraceParent},
    telemetry::wall_clock,
    tls,
};

/// How long a receiver has for its whole answer, by the Standard Webhooks specification.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes of an answer are read.
const MOST_READ: usize = 64 * 1024;

/// How many characters of an answer are kept: of one that refuses the message, and of one that accepts it. There may be a
/// thousand of them in a second.
const KEPT_OF_REFUSAL: usize = 4_096;
const KEPT_OF_SUCCESS: usize = 256;

/// How many messages are sent at the same time, to all receivers together. Each needs a file descriptor.
const MOST_AT_ONCE: usize = 500;

/// The longest wait that a receiver can ask for with `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Sends messages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    http: Client,
    guard: Guard,
    permits: Arc<Semaphore>,
}

/// A receiver.
#[derive(Clone)]
pub struct Receiver {
    /// Where messages are sent.
    pub url: String,
    /// Headers of its own.
    pub headers: HeaderMap,
    /// The keys with which messages are signed: the newest, and during a rotation the one before.
    pub secrets: Vec<Secret>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL, the headers and the keys are secrets.
        f.write_str("Receiver")
    }
}

/// A message to a receiver.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id: the same in each try, so that the receiver recognises a repetition.
    pub id: String,
    /// The body, which is JSON.
    pub body: String,
    /// The place of this delivery in its trace, which the receiver is told.
    pub trace_parent: Option<TraceParent>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The status of the answer; `None` without an answer.
    pub status: Option<u16>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
    /// Why the message was not delivered; `None` if it was.
    pub error: Option<String>,
    /// How long the receiver asked to wait.
    pub retry_after: Option<Duration>,
    /// How long it took.
    pub took: Duration,
}

impl Sender {
    /// Creates the client. It sends nothing yet. `timeout`: how long a receiver has for its whole answer.
    pub fn new(guard: Guard, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = tls::http_client()
            .dns_resolver(guard.clone())
            .user_agent(concat!("fineract-gateway/", env!("CARGO_PKG_VERSION")))
            // A redirect could lead to an address that the guard has not seen.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            http,
            guard,
            permits: Arc::new(Semaphore::new(MOST_AT_ONCE)),
        })
    }

    /// Which addresses receivers may have.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Sends a message once, and waits for the answer.
    pub async fn send(&self, receiver: &Receiver, message: Message) -> Receipt {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let started = Instant::now();
        let sent = self.exchange(receiver, message).await;
        Receipt {
            took: started.elapsed(),
            ..sent.unwrap_or_else(Receipt::failed)
        }
    }

    async fn exchange(&self, receiver: &Receiver, message: Message) -> Result<Receipt, String> {
        // The settings may have changed since the endpoint was created.
        let url = self.guard.check(&receiver.url);
        let url = url.map_err(|refused| format!("the URL {refused}"))?;
        let Message {
            id,
            body,
            trace_parent,
        } = message;
        let timestamp = u64::try_from(wall_clock().timestamp()).unwrap_or_default();
        let sign = |secret: &Secret| secret.sign(&id, timestamp, body.as_bytes());
        let signatures: Vec<_> = receiver.secrets.iter().map(sign).collect();
        let request = self
            .http
            .post(url)
            .headers(receiver.headers.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(body);
        let request = match trace_parent {
            Some(parent) => request.header(TRACEPARENT, parent.to_string()),
            None => request,
        };
        let response = request.send().await.map_err(|error| explain(&error))?;
        Ok(read(response).await)
    }
}

impl Receipt {
    /// A message that did not reach the receiver.
    pub fn failed(error: String) -> Self {
        Self {
            status: None,
            response: None,
            error: Some(error),
            retry_after: None,
            took: Duration::ZERO,
        }
    }

    /// Whether the receiver has accepted the message.
    pub fn is_delivered(&self) -> bool {
        self.error.is_none()
    }

    /// Whether the receiver wants no more messages.
    pub fn is_gone(&self) -> bool {
        self.status == Some(StatusCode::GONE.as_u16())
    }
}

/// Reads the beginning of an answer. The status counts; if the body breaks off or drips, so much the worse for the log,
/// but a receiver that has not finished its answer in time has not accepted the message.
async fn read(mut response: Response) -> Receipt {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let mut body = Vec::new();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break None,
            Err(error) => break Some(explain(&error)),
        }
        if body.len() >= MOST_READ {
            break None;
        }
    };
    let error = if status.is_redirection() {
        Some(format!(
            "the receiver answered {status}; redirects are not followed"
        ))
    } else if !status.is_success() {
        Some(format!("the receiver answered {status}"))
    } else {
        broken
    };
    let kept = match error {
        Some(_) => KEPT_OF_REFUSAL,
        None => KEPT_OF_SUCCESS,
    };
    // Postgres cannot store a NUL character in a text.
    let response = String::from_utf8_lossy(&body).replace('\0', "\u{fffd}");
    Receipt {
        status: Some(status.as_u16()),
        response: Some(response.chars().take(kept).collect()),
        error,
        retry_after,
        took: Duration::ZERO,
    }
}

/// Says why there is no answer, without the URL, which may contain a secret.
fn explain(error: &reqwest::Error) -> String {
    if error.is_timeout() && !error.is_connect() {
        return "the receiver did not finish its answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        if source.is::<PrivateName>() {
            return source.to_string();
        }
        cause = source;
    }
    if error.is_connect() {
        format!("cannot connect: {cause}")
    } else {
        format!("the connection broke: {cause}")
    }
}
