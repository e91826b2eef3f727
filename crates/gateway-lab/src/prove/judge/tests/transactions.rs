//! Tests about reported statuses, stopped operations, independent creates, gateways that do not answer, and holds.

use super::*;

#[test]
fn a_reported_end_that_is_taken_back_is_found() {
    let reported = |words: &[&str]| {
        found(|books| {
            books.operations[3].transaction_statuses =
                words.iter().map(|&word| word.to_owned()).collect();
        })
    };
    assert_eq!(reported(&["pending", "sent_to_provider", "success"]), []);
    assert_eq!(reported(&["pending", "on_hold", "Unknown"]), []);
    assert_eq!(
        reported(&["pending", "expired", "success"]),
        [Rule::ReportedEndIsFinal]
    );
    // The operation succeeded after that, and no later status was read.
    assert_eq!(reported(&["canceled"]), [Rule::ReportedEndIsFinal]);
    assert_eq!(
        found(|books| {
            books.operations[4].transaction_statuses = vec!["expired".to_owned()];
            books.operations[4].status = failed("some");
            books.ledger.truncate(4);
            books.resources.get_mut(CLIENT).unwrap().value = "Rao".to_owned();
        }),
        []
    );
}

#[test]
fn a_stopped_operation_that_is_retried_unnamed_is_found() {
    let retried_behind = |code: &str| {
        found(|books| {
            let mut stopped = accepted(6, Type::LoanRepayment, "loan:other");
            stopped.status = failed("some");
            stopped.code = Some(code.to_owned());
            let mut again = accepted(7, Type::LoanRepayment, "loan:other");
            again.replaces = stopped.id();
            again.status = failed("some");
            books.operations.extend([stopped, again]);
        })
    };
    assert_eq!(retried_behind("behind_failed"), []);
    for code in ["cancelled", "expired", "behind_stopped"] {
        assert_eq!(retried_behind(code), [Rule::StoppedStaysStopped], "{code}");
    }
}

#[test]
fn a_create_that_fails_in_its_own_lane_is_found() {
    let failed_behind = |cause: &str| {
        found(|books| {
            let mut refused = accepted(6, Type::ClientCreate, cause);
            refused.status = failed("error.msg.some");
            let mut create = accepted(7, Type::LoanCreate, "loan:other");
            create.status = failed("some");
            create.code = Some("behind_failed".to_owned());
            create.reads = Some("client:other".to_owned());
            books.operations.extend([refused, create]);
        })
    };
    assert_eq!(failed_behind("client:other"), []);
    assert_eq!(failed_behind("loan:other"), [Rule::CreatesAreIndependent]);
}

#[test]
fn dependents_of_a_corrected_create_may_succeed() {
    assert_eq!(
        found(|books| {
            let mut refused = accepted(0, Type::ClientCreate, CLIENT);
            refused.status = failed("error.msg.some");
            books.operations.insert(0, refused);
        }),
        []
    );
}

#[test]
fn a_gateway_that_does_not_answer_is_found() {
    assert_eq!(
        found(|books| books.unanswered.push("http://gateway/".to_owned())),
        [Rule::GatewaysAnswer]
    );
}

#[test]
fn an_attempt_during_a_hold_is_found() {
    assert_eq!(
        found(|books| books.sent_on_hold.push("LOAN_DISBURSE".to_owned())),
        [Rule::HoldsAreKept]
    );
}

#[test]
fn an_event_that_is_missing_is_found() {
    assert_eq!(
        found(|books| books.wrong_events.push("LOAN_DISBURSE".to_owned())),
        [Rule::EventsAreComplete]
    );
}

#[test]
fn an_event_that_was_not_delivered_is_found() {
    assert_eq!(
        found(|books| books.wrongly_told.push("LOAN_DISBURSE".to_owned())),
        [Rule::WebhooksTell]
    );
}
