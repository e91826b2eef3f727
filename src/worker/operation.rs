//! Runs one operation from its claim to its completion.

use tokio_util::sync::CancellationToken;

use super::{
    admission::admit,
    case::Case,
    check_books::check_books,
    checker::ask_checker,
    close::expire,
    decide_by_answer::decide_by_answer,
    deps::Deps,
    learn::learn_of_keys,
    outcome::{database_away, park, retry},
    prepare::prepare,
    report,
    require_keys::require_keys,
    resolve::resolve,
    send::send,
    succeed::succeeded_by_answer,
};
use crate::{
    domain::{Attempt, Outcome, Reply, decision::Audit},
    operations,
    points::{self, Point},
    store::{Claimed, Completion, KILLS_ITS_WORKER},
    telemetry::chain,
};

/// Reason code of an operation that was sent before an operator confirmed that Fineract's books have changed.
const SENT_TO_OTHER_BOOKS: &str = "sent_to_other_books";

/// How many claims of an operation may end with their process before the operation is parked.
const MAX_LOST_CLAIMS: i16 = 5;

/// Runs a leased operation and completes it. If `stop` is cancelled while the operation waits for permission to
/// call Fineract, the operation is handed back.
pub(super) async fn run(deps: &Deps, claimed: Claimed, stop: &CancellationToken) {
    let attempted = async {
        let _admission = admit(deps, &claimed, stop).await?;
        attempt(deps, &claimed).await
    };
    let (reply, outcome) = match attempted.await {
        Ok((reply, outcome)) => (reply, outcome),
        Err(outcome) => (None, outcome),
    };
    let completion = Completion {
        id: claimed.id,
        attempt: claimed.attempt,
        lane_entries: claimed.lane_entries.clone(),
        reply,
        outcome,
    };
    #[cfg(feature = "sabotage")]
    let completion = super::sabotage::with_new_key(completion);
    report::completion(&claimed, &completion);
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
async fn attempt(deps: &Deps, claimed: &Claimed) -> Result<(Option<Reply>, Outcome), Outcome> {
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
    let attempt = send(deps, case, prepared).await?;
    attempts.push(attempt);
    let case = Case {
        claimed,
        entry,
        attempts: &attempts,
        audit,
    };
    let outcome = decide_by_answer(deps, case).await;
    learn_of_keys(deps, case, &outcome).await;
    let reply = attempts.pop().and_then(|sent| sent.reply);
    if claimed.resolution.is_some() {
        Ok((reply, outcome.of_resolved()))
    } else {
        Ok((reply, outcome))
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
