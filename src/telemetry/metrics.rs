//! Names and describes all metrics of `GET /metrics`. Each metric is recorded by the code that it measures.
//!
//! Labels contain types, states, statuses and stable codes, but never a payload, a name or an external id.

use std::{sync::OnceLock, time::Duration};

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// The buckets of durations in seconds, for everything from a commit to an operation that waited for hours.
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 300.0,
    3600.0,
];
/// The buckets of row counts, up to the largest batch.
const ROWS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The counter of log lines that were not written.
pub(super) const LOG_LINES_LOST: &str = "gateway_log_lines_lost_total";

/// The recorder of the process. If a test runs several gateways in one process, their values add up.
static PROMETHEUS: OnceLock<PrometheusHandle> = OnceLock::new();

/// The metrics of the process. The first call installs the recorder.
pub fn prometheus() -> &'static PrometheusHandle {
    PROMETHEUS.get_or_init(|| {
        let builder = with_buckets(PrometheusBuilder::new()).unwrap_or_else(|error| {
            tracing::error!(%error, "cannot set the buckets of the metrics; histograms are reported as summaries");
            PrometheusBuilder::new()
        });
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::error!("this process already has a metrics recorder: /metrics will be empty");
        }
        describe();
        handle
    })
}

/// Runs until it is cancelled, and regularly sorts the recorded values into their buckets. Without this, the values
/// would accumulate in memory while nobody reads the metrics.
pub async fn run_upkeep() {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        prometheus().run_upkeep();
    }
}

fn with_buckets(builder: PrometheusBuilder) -> Result<PrometheusBuilder, BuildError> {
    builder
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), &ROWS)
}

/// Counts an alarm, which asks a person to look at something.
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
        "Alarms, each of which a person has to look at, by the alarm's name in the log."
    );
    describe_counter!(
        LOG_LINES_LOST,
        "Lines of the log that were lost, because they could not be written or the queue was full."
    );
    // Starting the counter at zero makes the first lost line visible.
    metrics::counter!(LOG_LINES_LOST).absolute(0);
    describe_counter!(
        "gateway_operations_accepted_total",
        "Operations that were accepted, by type."
    );
    describe_counter!(
        "gateway_operations_ended_total",
        "Operations that ended, by type and state."
    );
    describe_counter!(
        "gateway_attempts_total",
        "Completed attempts, by reply (an HTTP status, a failure, or nothing sent) and by the operation's next state."
    );
    describe_counter!(
        "gateway_notifications_lost_total",
        "Notifications of ended operations that were not sent to the other gateways, which find these ends by polling."
    );
}

fn describe_gauges() {
    describe_connections();
    describe_gauge!("gateway_backlog", "Operations that have not ended.");
    describe_gauge!(
        "gateway_parked",
        "Operations that are parked until a person decides."
    );
    describe_gauge!(
        "gateway_on_hold",
        "Operations on hold, individually or by hold-all."
    );
    describe_gauge!(
        "gateway_hold_all",
        "1 while everything is on hold, including newly accepted operations."
    );
    describe_gauge!(
        "gateway_oldest_transaction_seconds",
        "Age of the oldest open transaction in the database, of any session. Until it ends, Postgres cannot vacuum newer dead rows."
    );
    describe_gauge!(
        "gateway_events_unnumbered",
        "Events that have no number yet, so that nobody is told of them."
    );
    describe_gauge!(
        "gateway_oldest_unnumbered_event_seconds",
        "Age of the oldest event without a number."
    );
    describe_gauge!(
        "gateway_audit_unsealed",
        "Rows of the audit that no seal covers yet."
    );
    describe_gauge!(
        "gateway_oldest_unsealed_audit_seconds",
        "Age of the oldest row of the audit that no seal covers yet."
    );
    describe_gauge!(
        "gateway_in_flight",
        "Permits in use, by operations of this process and by reads for callers."
    );
    describe_gauge!(
        "gateway_in_flight_limit",
        "The concurrency limit: the number of permits, which adapts to what Fineract can handle."
    );
    describe_gauge!(
        "gateway_fineract_blocked",
        "1 while the circuit breaker is open and only trial operations are sent, by reason."
    );
    describe_gauge!(
        "gateway_keys_not_honoured",
        "1 while operations wait because Fineract does not honour the keys of a kind of command, by command."
    );
    describe_gauge!(
        "gateway_unwritten_answers",
        "Unwritten answers: conclusions of attempts that are not written to the database yet."
    );
    describe_gauge!(
        "gateway_oldest_unwritten_answer_seconds",
        "Age of the oldest unwritten answer."
    );
}

fn describe_connections() {
    describe_gauge!("gateway_connections", "Open connections of callers.");
    describe_counter!(
        "gateway_connections_refused_total",
        "Connections that were closed without an answer, by reason: in_all and per_address (too many), tls (no valid handshake in time), slow_head (the head of a request took too long)."
    );
    describe_gauge!(
        "gateway_tls_certificate_end_timestamp_seconds",
        "When the certificate of TLS_CERT_FILE, or the first one of its chain, ends, in seconds since 1970."
    );
    describe_gauge!(
        "gateway_tls_files_refused",
        "1 while the TLS files have changed but cannot be used, so that the old certificate stays in use."
    );
}

fn describe_histograms() {
    describe_histogram!(
        "gateway_accept_seconds",
        "Time from a checked request to its commit."
    );
    describe_histogram!(
        "gateway_operation_seconds",
        "Time from acceptance to the end of an operation, by type and state."
    );
    describe_histogram!(
        "gateway_fineract_call_seconds",
        "Duration of calls to Fineract, by method, resource, command and result."
    );
    describe_histogram!(
        "gateway_batch_rows",
        "Rows written by one group commit, by kind: accept, attempt or complete."
    );
}
