//! What the gateway logs about requests.

use std::{
    io,
    sync::{Arc, Mutex},
};

use fineract_gateway::domain::End;
use serde_json::Value;
use sqlx::PgPool;
use tracing::Dispatch;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::support::{
    Answer, OPS_TOKEN, TOKEN, TestGateway,
    fixtures::client_create_with_contacts,
    operators::{Operator, uuid},
};

/// The log of this test only. The gateway runs on the thread of the test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self::Writer {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panicked").clone()).expect("a text")
    }

    /// The log lines with this request id.
    fn of(&self, request_id: &str) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"))
            .filter(|line| line.pointer("/span/request_id") == Some(&request_id.into()))
            .collect()
    }
}

#[sqlx::test]
async fn an_error_is_logged_once_with_its_cause_and_nobodys_data_ever(pool: PgPool) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new("trace,sqlx=off"))
        .with_writer(log.clone())
        .finish();
    // If the process has only one subscriber, tracing asks the thread that first reaches a log statement whether the
    // statement is of interest. The answer then applies to all threads. Threads of other tests have no subscriber and
    // answer no.
    let _second = Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway
        .accept(&client_create_with_contacts("INC-77001"))
        .await;
    let body = r#"{"secret":"of Fineract"}"#.to_owned();
    gateway
        .end_next(End::Succeeded {
            body,
            resource_id: fineract_gateway::domain::ResourceId::Unchanged,
        })
        .await;
    let path = format!("/fineract/track/{id}");
    Answer::of(gateway.get(&path)).await;
    let mut wrong = client_create_with_contacts("INC-77001");
    wrong["data"]["firstnam"] = "Jayesh".into();
    Answer::of(
        gateway
            .post("/fineract/operate", wrong.to_string())
            .header("X-Request-Id", "wrong"),
    )
    .await;
    let unsent = gateway
        .accept(&client_create_with_contacts("INC-77002"))
        .await;
    let operator = Operator::of(gateway.address);
    operator.inspect(&unsent).await;
    operator.act(&unsent, "cancel").await;
    pool.close().await;
    let path = format!("/fineract/track/{unsent}");
    Answer::of(gateway.get(&path).header("X-Request-Id", "failing")).await;

    let failing = log.of("failing");
    let errors: Vec<_> = failing
        .iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert_eq!(errors.len(), 1, "{failing:?}");
    assert_eq!(errors[0]["fields"]["code"], "database_unavailable");
    let cause = errors[0]["fields"]["cause"].as_str().unwrap();
    assert!(
        cause.starts_with(
            "the batch that contained this row failed: the database failed to read operations: "
        ),
        "{cause}"
    );
    assert_eq!(errors[0]["span"]["route"], "/fineract/track/{tracking_id}");
    assert_eq!(errors[0]["span"]["method"], "GET");
    assert_eq!(errors[0]["span"]["caller"], "los");
    let answered = failing
        .iter()
        .find(|line| line["fields"]["message"] == "answered")
        .unwrap();
    assert_eq!(answered["fields"]["status"], 503);
    assert!(answered["fields"]["duration_ms"].is_u64());
    let lines = log.of("request-1");
    let acted = lines
        .iter()
        .find(|line| line["fields"]["message"] == "an operator acted")
        .unwrap();
    assert_eq!(acted["fields"]["action"], "cancel");
    assert_eq!(acted["fields"]["operation.id"], *uuid(&unsent).to_string());
    assert_eq!(acted["span"]["caller"], "admin");
    assert!(log.of("wrong").iter().all(|line| line["level"] != "ERROR"));
    for data in [
        "Jayesh",
        "Badgujar",
        "INC-7700",
        "9966999999",
        "@example.com",
        "of Fineract",
        TOKEN,
        OPS_TOKEN,
    ] {
        assert!(!log.text().contains(data), "{data} is in the log");
    }
}
