//! Probing whether Fineract honours idempotency keys, by a command that it must refuse.

use std::time::{Duration, Instant};

use super::{
    blocked::Part,
    deps::Deps,
    keys::{GOOD_FOR, LOOKED_FOR_AGAIN, Trust},
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

/// Why operations of a kind wait: Fineract ignores their keys.
pub(super) const NOT_HONOURED: &str = "keys_not_honoured";

/// How soon it is asked again, over all gateways, whether keys are honoured that were not: a mended server is noticed
/// without a restart.
const ASKED_AGAIN: Duration = Duration::from_secs(5);

/// For how long it is believed that they are not, where nothing can be asked and processes cannot be told apart.
const BELIEVED: Duration = Duration::from_mins(10);

/// What asking has told, and on which lane.
type Told = (ProbeVerdict, Option<String>);

/// Why nothing of a kind may be sent now.
#[derive(Debug)]
pub(super) enum Doubt {
    /// Its keys are not honoured.
    NotHonoured,
    /// Another gateway is asking.
    BeingAsked,
    /// Fineract could not be asked.
    Unread(ReadFailure),
    /// The database could not be asked.
    Database(StoreError),
}

impl From<StoreError> for Doubt {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for Doubt {
    fn from(failure: Failure) -> Self {
        Self::Unread(ReadFailure::NoAnswer(failure))
    }
}

/// Has operations wait whose keys are ignored, and raises the alarm.
pub(super) fn block_keys(deps: &Deps, kind: FineractCommand) {
    if deps.keys.note_blocked(kind) {
        count_alarm(NOT_HONOURED);
        tracing::error!(
            alarm = NOT_HONOURED,
            command = kind.probe_name(),
            "Fineract ignores the keys of a kind of command: sent again, it would be carried out again"
        );
        gauge(kind).set(1);
    }
    for operation_type in kind.types_probed() {
        deps.blocked.block(Part::Type(operation_type), NOT_HONOURED);
    }
}

/// Lets them go on.
pub(super) fn open_keys(deps: &Deps, kind: FineractCommand) {
    if deps.keys.note_open(kind) {
        tracing::info!(command = kind.probe_name(), "Fineract honours keys again");
        gauge(kind).set(0);
        for operation_type in kind.types_probed() {
            deps.blocked.open(&Part::Type(operation_type));
        }
    }
}

/// Asks about a kind's keys, unless another has by now: the database, then Fineract.
pub(super) async fn ask_about_keys(
    deps: &Deps,
    kind: FineractCommand,
    since: Instant,
) -> Result<Trust, Doubt> {
    let _asking = deps.keys.asking.lock().await;
    if !deps.keys.has_looked(since) {
        let looked_at = Instant::now();
        deps.keys
            .note_process(deps.fineract.process().await?, looked_at);
    }
    let last_failure = deps.fineract.last_failure();
    if let Some(trust) = deps.keys.in_force(kind, Some(since), last_failure) {
        return Ok(trust);
    }
    let last = deps.store.key_verdict(kind).await?;
    let process = deps.keys.process();
    let is_same = last.process_start == process.as_ref().map(|process| process.start.clone())
        && last.header == deps.fineract.key_header();
    // Where processes cannot be told apart, only what was asked since the last failure counts.
    let is_fresh =
        is_same && (process.is_some() || last_failure.is_none_or(|at| last.age < at.elapsed()));
    match (last.honoured, GOOD_FOR.checked_sub(last.age)) {
        (Some(true), Some(good_for)) if is_fresh => {
            let trust = Trust::Honoured(last.honoured_for);
            deps.keys.note(kind, trust, good_for);
            return Ok(trust);
        }
        (Some(false), _) if is_same && last.age < ASKED_AGAIN => {
            return Err(Doubt::NotHonoured);
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
        return Err(Doubt::BeingAsked);
    }
    let trust = match probe_keys(deps, kind, last.subject.as_deref()).await {
        Ok((ProbeVerdict::Inconclusive, _)) => kept(&last, is_same),
        Ok((said, subject)) => return write_verdict(deps, kind, said, subject, process).await,
        Err(doubt) => Err(doubt),
    };
    deps.store.end_key_probe(kind).await?;
    let trust = trust?;
    let good_for = match trust {
        Trust::Honoured(_) => GOOD_FOR,
        Trust::Unproven => LOOKED_FOR_AGAIN,
    };
    deps.keys.note(kind, trust, good_for);
    Ok(trust)
}

/// Tries a command that must be refused, on one thing after the other until the answers say something.
async fn probe_keys(
    deps: &Deps,
    kind: FineractCommand,
    last_time: Option<&str>,
) -> Result<Told, Doubt> {
    let left_by = match kind.subject() {
        ProbeSubject::Nothing => return Ok((try_on(deps, kind, 0).await?, None)),
        ProbeSubject::Client => &[OperationType::ClientCreate, OperationType::ClientUpdate],
        ProbeSubject::Loan { left_by, .. } => left_by,
    };
    for subject in deps.store.numbered(left_by, last_time).await? {
        if is_fit(deps, kind, &subject).await? {
            let said = try_on(deps, kind, subject.number).await?;
            if said != ProbeVerdict::Inconclusive {
                return Ok((said, Some(subject.lane)));
            }
        }
    }
    Ok((ProbeVerdict::Inconclusive, None))
}

/// Whether that is still ours, and in a state that forbids the command.
async fn is_fit(deps: &Deps, kind: FineractCommand, subject: &Numbered) -> Result<bool, Doubt> {
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
        Ok(facts) => Ok(forbids(kind, &facts, &subject.lane)),
        Err(ReadFailure::Unreadable(_) | ReadFailure::Missing(_)) => Ok(false),
        Err(ReadFailure::Refused(answer)) if !is_outage(&answer) => Ok(false),
        Err(failure) => Err(Doubt::Unread(failure)),
    }
}

async fn try_on(deps: &Deps, kind: FineractCommand, number: i64) -> Result<ProbeVerdict, Doubt> {
    let (said, answer) = deps.fineract.probe_key(kind, number).await?;
    // The command itself would get the same: it waits for the same reason.
    if said == ProbeVerdict::Inconclusive && is_outage(&answer) {
        return Err(Doubt::Unread(ReadFailure::Refused(answer)));
    }
    Ok(said)
}

pub(super) async fn write_verdict(
    deps: &Deps,
    kind: FineractCommand,
    said: ProbeVerdict,
    subject: Option<String>,
    process: Option<Process>,
) -> Result<Trust, Doubt> {
    let honoured = said == ProbeVerdict::Honoured;
    // Before anybody can read it: nothing more of that kind goes out.
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
        return Err(Doubt::NotHonoured);
    }
    let trust = Trust::Honoured(honoured_for);
    deps.keys.note(kind, trust, GOOD_FOR);
    Ok(trust)
}

/// What a probe leaves that says nothing: the last verdict, if it is about the same process. Where processes cannot
/// be told apart, a bad one ends by itself: nothing else would find out that it was mended.
fn kept(last: &KeyVerdict, is_same: bool) -> Result<Trust, Doubt> {
    let is_named = last.process_start.is_some();
    match last.honoured {
        Some(false) if is_same && (is_named || last.age < BELIEVED) => Err(Doubt::NotHonoured),
        Some(true) if is_same => Ok(Trust::Honoured(last.honoured_for)),
        Some(_) | None => Ok(Trust::Unproven),
    }
}

fn forbids(kind: FineractCommand, facts: &Facts, lane: &str) -> bool {
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

/// Whether it is not about the command at all. A 500 is about the client or loan: another one is tried.
fn is_outage(answer: &Answer) -> bool {
    matches!(answer.status, 300..=399 | 401 | 429 | 502..=504)
}

fn gauge(kind: FineractCommand) -> metrics::Gauge {
    metrics::gauge!("gateway_keys_not_honoured", "command" => kind.probe_name())
}
