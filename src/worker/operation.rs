//! One operation, from its claim to its completion.

use tokio_util::sync::CancellationToken;

use super::{
    admission::admit,
    case::Case,
    check_books::check_books,
    checker::ask_checker,
    close::expire,
    deps::Deps,
    learn::learn_of_keys,
    outcome::{database_away, park, retry},
    prepare::prepare,
    report,
    require_keys::require_keys,
    resolve::resolve,
    send::send,
    succeed::succeeded,
    weigh::weigh,
};
use crate::{
    domain::{Attempt, Outcome, Reply, decision::Audit},
    operations,
    points::{self, Point},
    store::{Claimed, Completion, KILLS_ITS_WORKER},
    telemetry::chain,
};

/// Why an operation is parked that was sent before an operator confirmed that Fineract's books are others now.
const SENT_TO_OTHER_BOOKS: &str = "sent_to_other_books";

/// The most claims that may end with their process before a person has to look.
const LOST_AT_MOST: i16 = 5;

/// Runs a leased operation and completes it. What has not been sent when `stop` is cancelled is handed back.
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
    let completion = super::sabotaged::with_new_key(completion);
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
            tracing::warn!(operation.id = %claimed.id, operation.attempt = claimed.attempt, "the lease was lost before the result was written; the answer is kept as evidence");
        }
        Err(error) => {
            tracing::error!(operation.id = %claimed.id, error = %chain(&error), "the result could not be written; the operation runs again when its lease has run out");
        }
    }
}

/// Makes one attempt: prepares, commits and sends its command, and decides by the answer. `Err`: nothing was sent.
async fn attempt(deps: &Deps, claimed: &Claimed) -> Result<(Option<Reply>, Outcome), Outcome> {
    // What Fineract shows counts only if these are the books that the operation belongs to.
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
    require_living_workers(case)?;
    require_these_books(deps, case).await?;
    let audit = known_already(deps, case).await?;
    let case = Case { audit, ..case };
    if claimed.is_past_expiry && !case.history().may_have_run_under(claimed.key_number) {
        return Err(expire(deps, case).await);
    }
    let trust = require_keys(deps, case).await?;
    let prepared = prepare(deps, case, trust).await?;
    #[cfg(feature = "sabotage")]
    let prepared = super::sabotaged::by_external_id(prepared, claimed);
    let attempt = send(deps, case, prepared).await?;
    let reply = attempt.reply.clone();
    attempts.push(attempt);
    let case = Case {
        claimed,
        entry,
        attempts: &attempts,
        audit,
    };
    let outcome = weigh(deps, case).await;
    learn_of_keys(deps, case, &outcome).await;
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

/// Parks an operation that has ended too many processes. A success is believed all the same.
fn require_living_workers(case: Case<'_>) -> Result<(), Outcome> {
    let claimed = case.claimed;
    if claimed.lost.max(claimed.deaths) < LOST_AT_MOST || case.history().success().is_some() {
        return Ok(());
    }
    Err(park(if case.attempts.is_empty() {
        KILLS_ITS_WORKER
    } else {
        "ended_with_its_process"
    }))
}

/// Leaves an operation to operators that was sent to other books than these. A success is believed all the same.
async fn require_these_books(deps: &Deps, case: Case<'_>) -> Result<(), Outcome> {
    if !case.is_of_other_books() || case.history().success().is_some() {
        return Ok(());
    }
    if let Some(resolution) = case.claimed.resolution {
        resolve(deps, case, resolution).await?;
    }
    Err(park(SENT_TO_OTHER_BOOKS))
}

/// What is known without sending anything: a success that came late, the word of an operator, or that a checker has not
/// decided yet. `Ok`: the command may be sent; with an audit, to hear what has become of it.
async fn known_already(deps: &Deps, case: Case<'_>) -> Result<Option<Audit>, Outcome> {
    if case.history().success().is_some() {
        Err(succeeded(deps, case).await)
    } else if let Some(resolution) = case.claimed.resolution {
        resolve(deps, case, resolution).await.map(Some)
    } else if case.history().awaits_checker() {
        ask_checker(deps, case).await.map(Some)
    } else {
        Ok(None)
    }
}
