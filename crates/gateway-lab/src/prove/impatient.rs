//! Scenarios of callers that do not wait: they correct a request immediately, set deadlines, or cancel operations.

use std::time::Duration;

use super::{
    case::Step,
    requests::{
        SINGLE, client_create, client_create_too_early, client_update, loan_approve, loan_create,
        loan_create_too_early, loan_disburse, loan_repayment,
    },
    scenarios::{Names, repaid_in_parts, send},
};

/// Fineract refuses a create. The caller immediately sends the corrected create. The corrected create must not fail
/// because of the first create.
pub(super) fn corrected(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan) = (names.client(), names.loan(0));
    let mut steps = send([
        client_create_too_early(&client),
        client_create(&client, &names.lastname(0)),
        client_update(&client, &names.lastname(1)),
    ]);
    if names.rng.bool() {
        // After this pause the create has failed, but no caller has read the failure.
        steps.insert(1, Step::Pause(Duration::from_secs(1)));
    }
    steps.extend(send([
        loan_create_too_early(&loan, &client),
        loan_create(&loan, &client, SINGLE),
        loan_approve(&loan),
        loan_disburse(&loan, None),
    ]));
    steps
}

/// Every operation has an `expires_at`. For some operations, it passes before they can be sent.
pub(super) fn hurried(names: &mut Names<'_>) -> Vec<Step> {
    let requests = repaid_in_parts(names).into_iter().map(|request| {
        let expires_in = names.rng.u64(200..4_000);
        request.within(Duration::from_millis(expires_in))
    });
    send(requests)
}

/// All steps of a loan in one batch. The batch is cancelled and retried.
pub(super) fn in_a_batch(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan) = (names.client(), names.loan(0));
    let requests = vec![
        client_create(&client, &names.lastname(0)),
        loan_create(&loan, &client, SINGLE),
        loan_approve(&loan),
        loan_disburse(&loan, None),
        loan_repayment(&loan, names.rng.i64(1_000..20_000)),
        loan_repayment(&loan, names.rng.i64(1_000..20_000)),
    ];
    vec![Step::Batch(requests)]
}
