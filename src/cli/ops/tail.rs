//! `ops tail`: prints each event as it happens. If the connection breaks, the command connects again and continues after
//! the last event that it printed.

use std::time::Duration;

use anyhow::ensure;
use reqwest::{Method, Response};
use serde::Deserialize;

use super::{
    filter::{self, Filter},
    gateway::Gateway,
};
use crate::cli::{
    connection::{Connection, parse},
    patience::{PAUSE, Patience},
    print::Printer,
};

/// The gateway sends a comment every 15 s. After this time without any byte, the connection is broken.
const SILENCE: Duration = Duration::from_secs(45);

/// The conditions by which events can be chosen.
const CONDITIONS: [&str; 5] = ["event", "type", "state", "lane", "batch"];

/// The arguments of `ops tail`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    gateway: Gateway,
    /// Print only events that meet these conditions: `event`, `type`, `state`, `lane`, `batch`.
    #[arg(long = "where", value_name = "CONDITIONS", value_parser = filter::parse)]
    filters: Vec<Filter>,
    /// Begin after the event with this number, instead of now.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// Print each event as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// The fields of an event: ids only.
#[derive(Deserialize)]
struct Event {
    r#type: String,
    timestamp: String,
    tracking_id: Option<String>,
    lane: Option<String>,
    state: Option<String>,
    batch_id: Option<String>,
}

/// The lines of the stream that belong to the message that is being read (Server-Sent Events).
#[derive(Debug, Default)]
struct Messages {
    rest: Vec<u8>,
    id: Option<String>,
    data: Vec<String>,
}

/// Prints events until the reader closes the pipe, or the gateway is away for a minute.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let filter = Filter::joined(&arguments.filters);
    for (name, _) in &filter.0 {
        ensure!(
            CONDITIONS.contains(&name.as_str()),
            "events have no {name}; they have {}",
            CONDITIONS.join(", ")
        );
    }
    let connection = arguments.gateway.connect()?;
    let mut printer = Printer::default();
    let mut last = arguments.after.map(|after| after.to_string());
    let mut patience = Patience::default();
    loop {
        match stream(&connection, last.as_deref()).await {
            Ok(mut response) => {
                patience.answered();
                let mut messages = Messages::default();
                while let Ok(Ok(Some(bytes))) =
                    tokio::time::timeout(SILENCE, response.chunk()).await
                {
                    for (id, data) in messages.read(&bytes) {
                        last = id.or(last);
                        print(&mut printer, &filter, &data, arguments.json)?;
                    }
                    if printer.is_closed() {
                        return Ok(true);
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => patience.pause_after(error).await?,
        }
    }
}

/// Opens the stream of events after the event with this number; without a number, from now on.
async fn stream(connection: &Connection, after: Option<&str>) -> anyhow::Result<Response> {
    let mut request = connection.request(Method::GET, "fineract/events");
    if let Some(after) = after {
        request = request.header("Last-Event-ID", after);
    }
    connection.send(request).await
}

fn print(printer: &mut Printer, filter: &Filter, data: &str, json: bool) -> anyhow::Result<()> {
    let event: Event = parse(data)?;
    if !event.meets(filter) {
        return Ok(());
    }
    let line = if json { data.to_owned() } else { event.line() };
    printer.line(&line)?;
    Ok(())
}

impl Event {
    fn meets(&self, filter: &Filter) -> bool {
        let operation_type = self
            .tracking_id
            .as_deref()
            .and_then(|id| id.split('|').next());
        filter.0.iter().all(|(name, value)| {
            let own = match name.as_str() {
                "event" => Some(self.r#type.as_str()),
                "type" => operation_type,
                "state" => self.state.as_deref(),
                "lane" => self.lane.as_deref(),
                _ => self.batch_id.as_deref(),
            };
            own == Some(value)
        })
    }

    fn line(&self) -> String {
        let subject = self.tracking_id.as_ref().or(self.batch_id.as_ref());
        format!(
            "{}  {:<20}  {}  {}",
            self.timestamp,
            self.r#type,
            subject.map_or("", String::as_str),
            self.lane.as_deref().unwrap_or_default(),
        )
    }
}

impl Messages {
    /// Adds bytes of the stream. Returns each message that they complete: its id, and its data.
    fn read(&mut self, bytes: &[u8]) -> Vec<(Option<String>, String)> {
        self.rest.extend_from_slice(bytes);
        let mut complete = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                if !data.is_empty() {
                    complete.push((self.id.clone(), data.join("\n")));
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data
                    .push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            } else if let Some(id) = line.strip_prefix("id:") {
                self.id = Some(id.trim().to_owned());
            }
        }
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_pieces() {
        let mut messages = Messages::default();
        assert_eq!(messages.read(b": still here\n\nid: 7\ndata: {\"a\""), []);
        assert_eq!(
            messages.read(b":1}\r\n\nevent: x\ndata: b\n"),
            [(Some("7".to_owned()), "{\"a\":1}".to_owned())]
        );
        assert_eq!(
            messages.read(b"data:c\n\n\n"),
            [(Some("7".to_owned()), "b\nc".to_owned())]
        );
    }
}
