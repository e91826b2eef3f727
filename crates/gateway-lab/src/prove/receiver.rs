//! A receiver of webhooks with a book of its own, in which it writes what it was told and what it has accepted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use fineract_gateway::domain::{OperationId, TrackingId};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::task::JoinSet;

use crate::private::serve;

/// The receiver refuses one of this many deliveries, so that the gateway has to try again.
const REFUSED: u32 = 12;

/// An event as the database has it.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The number.
    pub(super) number: i64,
    /// The type.
    pub(super) what: String,
    /// The tracking id of the operation, or the client's name of the batch.
    pub(super) subject: String,
    /// The lane; `None` for a batch.
    pub(super) lane: Option<String>,
}

/// A delivery.
#[derive(Clone, Debug)]
struct Told {
    id: String,
    body: Value,
    is_signed: bool,
    is_accepted: bool,
    at: Instant,
}

#[derive(Default)]
struct Book {
    /// The key of each endpoint, by the path of its URL.
    secrets: HashMap<String, String>,
    told: Vec<Told>,
}

/// A receiver that listens on this machine. It ends when it is dropped.
pub(super) struct Receiver {
    /// Its URL, to which the path of an endpoint is added.
    pub(super) url: String,
    book: Arc<Mutex<Book>>,
    _serving: JoinSet<()>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// Starts a receiver.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let book = Arc::<Mutex<Book>>::default();
        let router = Router::new().fallback(receive);
        let (address, serving) = serve(router.with_state(Arc::clone(&book))).await?;
        Ok(Self {
            url: format!("http://{address}"),
            book,
            _serving: serving,
        })
    }

    /// Whether it has the keys of its endpoints.
    pub(super) fn is_known(&self) -> bool {
        !locked(&self.book).secrets.is_empty()
    }

    /// From now on, verifies what arrives at this path with this key.
    pub(super) fn expect(&self, path: &str, secret: &str) {
        locked(&self.book)
            .secrets
            .insert(path.to_owned(), secret.to_owned());
    }

    /// The numbers of the events that it was told.
    pub(super) fn numbers(&self) -> Vec<i64> {
        locked(&self.book)
            .told
            .iter()
            .filter_map(Told::number)
            .collect()
    }

    /// The operations of whose failures it was told, and when. After an accepted delivery, a failure counts as read.
    pub(super) fn failures(&self) -> Vec<(OperationId, Instant)> {
        let book = locked(&self.book);
        let accepted = book.told.iter().filter(|told| told.is_accepted);
        let failures = accepted.filter(|told| told.what() == Some("operation.failed"));
        failures
            .filter_map(|told| Some((told.subject()?.parse::<TrackingId>().ok()?.id, told.at)))
            .collect()
    }

    /// Compares its book with the events: `all` that it was told and that there are, and those `of_round`, which it must
    /// have been told. Then it begins a new book.
    pub(super) fn compare(&self, all: &[Event], of_round: &[Event]) -> Vec<String> {
        let told = std::mem::take(&mut locked(&self.book).told);
        let mut wrong = Vec::new();
        let known: BTreeMap<i64, &Event> = all.iter().map(|event| (event.number, event)).collect();
        let mut accepted = BTreeMap::new();
        for (place, told) in told.iter().enumerate() {
            let event = told.number().and_then(|number| known.get(&number));
            if !told.is_signed {
                wrong.push(format!("{} has a wrong signature", told.id));
            } else if !event.is_some_and(|event| told.tells(event)) {
                wrong.push(format!("{} did not happen so: {}", told.id, told.body));
            } else if let Some(number) = told.number().filter(|_| told.is_accepted) {
                accepted.entry(number).or_insert(place);
            }
        }
        let mut last: HashMap<&str, usize> = HashMap::new();
        for Event {
            number,
            what,
            subject,
            lane,
        } in of_round
        {
            match (accepted.get(number), lane) {
                (None, _) => wrong.push(format!("{what} of {subject} was never told")),
                (Some(place), Some(lane)) => {
                    if last
                        .insert(lane, *place)
                        .is_some_and(|before| before > *place)
                    {
                        wrong.push(format!(
                            "{what} of {subject} was told before an earlier event of {lane}"
                        ));
                    }
                }
                (Some(_), None) => {}
            }
        }
        wrong
    }
}

