//! A sandbox that records which `traceparent` each request has.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{extract::Request, middleware::map_request};
use fineract_gateway::tls::http_client;
use fineract_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::serve::serve;

/// A request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    /// The method and the path without its query.
    pub(super) what: String,
    pub(super) traceparent: Option<String>,
}

/// A sandbox that listens. It ends with the runtime of its test.
pub(super) struct Fineract {
    address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Fineract {
    pub(super) async fn start() -> Self {
        let all = Arc::<Mutex<Vec<Arrived>>>::default();
        let arrived = Arc::clone(&all);
        let record = move |request: Request| {
            let traceparent = request.headers().get("traceparent");
            arrived.lock().expect("no panic").push(Arrived {
                what: format!("{} {}", request.method(), request.uri().path()),
                traceparent: traceparent.map(|value| value.to_str().expect("a text").to_owned()),
            });
            async { request }
        };
        let router = Sandbox::new().router().layer(map_request(record));
        Self {
            address: serve(router).await,
            arrived: all,
        }
    }

    /// The value for `FINERACT_URL`.
    pub(super) fn url(&self) -> String {
        format!("http://{}/fineract-provider/api/v1", self.address)
    }

    /// The requests for these resources that have arrived.
    pub(super) fn requests(&self, resource: &str) -> Vec<Arrived> {
        let arrived = self.arrived.lock().expect("no panic");
        let of_resource = arrived
            .iter()
            .filter(|request| request.what.ends_with(resource));
        of_resource.cloned().collect()
    }

    /// Answers the next creation of a loan with 502, although the loan is created.
    pub(super) async fn lose_an_answer(&self) {
        let matching = json!({ "method": "POST", "path": "/loans" });
        let fault: Value = json!([{ "match": matching, "fault": "status_502_after", "times": 1 }]);
        let client = http_client().build().expect("a client");
        let posted = client.post(format!("http://{}/sandbox/faults", self.address));
        let answer = posted.json(&fault).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}
