//! Runs one operation from its claim to its completion.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{
    admission::{Admission, admit},
    case::Case,
    check_books::check_books,
    checker::ask_checker,
    close::expire,
    decide_by_answer::decide_by_answer,
    deps::Deps,
    learn::learn_of_keys,
    outcome::{HANDED_BACK, database_away, park, postpone, retry},
    prepare::prepare,
    report,
    require_keys::{are_keys_honoured, require_keys},
    resolve::resolve,
    send::{commit_attempt, send},
    span,
    succeed::succeeded_by_answer,
};
use crate::{
    domain::{Attempt, Failure, Outcome, Reply, decision::Audit},
    operations,
    points::{self, Point},
    store::{Claimed, Completion, KILLS_ITS_WORKER, StartAttempt},
    telemetry::chain,
    traces,
};

/// Reason code of an operation that was sent before an operator confirmed that Fineract's books have changed.
const SENT_TO_OTHER_BOOKS: &str = "sent_to_other_books";

/// How many claims of an operation may end with their process before the operation is parked.
const MAX_LOST_CLAIMS: i16 = 5;

/// Runs a leased operation and completes it. If `stop` announces a shutdown while the operation waits for
/// permission to call Fineract, the operation is handed back. `committed`: the attempt was committed together with
/// the claim.
pub(super) async fn run(
    deps: &Deps,
    claimed: Claimed,
    committed: Option<StartAttempt>,
    stop: &CancellationToken,
) {
    let unsent = committed
        .is_some()
        .then_some(Reply::Failure(Failure::NotSent));
    let mut span = span::begin(&claimed);
    let attempted = async {
        let admission = admit(deps, &claimed, stop).await?;
        match committed {
            Some(attempt) => send_first(deps, &claimed, attempt).await,
            // Boxed, because most operations of a fast Fineract are claimed on acceptance and do not need this future.
            None => Box::pin(attempt(deps, &claimed, admission)).await,
        }
    };
    let (reply, outcome) = match traces::within(span.context(), attempted).await {
        Ok((reply, outcome)) => (reply, outcome),
        Err(outcome) => (unsent, outcome),
    };
    let completion = Completion::of(&claimed, reply, outcome);
    #[cfg(feature = "sabotage")]
    let completion = super::sabotage::with_new_key(completion);
    report::completion(&claimed, &completion);
    span::conclude(&mut span, &completion);
    let state = completion.outcome.state();
    points::reach(Point::BeforeComplete, claimed.operation_type);
    if completion.outcome.takes_new_key() {
        points::reach(Point::BeforeNewKey, claimed.operation_type);
    }
    let completed = deps.store.complete(completion).await;
    points::reach(Point::AfterComplete, claimed.operation_type);
    match completed {
        Ok(true) if state.is_end() => report::end(&claimed, state),
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(operation.id = %claimed.id, operation.attempt = claimed.attempt, "the worker lost its lease before it wrote the result; the answer is stored as evidence");
        }
        Err(error) => {
            tracing::error!(operation.id = %claimed.id, error = %chain(&error), "the worker could not write the result; the operation runs again after its lease has expired");
        }
    }
}

/// Makes one attempt: prepares, commits and sends its command, and decides by the answer. `Err`: this attempt sent
/// no command.
async fn attempt(
    deps: &Deps,
    claimed: &Claimed,
    mut admission: Admission<'_>,
) -> Result<(Option<Reply>, Outcome), Outcome> {
    // What Fineract shows is valid for this operation only if Fineract has the books that the operation belongs to.
    check_books(deps, claimed).await?;
    let Some(entry) = operations::entry(claimed.operation_type) else {
        return Err(retry(claimed, "unknown_type", None));
    };
    let mut attempts = earlier_attempts(deps, claimed).await?;
    let case = Case {
        claimed,
        entry,
        attempts: &attempts,
        audit: None,
    };
    require_few_lost_claims(case)?;
    require_same_books(deps, case).await?;
    let audit = decide_without_sending(deps, case).await?;
    let case = Case { audit, ..case };
    if claimed.is_past_expiry && !case.history().may_have_run_under(claimed.key_number) {
        return Err(expire(deps, case).await);
    }
    let trust = require_keys(deps, case).await?;
    let prepared = prepare(deps, case, trust).await?;
    #[cfg(feature = "sabotage")]
    let prepared = super::sabotage::by_external_id(prepared, claimed);
    admission.pause(deps);
    let attempt = commit_attempt(deps, case, prepared).await?;
    let committed_at = Instant::now();
    admission.resume(deps).await;
    match send(deps, claimed, attempt, committed_at).await {
        Ok(sent) => attempts.push(sent),
        Err(outcome) => return Ok((Some(Reply::Failure(Failure::NotSent)), outcome)),
    }
    let case = Case {
        claimed,
        entry,
        attempts: &attempts,
        audit,
    };
    let outcome = conclude(deps, case).await;
    Ok((attempts.pop().and_then(|sent| sent.reply), outcome))
}

