//! `webhooks listen`: sends each event to a URL of a developer, as the gateway would send a webhook.

use reqwest::header::HeaderMap;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::signal::ctrl_c;

use crate::{
    cli::{
        caller::Caller,
        connection::parse,
        feed::{Event, Feed},
        print::Printer,
    },
    store::EventType,
    webhooks::{Guard, Message, Receipt, Receiver, RefusedUrl, Secret, Sender, TIMEOUT},
};

/// The arguments of `webhooks listen`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// Send the events to this URL, such as `http://127.0.0.1:3000/hooks`.
    #[arg(long, value_name = "URL", value_parser = url)]
    forward_to: String,
    /// Send only events of these types, separated by commas.
    #[arg(
        long,
        value_name = "TYPES",
        value_delimiter = ',',
        value_parser = EventType::ALL.map(EventType::as_str)
    )]
    events: Vec<String>,
    /// Print the body of each event as well.
    #[arg(long)]
    print_json: bool,
}

/// The body of a webhook, with the gateway's own texts.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: &'a str,
    data: &'a RawValue,
}

fn url(text: &str) -> Result<String, RefusedUrl> {
    let checked = Guard::permissive().check(text);
    checked.map(|_| text.to_owned())
}

/// Prints the secret, and sends events until Ctrl-C or until the reader closes the pipe.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    tokio::select! {
        ended = listen(arguments) => ended,
        _ = ctrl_c() => Ok(()),
    }
}

async fn listen(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments {
        caller,
        forward_to: url,
        events: types,
        print_json,
    } = arguments;
    let sender = Sender::new(Guard::permissive(), TIMEOUT)?;
    let mut feed = Feed::begin(caller.connect()?, None).await?;
    let secret = Secret::random();
    let mut printer = Printer::default();
    printer.line(&format!("secret  {}", secret.reveal()))?;
    printer.line(&format!("events are sent to {url} until Ctrl-C"))?;
    let receiver = Receiver {
        url,
        headers: HeaderMap::new(),
        secrets: vec![secret],
    };
    while !printer.is_closed() {
        for event in feed.next().await? {
            let event: Event = parse(event.get())?;
            if !types.is_empty() && !types.contains(&event.r#type) {
                continue;
            }
            let body = serde_json::to_string(&Body {
                r#type: &event.r#type,
                timestamp: &event.timestamp,
                data: &event.data,
            })?;
            let message = Message {
                id: format!("evt_{}", event.number),
                body: body.clone(),
                trace_parent: None,
            };
            let receipt = sender.send(&receiver, message).await;
            printer.line(&format!("{}  {}", event.line(), outcome(&receipt)))?;
            if print_json {
                printer.line(&body)?;
            }
        }
    }
    Ok(())
}

/// What has become of a message, in a few words.
fn outcome(receipt: &Receipt) -> String {
    let took = receipt.took.as_millis();
    match (&receipt.error, receipt.status) {
        (Some(error), _) => format!("not delivered: {error}"),
        (None, status) => format!("{} after {took} ms", status.unwrap_or_default()),
    }
}
