//! Checks whether Fineract still has our books, which are the books in which this database's numbers are valid.
//!
//! After a restore of Fineract, our numbers may refer to other clients and loans. The same happens if the configured
//! address leads to another server, even if no setting was changed. To detect both, the gateway reads by number the
//! clients that it created last. In our books these clients still exist, because Fineract refuses to delete an active
//! client.

use std::time::{Duration, Instant};

use super::{
    backoff,
    books::{CHECK_EVERY, VALID_FOR},
    deps::Deps,
    known_numbers::{BooksStatus, read_known},
    outcome::{postpone, retry, same_key_or_park},
};
use crate::{
    domain::{Outcome, ReferentKind},
    store::{Claimed, StoreError},
    telemetry::{chain, metrics::count_alarm},
};

/// Reason code while Fineract has other books than ours.
pub(super) const ANOTHER_FINERACT: &str = "another_fineract";

/// Reason code while the gateway cannot determine whether Fineract has our books.
const UNREAD: &str = "books_unread";

/// How many of our newest clients one check reads.
const NEWEST: i64 = 5;

/// The shortest time between an inconclusive check and the next one, if no operation needs the result.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How many Fineract processes the gateway remembers at most.
const MAX_PROCESSES: usize = 32;

/// Ensures, before a command is sent, that Fineract still has our books. Reads Fineract only if the last check is
/// no longer valid. `Err`: do not send now.
pub(super) async fn check_books(deps: &Deps, claimed: &Claimed) -> Result<(), Outcome> {
    if deps.books.lock().is_current(deps.fineract.last_failure()) {
        return Ok(());
    }
    let _turn = deps.books.turn.lock().await;
    let state = deps.books.lock().clone();
    if state.is_current(deps.fineract.last_failure()) {
        return Ok(());
    }
    let last_failure = deps.fineract.last_failure();
    let process = recent_fineract_process(deps).await;
    let is_known = state.knows_process(process.as_ref());
    let is_due = state.foreign_in.is_some()
        || state.checked_at.is_none_or(|at| at.elapsed() >= CHECK_EVERY)
        || (process.is_some() && !is_known)
        // If Fineract does not show which process answers, the gateway reads the books after each failed call, at
        // most once in `VALID_FOR`.
        || (process.is_none()
            && state.last_failure != last_failure
            && !state.has_just_been_read());
    if !is_due {
        let mut state = deps.books.lock();
        state.process_read_at = Some(Instant::now());
        // If the process is unknown, another process may have answered since the failure. Leave the older
        // `last_failure` in place, so that the books are read again after `VALID_FOR`.
        if process.is_some() {
            state.last_failure = last_failure;
        }
        return Ok(());
    }
    require_own_books(deps, claimed, process).await
}

/// Ensures that Fineract still has our books, before the gateway believes that a client or loan with a known number
/// is missing. `Err`: do not conclude anything now.
pub(super) async fn check_books_before_absence(
    deps: &Deps,
    claimed: &Claimed,
    is_number_known: bool,
) -> Result<(), Outcome> {
    if !is_number_known {
        return Ok(());
    }
    let _turn = deps.books.turn.lock().await;
    let state = deps.books.lock().clone();
    let process = fineract_process(deps).await;
    let is_known = state.knows_process(process.as_ref());
    let was_read_moments_ago = state.has_read_any
        && state
            .checked_at
            .is_some_and(|at| at.elapsed() < RETRY_AFTER);
    match (state.has_just_been_read(), is_known, &process) {
        (true, true, _) if state.foreign_in.is_none() => Ok(()),
        (true, false, None) if was_read_moments_ago => {
            let delay = backoff::delay(claimed.retrying_for, Some(RETRY_AFTER));
            Err(postpone(UNREAD, delay))
        }
        (true | false, _, _) => require_own_books(deps, claimed, process).await,
    }
}

/// Checks the books before a claim in the two situations in which no operation causes a check: at the start, and
/// while Fineract has other books than ours. Returns whether operations may be claimed.
pub(super) async fn check_books_before_claim(deps: &Deps) -> bool {
    let state = deps.books.lock().clone();
    let attempted_within = |time| state.attempted_at.is_some_and(|at| at.elapsed() < time);
    let is_due = match state.foreign_in {
        Some(epoch) => {
            let is_over = deps.store.epoch().await.is_ok_and(|now| now != epoch);
            is_over || !attempted_within(VALID_FOR)
        }
        None => state.checked_at.is_none() && !attempted_within(RETRY_AFTER),
    };
    if is_due && let Ok(_turn) = deps.books.turn.try_lock() {
        read_and_note_books(deps, None).await;
    }
    deps.books.lock().foreign_in.is_none()
}

