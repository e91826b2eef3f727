//! A delivery that was tried, and what follows from it.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::schedule::{IN_TROUBLE, LONGEST, next_try, pause};
use crate::{
    domain::{OperationId, TraceParent, TrackingId},
    store::{Event, Try},
    traces::{Span, SpanKind, Trace},
    webhooks::{Message, Receipt, Receiver, Sender},
};

/// A delivery that begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) delivery: i64,
    /// How many tries have failed before.
    pub(super) failed_before: usize,
    /// Whether the endpoint was in trouble when the try began.
    pub(super) in_trouble: bool,
    /// The operation whose failure its reader knows when it has accepted the delivery.
    pub(super) failure: Option<OperationId>,
    pub(super) receiver: Arc<Receiver>,
}

/// A delivery that was tried.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) beginning: Beginning,
    pub(super) receipt: Receipt,
}

impl Beginning {
    /// Sends the message once. The span is that of this try.
    pub(super) async fn send(self, sender: Sender, message: Message, mut span: Span) -> Tried {
        let receipt = sender.send(&self.receiver, message).await;
        match receipt.status {
            Some(status) => span.set_status(status),
            None => span.fail("no_answer"),
        }
        drop(span);
        Tried {
            beginning: self,
            receipt,
        }
    }
}

impl Tried {
    /// What is recorded about it.
    pub(super) fn outcome(&self) -> Try {
        let receipt = &self.receipt;
        let next = || next_try(self.beginning.failed_before, receipt.retry_after);
        Try {
            delivery: self.beginning.delivery,
            took: receipt.took,
            status: receipt.status,
            response: receipt.response.clone(),
            error: receipt.error.clone(),
            next: (!receipt.is_delivered()).then(next).flatten(),
            is_gone: receipt.is_gone(),
        }
    }
}

/// Begins the span of a try to deliver this event. `caller`: the place of the operation's caller in its trace. The event of
/// a batch belongs to no trace.
pub(super) fn begin_span(endpoint: Uuid, event: &Event, caller: Option<TraceParent>) -> Span {
    let operation = event.operation.as_ref().and_then(|found| found.tracking_id);
    let Some(TrackingId { operation_type, id }) = operation else {
        return Span::default();
    };
    let trace = Trace {
        operation: id,
        caller,
    };
    let name = event.event_type.as_str();
    let mut span = trace.begin(SpanKind::Client, format_args!("webhook {name}"));
    span.set_text("operation.id", id);
    span.set("operation.type", operation_type.as_str());
    span.set_text("webhook.endpoint", endpoint);
    span.set("webhook.event", event.number);
    span
}

/// How many tries have failed in a row after these, which all failed, and how long nothing is sent then. `before`: how many
/// had failed when the endpoint was last read. Of the tries that were under way together, those after the fifth failure do
/// not count, so that a receiver that restarts is left alone for seconds and not for minutes.
pub(super) fn trouble(before: u32, tried: &[Tried]) -> (u32, Duration) {
    let count = |in_trouble| {
        let those = tried
            .iter()
            .filter(|tried| tried.beginning.in_trouble == in_trouble);
        u32::try_from(those.count()).unwrap_or(u32::MAX)
    };
    let most = before.max(IN_TROUBLE);
    let failures = before.saturating_add(count(false)).min(most);
    let failures = failures.saturating_add(count(true));
    let asked = tried.iter().filter_map(|tried| tried.receipt.retry_after);
    let asked = asked.max().unwrap_or_default().min(LONGEST);
    (failures, pause(failures).max(asked))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    fn failed(in_trouble: bool, retry_after: Option<u64>) -> Tried {
        let receiver = Receiver {
            url: String::new(),
            headers: HeaderMap::new(),
            secrets: Vec::new(),
        };
        Tried {
            beginning: Beginning {
                delivery: 1,
                failed_before: 0,
                in_trouble,
                failure: None,
                receiver: Arc::new(receiver),
            },
            receipt: Receipt {
                retry_after: retry_after.map(Duration::from_secs),
                ..Receipt::failed("in vain".to_owned())
            },
        }
    }

    #[test]
    fn many_failures_together_are_no_long_trouble() {
        let many = |count: usize, in_trouble| -> Vec<_> {
            (0..count).map(|_| failed(in_trouble, None)).collect()
        };
        for (before, tried, failures, seconds) in [
            (0, many(1, false), 1, 0),
            (0, many(100, false), 5, 5),
            (5, many(100, false), 5, 5),
            (5, many(1, true), 6, 10),
            (9, many(50, false), 9, 80),
            (30, many(1, true), 31, 300),
            (0, vec![failed(false, Some(60))], 1, 60),
            (0, vec![failed(false, Some(86_400))], 1, 300),
        ] {
            let expected = (failures, Duration::from_secs(seconds));
            assert_eq!(
                trouble(before, &tried),
                expected,
                "{before}, {}",
                tried.len()
            );
        }
    }
}