/// Sends the first attempt of an operation, which was committed together with the claim. `Err`: it was not sent.
async fn send_first(
    deps: &Deps,
    claimed: &Claimed,
    attempt: StartAttempt,
) -> Result<(Option<Reply>, Outcome), Outcome> {
    check_books(deps, claimed).await?;
    let entry =
        operations::entry(claimed.operation_type).filter(|entry| are_keys_honoured(deps, entry));
    let Some(entry) = entry else {
        return Err(postpone(HANDED_BACK, Duration::ZERO));
    };
    let sent = send(deps, claimed, attempt, claimed.claimed_at).await?;
    let case = Case {
        claimed,
        entry,
        attempts: std::slice::from_ref(&sent),
        audit: None,
    };
    let outcome = conclude(deps, case).await;
    Ok((sent.reply, outcome))
}

/// Decides by the answer to the last attempt.
async fn conclude(deps: &Deps, case: Case<'_>) -> Outcome {
    let outcome = decide_by_answer(deps, case).await;
    learn_of_keys(deps, case, &outcome).await;
    if case.claimed.resolution.is_some() {
        outcome.of_resolved()
    } else {
        outcome
    }
}

async fn earlier_attempts(deps: &Deps, claimed: &Claimed) -> Result<Vec<Attempt>, Outcome> {
    if claimed.attempt == 1 {
        return Ok(Vec::new());
    }
    deps.store
        .attempts(claimed.id)
        .await
        .map_err(|error| database_away(claimed, &error))
}

/// Parks an operation if too many of its claims have ended with their process. If Fineract has already answered
/// with a success, the operation ends with that success instead.
fn require_few_lost_claims(case: Case<'_>) -> Result<(), Outcome> {
    let claimed = case.claimed;
    if claimed.lost.max(claimed.deaths) < MAX_LOST_CLAIMS || case.history().success().is_some() {
        return Ok(());
    }
    Err(park(if case.attempts.is_empty() {
        KILLS_ITS_WORKER
    } else {
        "ended_with_its_process"
    }))
}

/// Parks an operation that was sent to other books, unless an operator has resolved it. If Fineract has already
/// answered with a success, the operation ends with that success instead.
async fn require_same_books(deps: &Deps, case: Case<'_>) -> Result<(), Outcome> {
    if !case.was_sent_to_other_books() || case.history().success().is_some() {
        return Ok(());
    }
    if let Some(resolution) = case.claimed.resolution {
        resolve(deps, case, resolution).await?;
    }
    Err(park(SENT_TO_OTHER_BOOKS))
}

/// Ends, parks or delays the operation if this can be decided without sending a command: because of a success that
/// arrived late, an operator's resolution, or a checker who has not decided yet. `Ok`: the command may be sent.
/// `Ok(Some(audit))`: the command was submitted to a checker, and `audit` is what Fineract shows of the command
/// now.
async fn decide_without_sending(deps: &Deps, case: Case<'_>) -> Result<Option<Audit>, Outcome> {
    if case.history().success().is_some() {
        Err(succeeded_by_answer(deps, case).await)
    } else if let Some(resolution) = case.claimed.resolution {
        resolve(deps, case, resolution).await.map(Some)
    } else if case.history().awaits_checker() {
        ask_checker(deps, case).await.map(Some)
    } else {
        Ok(None)
    }
}
