//! Whether Fineract's books are still those from which this database's numbers come.
//!
//! A restore of Fineract, or another server or tenant behind the same setting, gives our numbers to strangers. Its
//! newest clients of ours are read by number to see that: Fineract refuses to delete an active client.

use std::time::{Duration, Instant};

use super::{
    backoff,
    books::{DAILY, PAUSE},
    deps::Deps,
    known::{Standing, read_known},
    outcome::{passed_over, retry, same_key_or_park},
};
use crate::{
    domain::{Outcome, ReferentKind},
    store::{Claimed, StoreError},
    telemetry::{chain, metrics::count_alarm},
};

/// Why everything waits when the books are another Fineract's.
pub(super) const ANOTHER: &str = "another_fineract";

/// Why an operation waits until that is known.
const UNREAD: &str = "books_unread";

/// How many of the newest clients are looked at.
const NEWEST: i64 = 5;

/// How soon a look that told nothing is tried again by whoever has nothing to send.
const AGAIN: Duration = Duration::from_secs(5);

/// So many processes of Fineract are remembered at most.
const PROCESSES: usize = 32;

/// Makes sure, before anything is sent, that the books are still ours, as far as something has happened that
/// asks for a look. `Err`: it is not to be sent now.
pub(super) async fn check_books(deps: &Deps, claimed: &Claimed) -> Result<(), Outcome> {
    if deps.books.lock().is_current(deps.fineract.last_failure()) {
        return Ok(());
    }
    let _turn = deps.books.turn.lock().await;
    let seen = deps.books.lock().clone();
    if seen.is_current(deps.fineract.last_failure()) {
        return Ok(());
    }
    let last_failure = deps.fineract.last_failure();
    let process = process_of_late(deps).await;
    let is_known = seen.knows(process.as_ref());
    let is_due = seen.another_in.is_some()
        || seen.looked_at.is_none_or(|at| at.elapsed() >= DAILY)
        || (process.is_some() && !is_known)
        // Nothing says whether it is the same process: its books are looked at instead, now and then.
        || (process.is_none()
            && seen.last_failure != last_failure
            && !seen.has_just_read());
    if !is_due {
        let mut seen = deps.books.lock();
        seen.asked_at = Some(Instant::now());
        // Unnamed, it may be another one since then: that is looked at when the minute is over.
        if process.is_some() {
            seen.last_failure = last_failure;
        }
        return Ok(());
    }
    look_for(deps, claimed, process).await
}

/// Makes sure that the books are still ours before it is believed that something is not there whose number we
/// know. `Err`: nothing may be concluded from that now.
pub(super) async fn check_books_of_missing(
    deps: &Deps,
    claimed: &Claimed,
    is_number_known: bool,
) -> Result<(), Outcome> {
    if !is_number_known {
        return Ok(());
    }
    let _turn = deps.books.turn.lock().await;
    let seen = deps.books.lock().clone();
    let process = fineract_process(deps).await;
    let is_known = seen.knows(process.as_ref());
    let looks_too_often = seen.has_read && seen.looked_at.is_some_and(|at| at.elapsed() < AGAIN);
    match (seen.has_just_read(), is_known, &process) {
        (true, true, _) if seen.another_in.is_none() => Ok(()),
        (true, false, None) if looks_too_often => {
            let delay = backoff::delay(claimed.retrying_for, Some(AGAIN));
            Err(passed_over(UNREAD, delay))
        }
        (true | false, _, _) => look_for(deps, claimed, process).await,
    }
}

/// Which process of Fineract's answers now, as far as it shows that.
async fn fineract_process(deps: &Deps) -> Option<String> {
    let asked_at = Instant::now();
    let process = deps.fineract.process().await.ok()?;
    deps.keys.note_process(process.clone(), asked_at);
    process.map(|process| process.start)
}

/// The same of the last minute, unless a call has failed since: whoever asks about keys has mostly read it.
async fn process_of_late(deps: &Deps) -> Option<String> {
    let since = Instant::now()
        .checked_sub(PAUSE)
        .max(deps.fineract.last_failure());
    if since.is_some_and(|since| deps.keys.has_looked(since)) {
        return deps.keys.process().map(|process| process.start);
    }
    fineract_process(deps).await
}

/// Looks at the books for an operation. `Err`: it does not go on before them.
async fn look_for(deps: &Deps, claimed: &Claimed, process: Option<String>) -> Result<(), Outcome> {
    match look_at_books(deps, process).await {
        Standing::Ours => Ok(()),
        Standing::Another => Err(retry(claimed, ANOTHER, None)),
        Standing::Unread => Err(same_key_or_park(deps, claimed, UNREAD, true, None)),
    }
}

/// Looks at the books where that is due although nothing is to be sent: at the start, and while they are
/// another's. Whether anything may be claimed.
pub(super) async fn keep_books(deps: &Deps) -> bool {
    let seen = deps.books.lock().clone();
    let tried_within = |time| seen.tried_at.is_some_and(|at| at.elapsed() < time);
    let is_due = match seen.another_in {
        Some(epoch) => {
            let is_over = deps.store.epoch().await.is_ok_and(|now| now != epoch);
            is_over || !tried_within(PAUSE)
        }
        None => seen.looked_at.is_none() && !tried_within(AGAIN),
    };
    if is_due && let Ok(_turn) = deps.books.turn.try_lock() {
        look_at_books(deps, None).await;
    }
    deps.books.lock().another_in.is_none()
}

/// Reads the newest clients of ours by number, and keeps what that says.
async fn look_at_books(deps: &Deps, process: Option<String>) -> Standing {
    let last_failure = deps.fineract.last_failure();
    deps.books.lock().tried_at = Some(Instant::now());
    let (epoch, has_read, standing) = match read_books(deps).await {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "what is known of Fineract's books could not be read");
            return Standing::Unread;
        }
    };
    let now = Instant::now();
    let mut seen = deps.books.lock();
    match standing {
        Standing::Ours => {
            (seen.looked_at, seen.has_read) = (Some(now), has_read);
            seen.asked_at = Some(now);
            seen.last_failure = last_failure;
            if let Some(process) = process.filter(|process| !seen.processes.contains(process)) {
                if seen.processes.len() >= PROCESSES {
                    seen.processes.remove(0);
                }
                seen.processes.push(process);
            }
            if seen.another_in.take().is_some() {
                deps.circuit_breaker.readmit();
            }
        }
        Standing::Another => {
            // Whatever was found in its time does not count any more.
            seen.processes.clear();
            if seen.another_in.replace(epoch).is_none() {
                count_alarm(ANOTHER);
                deps.circuit_breaker.shut(ANOTHER);
            }
        }
        Standing::Unread => {}
    }
    standing
}

async fn read_books(deps: &Deps) -> Result<(i32, bool, Standing), StoreError> {
    let epoch = deps.store.epoch().await?;
    let clients = deps.store.newest_clients(NEWEST).await?;
    let (kind, known) = if clients.is_empty() {
        (ReferentKind::Loan, deps.store.newest_loans(NEWEST).await?)
    } else {
        (ReferentKind::Client, clients)
    };
    let read = read_known(deps, kind, &known).await?;
    let standing = read.standing(known.len());
    if standing != Standing::Another {
        for (lane, number) in read.wrong {
            count_alarm("client_not_there");
            tracing::error!(
                alarm = "client_not_there",
                fineract.number = number,
                kind = lane.split(':').next(),
                "a client or loan of ours is not under its number in Fineract"
            );
        }
    }
    Ok((epoch, !known.is_empty(), standing))
}
