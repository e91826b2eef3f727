//! The webhooks of the callers: their endpoints, and what the receiver was told in a round.

use anyhow::{Context as _, bail};
use fineract_gateway::domain::OperationId;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::system::{BULK_CLIENT, System, TOKEN};

/// How often the creation of an endpoint is tried.
const TRIES: u32 = 20;

/// Creates an ordered endpoint of the caller and one of the bulk client, unless they are there.
pub(super) async fn create_endpoints(system: &System) -> anyhow::Result<()> {
    if system.receiver.is_known() {
        return Ok(());
    }
    create(system, "los", |request| {
        request.header("X-Internal-Token", TOKEN)
    })
    .await?;
    create(system, "bulk", |request| {
        let headers = BULK_CLIENT.iter();
        headers.fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
    })
    .await
}

/// Creates an endpoint. A try whose answer is lost may have created one, which then has a path that nobody knows.
async fn create(
    system: &System,
    owner: &str,
    identify: impl Fn(RequestBuilder) -> RequestBuilder,
) -> anyhow::Result<()> {
    let gateways = system.gateways.iter().cycle();
    for (number, gateway) in (0..TRIES).zip(gateways) {
        let path = format!("/{owner}-{number}");
        let body = json!({ "url": format!("{}{path}", system.receiver.url), "ordered": true });
        let url = format!("http://{}/webhooks/endpoints", gateway.address);
        let Ok(answer) = identify(system.http.post(url)).json(&body).send().await else {
            continue;
        };
        let created: Value = answer.error_for_status()?.json().await?;
        let secret = created
            .get("secret")
            .and_then(Value::as_str)
            .context("an endpoint without a key")?;
        system.receiver.expect(&path, secret);
        return Ok(());
    }
    bail!("no gateway creates an endpoint of webhooks")
}

/// Of which events the receiver must have been told.
#[derive(Debug)]
pub(super) struct Told {
    /// Of the events of these operations and of the batches with them.
    pub(super) operations: Vec<OperationId>,
    /// Those with larger numbers.
    pub(super) after: i64,
}

impl Told {
    /// Of all events of these operations.
    pub(super) const fn all_of(operations: Vec<OperationId>) -> Self {
        Self {
            operations,
            after: 0,
        }
    }
}

/// Waits until everything is delivered. Returns what the receiver was not told, or not told as it was.
pub(super) async fn wrongly_told(system: &System, told: &Told) -> anyhow::Result<Vec<String>> {
    let ids = &told.operations;
    system.oversight.end_webhook_leases().await?;
    let left = system.oversight.until_told().await?;
    let mut of_round = system.oversight.events(&[], ids).await?;
    of_round.retain(|event| event.number > told.after);
    let all = system
        .oversight
        .events(&system.receiver.numbers(), ids)
        .await?;
    let mut wrong = system.receiver.compare(&all, &of_round);
    if left > 0 {
        wrong.push(format!("{left} deliveries or endpoints are left"));
    }
    Ok(wrong)
}
