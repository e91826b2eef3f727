//! The key probe: to find out whether Fineract honours idempotency keys, the gateway sends a command that Fineract
//! must refuse.

use std::time::{Duration, Instant};

use super::{
    blocked::BlockedScope,
    deps::Deps,
    keys::{Trust, UNPROVEN_VALID_FOR, VERDICT_VALID_FOR},
};
use crate::{
    domain::{
        Answer, Facts, Failure, FineractCommand, Lane, OperationType, ProbeSubject, ProbeVerdict,
        Reads,
    },
    fineract::{Process, ReadFailure},
    store::{KeyVerdict, NewKeyVerdict, Numbered, StoreError},
    telemetry::metrics::count_alarm,
};

/// Reason code of operations whose keys Fineract ignores.
pub(super) const NOT_HONOURED: &str = "keys_not_honoured";

/// The shortest time between two probes, counted over all gateways, after a probe has found that Fineract ignores
/// keys. The gateway repeats the probe to notice, without a restart of its own, that the server was repaired.
const REPROBE_AFTER: Duration = Duration::from_secs(5);

/// How long the verdict "not honoured" is valid if no probe is possible and processes cannot be told apart.
const UNNAMED_VERDICT_VALID_FOR: Duration = Duration::from_mins(10);

/// The result of a probe, and the lane whose client or loan it used.
type ProbeResult = (ProbeVerdict, Option<String>);

/// Why no command of this kind may be sent now.
#[derive(Debug)]
pub(super) enum KeyTrustError {
    /// Fineract does not honour the keys of this kind of command.
    NotHonoured,
    /// Another gateway runs the probe.
    ProbedElsewhere,
    /// Fineract could not be read.
    Fineract(ReadFailure),
    /// The database could not be read.
    Database(StoreError),
}