impl Told {
    fn number(&self) -> Option<i64> {
        self.id.strip_prefix("evt_")?.parse().ok()
    }

    fn what(&self) -> Option<&str> {
        self.body.get("type").and_then(Value::as_str)
    }

    fn subject(&self) -> Option<&str> {
        self.text("tracking_id").or(self.text("reference_id"))
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.body.get("data")?.get(key)?.as_str()
    }

    fn tells(&self, event: &Event) -> bool {
        let has_ended = match event.what.as_str() {
            "operation.succeeded" => self.text("status") == Some("success"),
            "operation.failed" => self.text("status") == Some("failed"),
            _ => true,
        };
        has_ended && self.subject() == Some(&*event.subject) && self.what() == Some(&*event.what)
    }
}

fn locked(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(
    State(book): State<Arc<Mutex<Book>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut book = locked(&book);
    let Some(secret) = book.secrets.get(uri.path()) else {
        // An endpoint whose creation was not answered.
        return StatusCode::GONE;
    };
    let is_signed = Webhook::new(secret).is_ok_and(|key| key.verify(&body, &headers).is_ok());
    let is_accepted = fastrand::u32(0..REFUSED) > 0;
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let told = Told {
        id: id.unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        is_signed,
        is_accepted,
        at: Instant::now(),
    };
    // What says that another endpoint was disabled is about no event.
    if told.id.starts_with("evt_") {
        book.told.push(told);
    }
    if is_accepted {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(number: i64) -> Event {
        Event {
            number,
            what: "operation.succeeded".to_owned(),
            subject: format!("CLIENT_UPDATE|{number}"),
            lane: Some("client:a".to_owned()),
        }
    }

    fn told(number: i64) -> Told {
        let data = json!({ "tracking_id": format!("CLIENT_UPDATE|{number}"), "status": "success" });
        Told {
            id: format!("evt_{number}"),
            body: json!({ "type": "operation.succeeded", "data": data }),
            is_signed: true,
            is_accepted: true,
            at: Instant::now(),
        }
    }

    #[tokio::test]
    async fn what_was_told_is_compared_with_what_happened() {
        let receiver = Receiver::start().await.unwrap();
        let wrong = |change: fn(&mut Vec<Told>)| {
            let mut book = vec![told(1), told(2), told(1)];
            change(&mut book);
            locked(&receiver.book).told = book;
            receiver
                .compare(&[event(1), event(2)], &[event(1), event(2)])
                .len()
        };
        assert_eq!(wrong(|_| ()), 0);
        assert_eq!(wrong(|book| book[1].is_signed = false), 2);
        assert_eq!(wrong(|book| book[1].is_accepted = false), 1);
        assert_eq!(wrong(|book| drop(book.remove(1))), 1);
        assert_eq!(wrong(|book| book.push(told(3))), 1);
        assert_eq!(
            wrong(|book| book[2].body["type"] = json!("operation.failed")),
            1
        );
        assert_eq!(
            wrong(|book| book[2].body["data"]["status"] = json!("failed")),
            1
        );
        assert_eq!(
            wrong(|book| book[2].body["data"]["tracking_id"] = json!("other")),
            1
        );
        // The second one was accepted first.
        assert_eq!(wrong(|book| book[0].is_accepted = false), 1);
    }

    #[tokio::test]
    async fn a_failure_counts_as_read_after_an_accepted_delivery() {
        let receiver = Receiver::start().await.unwrap();
        let id = OperationId(uuid::Uuid::from_u128(7));
        let failures = |change: fn(&mut Told)| {
            let mut told = told(1);
            told.body["type"] = json!("operation.failed");
            told.body["data"]["tracking_id"] = json!(format!("CLIENT_UPDATE|{}", id.0));
            change(&mut told);
            locked(&receiver.book).told = vec![told];
            let ids = receiver.failures().into_iter().map(|(id, _)| id);
            ids.collect::<Vec<_>>()
        };
        assert_eq!(failures(|_| ()), [id]);
        assert_eq!(failures(|told| told.is_accepted = false), []);
        assert_eq!(
            failures(|told| told.body["type"] = json!("operation.succeeded")),
            []
        );
    }
}