/// Checks the books for an operation. `Err`: the operation has to wait, or is parked because it has waited for too
/// long.
async fn require_own_books(
    deps: &Deps,
    claimed: &Claimed,
    process: Option<String>,
) -> Result<(), Outcome> {
    match read_and_note_books(deps, process).await {
        BooksStatus::Ours => Ok(()),
        BooksStatus::Foreign => Err(retry(claimed, ANOTHER_FINERACT, None)),
        BooksStatus::Unknown => Err(same_key_or_park(deps, claimed, UNREAD, true, None)),
    }
}

/// Reads our newest clients by number, and notes the result.
async fn read_and_note_books(deps: &Deps, process: Option<String>) -> BooksStatus {
    let last_failure = deps.fineract.last_failure();
    deps.books.lock().attempted_at = Some(Instant::now());
    let (epoch, has_read_any, status) = match read_books(deps).await {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "the numbers that identify Fineract's books could not be read from the database; the books are not checked");
            return BooksStatus::Unknown;
        }
    };
    let now = Instant::now();
    let mut state = deps.books.lock();
    match status {
        BooksStatus::Ours => {
            (state.checked_at, state.has_read_any) = (Some(now), has_read_any);
            state.epoch = Some(epoch);
            state.process_read_at = Some(now);
            state.last_failure = last_failure;
            if let Some(process) = process.filter(|process| !state.processes.contains(process)) {
                if state.processes.len() >= MAX_PROCESSES {
                    state.processes.remove(0);
                }
                state.processes.push(process);
            }
            if state.foreign_in.take().is_some() {
                deps.circuit_breaker.end_forced_open();
            }
        }
        BooksStatus::Foreign => {
            // Forget all processes: a process that had our books before may have the foreign books now.
            state.processes.clear();
            if state.foreign_in.replace(epoch).is_none() {
                count_alarm(ANOTHER_FINERACT);
                deps.circuit_breaker.force_open(ANOTHER_FINERACT);
            }
        }
        BooksStatus::Unknown => {}
    }
    status
}

/// Reads the books. Returns the current epoch, whether there was any client or loan to read, and whose books
/// Fineract has.
async fn read_books(deps: &Deps) -> Result<(i32, bool, BooksStatus), StoreError> {
    let epoch = deps.store.epoch().await?;
    let clients = deps.store.newest_clients(NEWEST).await?;
    let (kind, known) = if clients.is_empty() {
        (ReferentKind::Loan, deps.store.newest_loans(NEWEST).await?)
    } else {
        (ReferentKind::Client, clients)
    };
    let read = read_known(deps, kind, &known).await?;
    let status = read.status(known.len());
    if status != BooksStatus::Foreign {
        for (lane, number) in read.wrong {
            count_alarm("client_not_there");
            tracing::error!(
                alarm = "client_not_there",
                fineract.number = number,
                kind = lane.split(':').next(),
                "Fineract does not show one of our clients or loans under its number"
            );
        }
    }
    Ok((epoch, !known.is_empty(), status))
}

/// The start time of the Fineract process. This is the last value that was read, if it was read within the last
/// `VALID_FOR` and no call has failed since. Otherwise the start time is read now. Usually the check of keys has read
/// it already.
async fn recent_fineract_process(deps: &Deps) -> Option<String> {
    let since = Instant::now()
        .checked_sub(VALID_FOR)
        .max(deps.fineract.last_failure());
    if since.is_some_and(|since| deps.keys.has_read_process_since(since)) {
        return deps.keys.process().map(|process| process.start);
    }
    fineract_process(deps).await
}

/// The start time of the Fineract process that answers now, if Fineract shows it.
async fn fineract_process(deps: &Deps) -> Option<String> {
    let asked_at = Instant::now();
    let process = deps.fineract.process().await.ok()?;
    deps.keys.note_process(process.clone(), asked_at);
    process.map(|process| process.start)
}