impl From<StoreError> for KeyTrustError {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for KeyTrustError {
    fn from(failure: Failure) -> Self {
        Self::Fineract(ReadFailure::NoAnswer(failure))
    }
}

/// Finds out whether keys of a kind of command are honoured: from the cache (another task may have filled it while
/// this task waited for its turn), otherwise from the verdict in the database, otherwise by a probe.
pub(super) async fn verify_keys(
    deps: &Deps,
    kind: FineractCommand,
    since: Instant,
) -> Result<Trust, KeyTrustError> {
    let _turn = deps.keys.verifying.lock().await;
    if !deps.keys.has_read_process_since(since) {
        let process_read_at = Instant::now();
        deps.keys
            .note_process(deps.fineract.process().await?, process_read_at);
    }
    let last_failure = deps.fineract.last_failure();
    if let Some(trust) = deps.keys.current_trust(kind, Some(since), last_failure) {
        return Ok(trust);
    }
    let last = deps.store.key_verdict(kind).await?;
    let process = deps.keys.process();
    let is_same = last.process_start == process.as_ref().map(|process| process.start.clone())
        && last.header == deps.fineract.key_header();
    // If processes of Fineract cannot be told apart, a verdict counts only if it is newer than the last failed call.
    let is_fresh =
        is_same && (process.is_some() || last_failure.is_none_or(|at| last.age < at.elapsed()));
    match (last.honoured, VERDICT_VALID_FOR.checked_sub(last.age)) {
        (Some(true), Some(valid_for)) if is_fresh => {
            let trust = Trust::Honoured(last.honoured_for);
            deps.keys.note_trust(kind, trust, valid_for);
            return Ok(trust);
        }
        (Some(false), _) if is_same && last.age < REPROBE_AFTER => {
            return Err(KeyTrustError::NotHonoured);
        }
        (Some(_) | None, _) => {}
    }
    let start = process.as_ref().map(|process| process.start.as_str());
    let lease = deps.settings.lease;
    if !deps
        .store
        .begin_key_probe(kind, start, deps.fineract.key_header(), lease)
        .await?
    {
        return Err(KeyTrustError::ProbedElsewhere);
    }
    let trust = match probe_keys(deps, kind, last.subject.as_deref()).await {
        Ok((ProbeVerdict::Inconclusive, _)) => trust_last_verdict(&last, is_same),
        Ok((result, subject)) => return write_verdict(deps, kind, result, subject, process).await,
        Err(error) => Err(error),
    };
    deps.store.end_key_probe(kind).await?;
    let trust = trust?;
    let valid_for = match trust {
        Trust::Honoured(_) => VERDICT_VALID_FOR,
        Trust::Unproven => UNPROVEN_VALID_FOR,
    };
    deps.keys.note_trust(kind, trust, valid_for);
    Ok(trust)
}

/// Writes a verdict on the keys of a kind of command to the database and to the cache.
pub(super) async fn write_verdict(
    deps: &Deps,
    kind: FineractCommand,
    result: ProbeVerdict,
    subject: Option<String>,
    process: Option<Process>,
) -> Result<Trust, KeyTrustError> {
    let honoured = result == ProbeVerdict::Honoured;
    // Block this kind of command before any other gateway can read the verdict, so that nothing more is sent.
    if !honoured {
        block_keys(deps, kind);
    }
    let honoured_for = deps
        .store
        .write_key_verdict(NewKeyVerdict {
            kind,
            honoured,
            up_for: process
                .as_ref()
                .map_or(Duration::ZERO, |process| process.up_for),
            process_start: process.map(|process| process.start),
            header: deps.fineract.key_header().to_owned(),
            subject,
        })
        .await?;
    if !honoured {
        return Err(KeyTrustError::NotHonoured);
    }
    let trust = Trust::Honoured(honoured_for);
    deps.keys.note_trust(kind, trust, VERDICT_VALID_FOR);
    Ok(trust)
}

/// Blocks the operations whose keys Fineract ignores, and raises the alarm.
pub(super) fn block_keys(deps: &Deps, kind: FineractCommand) {
    if deps.keys.note_blocked(kind) {
        count_alarm(NOT_HONOURED);
        tracing::error!(
            alarm = NOT_HONOURED,
            command = kind.probe_name(),
            "Fineract ignores idempotency keys for this kind of command and would execute a repeated command twice; operations that send such commands wait"
        );
        gauge(kind).set(1);
    }
    for operation_type in kind.types_probed() {
        deps.blocked
            .block(BlockedScope::Type(operation_type), NOT_HONOURED);
    }
}

/// Unblocks the operations of a kind of command when Fineract honours their keys again.
pub(super) fn unblock_keys(deps: &Deps, kind: FineractCommand) {
    if deps.keys.note_unblocked(kind) {
        tracing::info!(
            command = kind.probe_name(),
            "Fineract honours idempotency keys for this kind of command again; operations that send such commands continue"
        );
        gauge(kind).set(0);
        for operation_type in kind.types_probed() {
            deps.blocked.unblock(&BlockedScope::Type(operation_type));
        }
    }
}

/// What to trust after an inconclusive probe. The last verdict remains valid if it is about the same process of
/// Fineract; otherwise the keys are unproven. If processes cannot be told apart, the verdict "not honoured" expires,
/// because nothing else would show that the server was repaired.
fn trust_last_verdict(last: &KeyVerdict, is_same: bool) -> Result<Trust, KeyTrustError> {
    let is_process_known = last.process_start.is_some();
    match last.honoured {
        Some(false) if is_same && (is_process_known || last.age < UNNAMED_VERDICT_VALID_FOR) => {
            Err(KeyTrustError::NotHonoured)
        }
        Some(true) if is_same => Ok(Trust::Honoured(last.honoured_for)),
        Some(_) | None => Ok(Trust::Unproven),
    }
}

/// Runs the probe on one client or loan after another, until the answers are conclusive.
async fn probe_keys(
    deps: &Deps,
    kind: FineractCommand,
    last_subject: Option<&str>,
) -> Result<ProbeResult, KeyTrustError> {
    let creating_types = match kind.subject() {
        ProbeSubject::Nothing => return Ok((probe_on(deps, kind, 0).await?, None)),
        ProbeSubject::Client => &[OperationType::ClientCreate, OperationType::ClientUpdate],
        ProbeSubject::Loan { left_by, .. } => left_by,
    };
    for subject in deps.store.numbered(creating_types, last_subject).await? {
        if is_suitable(deps, kind, &subject).await? {
            let result = probe_on(deps, kind, subject.number).await?;
            if result != ProbeVerdict::Inconclusive {
                return Ok((result, Some(subject.lane)));
            }
        }
    }
    Ok((ProbeVerdict::Inconclusive, None))
}

/// Whether the client or loan is fit for the probe. Its number must still belong to the external id of the lane. A
/// loan must also be in a state in which Fineract refuses the command.
async fn is_suitable(
    deps: &Deps,
    kind: FineractCommand,
    subject: &Numbered,
) -> Result<bool, KeyTrustError> {
    let Some((_, external_id)) = subject.lane.split_once(':') else {
        return Ok(false);
    };
    let (external_id, number) = (Some(external_id.to_owned()), Some(subject.number));
    let reads = match kind.subject() {
        ProbeSubject::Nothing => return Ok(false),
        ProbeSubject::Client => Reads {
            client: external_id,
            client_id: number,
            ..Reads::default()
        },
        ProbeSubject::Loan { .. } => Reads {
            loan: external_id,
            loan_id: number,
            ..Reads::default()
        },
    };
    match deps.fineract.look_up(&reads, true).await {
        Ok(facts) => Ok(must_refuse(kind, &facts, &subject.lane)),
        Err(ReadFailure::Unreadable(_) | ReadFailure::Missing(_)) => Ok(false),
        Err(ReadFailure::Refused(answer)) if !is_outage(&answer) => Ok(false),
        Err(failure) => Err(KeyTrustError::Fineract(failure)),
    }
}

fn must_refuse(kind: FineractCommand, facts: &Facts, lane: &str) -> bool {
    match kind.subject() {
        ProbeSubject::Nothing => false,
        ProbeSubject::Client => facts.client.as_ref().is_some_and(|client| {
            let name = client.external_id.as_deref();
            name.is_some_and(|name| Lane::client(name).as_str() == lane)
        }),
        ProbeSubject::Loan { states, .. } => facts.loan.as_ref().is_some_and(|loan| {
            let name = loan.external_id.as_deref();
            name.is_some_and(|name| Lane::loan(name).as_str() == lane)
                && states.contains(&loan.status.id)
        }),
    }
}

/// Sends the probe command to the client or loan with this number.
async fn probe_on(
    deps: &Deps,
    kind: FineractCommand,
    number: i64,
) -> Result<ProbeVerdict, KeyTrustError> {
    let (result, answer) = deps.fineract.probe_key(kind, number).await?;
    // The operation's own command would get the same answer, so the operation waits as if its own command had received
    // this answer.
    if result == ProbeVerdict::Inconclusive && is_outage(&answer) {
        return Err(KeyTrustError::Fineract(ReadFailure::Refused(answer)));
    }
    Ok(result)
}

/// Whether the answer means that Fineract is unavailable or rejects every request. Such an answer says nothing
/// about this command. A 500 is different: it concerns this client or loan, so the gateway tries the next one.
fn is_outage(answer: &Answer) -> bool {
    matches!(answer.status, 300..=399 | 401 | 429 | 502..=504)
}

fn gauge(kind: FineractCommand) -> metrics::Gauge {
    metrics::gauge!("gateway_keys_not_honoured", "command" => kind.probe_name())
}
