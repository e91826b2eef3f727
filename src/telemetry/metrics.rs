//! The numbers of `GET /metrics`. Each is recorded where it arises; here stand their names, once.
//!
//! Labels hold types, states, statuses and stable codes: never a payload, a name or an external id.

use std::{sync::OnceLock, time::Duration};

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// From a commit to an operation that waited for hours.
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 300.0,
    3600.0,
];
/// Up to the largest batch.
const ROWS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

const KEEP_UP_EVERY: Duration = Duration::from_secs(5);

/// Lines of the log that were not written.
pub(super) const LOG_LINES_LOST: &str = "gateway_log_lines_lost_total";

/// One recorder for the process, also where tests run several gateways in one: their numbers add up.
static PROMETHEUS: OnceLock<PrometheusHandle> = OnceLock::new();

/// The process's numbers; the first call starts to count.
pub fn prometheus() -> &'static PrometheusHandle {
    PROMETHEUS.get_or_init(|| {
        let builder = with_buckets(PrometheusBuilder::new()).unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics have no buckets");
            PrometheusBuilder::new()
        });
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::error!("something in this process counts already: there are no metrics");
        }
        describe();
        handle
    })
}

/// Sorts what was measured into its buckets from time to time, for ever: without it, what nobody reads piles up.
pub async fn keep_up() {
    loop {
        tokio::time::sleep(KEEP_UP_EVERY).await;
        prometheus().run_upkeep();
    }
}

fn with_buckets(builder: PrometheusBuilder) -> Result<PrometheusBuilder, BuildError> {
    builder
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), &ROWS)
}

/// Counts an alarm: something that a person has to look at.
pub(crate) fn count_alarm(alarm: &'static str) {
    metrics::counter!("gateway_alarms_total", "alarm" => alarm).increment(1);
}

fn describe() {
    describe_counters();
    describe_gauges();
    describe_histograms();
}

fn describe_counters() {
    describe_counter!(
        "gateway_alarms_total",
        "What a person has to look at, by the alarm's name in the log."
    );
    describe_counter!(
        LOG_LINES_LOST,
        "Lines of the log that could not be written, or for which there was no room."
    );
    // What is counted from zero shows its first loss.
    metrics::counter!(LOG_LINES_LOST).absolute(0);
    describe_counter!(
        "gateway_operations_accepted_total",
        "Operations that were committed, by type."
    );
    describe_counter!(
        "gateway_operations_ended_total",
        "Operations that ended, by type and state."
    );
    describe_counter!(
        "gateway_attempts_total",
        "Attempts that were concluded, by what came back (an HTTP status, a failure, or nothing sent) and the state that it led to."
    );
    describe_counter!(
        "gateway_notifications_lost_total",
        "Ends that the other gateways were not told of: they find them by looking."
    );
}

fn describe_gauges() {
    describe_gauge!("gateway_backlog", "Operations that have not ended.");
    describe_gauge!(
        "gateway_parked",
        "Operations that only a person can decide."
    );
    describe_gauge!(
        "gateway_on_hold",
        "Operations on hold, with everything or each for itself."
    );
    describe_gauge!(
        "gateway_hold_all",
        "1 while everything is on hold, what is accepted too."
    );
    describe_gauge!(
        "gateway_oldest_transaction_seconds",
        "How long the oldest transaction in the database has been open, whoever's: until it ends, nothing that ended since is removed."
    );
    describe_gauge!(
        "gateway_in_flight",
        "Operations of this process, and reads for callers, that may be calling Fineract."
    );
    describe_gauge!(
        "gateway_in_flight_limit",
        "How many may; it follows what Fineract can do."
    );
    describe_gauge!(
        "gateway_fineract_blocked",
        "1 while nothing but a trial is sent, by reason."
    );
    describe_gauge!(
        "gateway_keys_not_honoured",
        "1 while operations wait because Fineract ignores the keys of a kind of command, by command."
    );
    describe_gauge!(
        "gateway_unwritten_answers",
        "What attempts came to, and is not written to the database yet."
    );
    describe_gauge!(
        "gateway_oldest_unwritten_answer_seconds",
        "How long the oldest of them has not been written."
    );
}

fn describe_histograms() {
    describe_histogram!(
        "gateway_accept_seconds",
        "From a checked request to its commit."
    );
    describe_histogram!(
        "gateway_operation_seconds",
        "From acceptance to the end, by type and state."
    );
    describe_histogram!(
        "gateway_fineract_call_seconds",
        "Calls to Fineract, by method, resource, command and result."
    );
    describe_histogram!(
        "gateway_batch_rows",
        "Rows of one commit, by what it writes: accept, attempt or complete."
    );
}
