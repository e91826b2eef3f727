//! A receiver of webhooks, which records what it gets and answers what a test has set.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, future::ready, stream};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::sync::Notify;

use crate::support::{eventually::eventually_ok, serve::serve};

/// A message that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// What happened, and to what: `operation.failed CLIENT_CREATE|…`.
    pub(crate) fn says(&self) -> String {
        let body = self.json();
        let subject =
            ["tracking_id", "reference_id", "endpoint_id"].map(|key| body["data"][key].as_str());
        let subject = subject.into_iter().flatten().next().unwrap_or_default();
        format!("{} {subject}", body["type"].as_str().expect("a type"))
    }

    /// Whether the signature is one by this key, as the verifier of the specification finds out.
    pub(crate) fn is_signed_by(&self, secret: &Value) -> bool {
        let secret = secret.as_str().expect("a secret");
        let verifier = Webhook::new(secret).expect("a secret of the specification");
        verifier.verify(&self.body, &self.headers).is_ok()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("a text")
    }
}

/// What a receiver answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Status(u16),
    /// A status with a header.
    With(u16, &'static str, &'static str),
    /// 200, after the test has released it.
    Held,
    /// 200 and 10 MB.
    Big,
    /// 200 and a body that begins, and never ends.
    Drips,
}

#[derive(Default)]
struct Shared {
    got: Vec<Got>,
    replies: VecDeque<Reply>,
}

/// A receiver that listens. It ends with the runtime of its test.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    released: Arc<Notify>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let (shared, released) = (Arc::default(), Arc::default());
        let state: Answering = (Arc::clone(&shared), Arc::clone(&released));
        Self {
            address: serve(Router::new().fallback(answer).with_state(state)).await,
            shared,
            released,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks?key=in-the-url", self.address)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no panic")
    }

    /// Answers the next messages like this, one after the other; then 200.
    pub(crate) fn replies(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared().replies = replies.into_iter().collect();
    }

    /// What has arrived.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared().got.clone()
    }

    /// Waits until this many messages have arrived, and returns them.
    pub(crate) async fn gets(&self, count: usize) -> Vec<Got> {
        eventually_ok("the messages arrive", async || {
            let got = self.got();
            if got.len() >= count {
                Ok(got)
            } else {
                Err(got.iter().map(Got::says).collect::<Vec<_>>())
            }
        })
        .await
    }

    /// Lets every answer go that is held now.
    pub(crate) fn release_all(&self) {
        self.released.notify_waiters();
    }

    /// Lets one held answer go: one that is held now, or the next one.
    pub(crate) fn release(&self) {
        self.released.notify_one();
    }
}

/// What an answer depends on: the test's replies, and what releases held ones.
type Answering = (Arc<Mutex<Shared>>, Arc<Notify>);

async fn answer(
    State((shared, released)): State<Answering>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reply = {
        let mut shared = shared.lock().expect("no panic");
        shared.got.push(Got { headers, body });
        shared.replies.pop_front().unwrap_or(Reply::Status(200))
    };
    match reply {
        Reply::Status(status) => (
            StatusCode::from_u16(status).expect("a status"),
            "thank\0you",
        )
            .into_response(),
        Reply::With(status, name, value) => (
            StatusCode::from_u16(status).expect("a status"),
            [(name, value)],
        )
            .into_response(),
        Reply::Held => {
            released.notified().await;
            StatusCode::OK.into_response()
        }
        Reply::Big => "x".repeat(10_000_000).into_response(),
        Reply::Drips => {
            let begins = stream::once(ready(Ok::<_, Infallible>("x")));
            let drips = begins.chain(stream::pending());
            Body::from_stream(drips).into_response()
        }
    }
}
