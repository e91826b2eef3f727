//! `webhooks list`, `create`, `deliveries`, `resend` and `test`: one request each.

use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    cli::{
        caller::Caller,
        connection::{parse, segment},
        print::Printer,
    },
    store::DeliveryState,
};

/// The arguments that all these commands have.
#[derive(Debug, clap::Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    caller: Caller,
    /// Print the gateway's answer as JSON.
    #[arg(long)]
    json: bool,
}

/// The arguments of `webhooks create`.
#[derive(Debug, clap::Args)]
pub(super) struct CreateArguments {
    #[command(flatten)]
    common: ListArguments,
    /// Give the URL to which the gateway sends events.
    receiver: String,
    /// Send only events of these types, separated by commas.
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    events: Option<Vec<String>>,
    /// Describe the endpoint, for people.
    #[arg(long, default_value = "")]
    description: String,
    /// Send an event of a loan or client only after the one before it was delivered.
    #[arg(long)]
    ordered: bool,
    /// Send ids only.
    #[arg(long)]
    thin: bool,
}

/// The arguments of `webhooks deliveries`.
#[derive(Debug, clap::Args)]
pub(super) struct DeliveriesArguments {
    #[command(flatten)]
    common: ListArguments,
    /// List only the deliveries to the endpoint with this id.
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// List only the deliveries in this state.
    #[arg(long, value_parser = DeliveryState::ALL.map(DeliveryState::as_str))]
    state: Option<String>,
    /// List at most this number of deliveries, 1 to 500.
    #[arg(long, default_value_t = 100)]
    limit: u16,
}

/// The arguments of `webhooks resend` and `webhooks test`.
#[derive(Debug, clap::Args)]
pub(super) struct ActArguments {
    #[command(flatten)]
    common: ListArguments,
    /// Give the id of the delivery or the endpoint.
    id: String,
}

#[derive(Deserialize)]
struct Endpoints {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    id: String,
    url: String,
    event_types: Option<Vec<String>>,
    enabled: bool,
    disabled_because: Option<String>,
    secret: Option<String>,
}

#[derive(Deserialize)]
struct Deliveries {
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    id: i64,
    state: String,
    r#type: String,
    number: Option<i64>,
    tries: u32,
    created_at: String,
    status: Option<u16>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Sent {
    delivery_id: i64,
}

impl ListArguments {
    /// Prints an answer: as it is, or as these lines.
    fn print<T: DeserializeOwned>(
        &self,
        body: &str,
        lines: impl FnOnce(T) -> Vec<String>,
    ) -> anyhow::Result<()> {
        let lines = if self.json {
            vec![body.to_owned()]
        } else {
            lines(parse(body)?)
        };
        let mut printer = Printer::default();
        for line in lines {
            printer.line(&line)?;
        }
        Ok(())
    }
}

/// Lists the caller's endpoints.
pub(super) async fn list(arguments: ListArguments) -> anyhow::Result<()> {
    let connection = arguments.caller.connect()?;
    let body = connection.get("webhooks/endpoints", &[]).await?;
    arguments.print(&body, |Endpoints { endpoints }| {
        endpoints.iter().map(Endpoint::line).collect()
    })
}

/// Creates an endpoint.
pub(super) async fn create(arguments: CreateArguments) -> anyhow::Result<()> {
    let settings = json!({
        "url": arguments.receiver,
        "event_types": arguments.events,
        "description": arguments.description,
        "ordered": arguments.ordered,
        "thin": arguments.thin,
    });
    let connection = arguments.common.caller.connect()?;
    let body = connection.post("webhooks/endpoints", &settings).await?;
    arguments.common.print(&body, |endpoint: Endpoint| {
        let secret = endpoint.secret.iter();
        let secret = secret.map(|secret| format!("secret  {secret}"));
        std::iter::once(endpoint.line()).chain(secret).collect()
    })
}

/// Lists deliveries, the newest first.
pub(super) async fn deliveries(arguments: DeliveriesArguments) -> anyhow::Result<()> {
    let query = [
        ("endpoint_id", arguments.endpoint),
        ("state", arguments.state),
        ("limit", Some(arguments.limit.to_string())),
    ];
    let query = query.into_iter();
    let query: Vec<_> = query
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    let connection = arguments.common.caller.connect()?;
    let body = connection.get("webhooks/deliveries", &query).await?;
    arguments.common.print(&body, |Deliveries { deliveries }| {
        deliveries.iter().map(Delivery::line).collect()
    })
}

/// Sends a delivery again.
pub(super) async fn resend(arguments: ActArguments) -> anyhow::Result<()> {
    let path = format!("webhooks/deliveries/{}/resend", segment(&arguments.id));
    act(&arguments.common, &path).await
}

/// Sends a message to an endpoint, to try it.
pub(super) async fn test(arguments: ActArguments) -> anyhow::Result<()> {
    let path = format!("webhooks/endpoints/{}/test", segment(&arguments.id));
    act(&arguments.common, &path).await
}

async fn act(arguments: &ListArguments, path: &str) -> anyhow::Result<()> {
    let connection = arguments.caller.connect()?;
    let request = connection.request(Method::POST, path);
    let body = connection.answer(request).await?;
    arguments.print(&body, |Sent { delivery_id }| {
        vec![format!("delivery  {delivery_id}")]
    })
}

impl Endpoint {
    fn line(&self) -> String {
        let Self {
            id,
            url,
            event_types,
            enabled,
            disabled_because,
            ..
        } = self;
        let types = event_types.as_ref();
        let types = types.map_or_else(|| "all events".to_owned(), |types| types.join(","));
        let state = match disabled_because {
            Some(reason) => format!("disabled: {reason}"),
            None if *enabled => "enabled".to_owned(),
            None => "disabled".to_owned(),
        };
        format!("{id}  {url}  {types}  {state}")
    }
}

impl Delivery {
    fn line(&self) -> String {
        let Self {
            id,
            state,
            r#type: event_type,
            number,
            tries,
            created_at,
            status,
            error,
        } = self;
        let created_at = created_at.get(..19).unwrap_or(created_at);
        let event = number.map_or_else(|| "-".to_owned(), |number| format!("evt_{number}"));
        let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let error = error.as_deref().unwrap_or_default();
        format!(
            "{id}  {state:<9}  {created_at}  {event_type:<19}  {event}  try {tries}  {status}  {error}"
        )
    }
}
