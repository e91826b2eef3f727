//! What was told, what was stopped, and what a create depends on.

use super::*;

#[test]
fn an_end_that_is_told_and_untold_is_found() {
    let told = |words: &[&str]| {
        found(|books| {
            books.operations[3].told = words.iter().map(|&word| word.to_owned()).collect();
        })
    };
    assert_eq!(told(&["pending", "sent_to_provider", "success"]), []);
    assert_eq!(told(&["pending", "on_hold", "Unknown"]), []);
    assert_eq!(
        told(&["pending", "expired", "success"]),
        [Rule::ToldIsNeverUntold]
    );
    // It succeeded in the end, and nobody asked again.
    assert_eq!(told(&["canceled"]), [Rule::ToldIsNeverUntold]);
    assert_eq!(
        found(|books| {
            books.operations[4].told = vec!["expired".to_owned()];
            books.operations[4].standing = failed("some");
            books.ledger.truncate(4);
            books.things.get_mut(CLIENT).unwrap().value = "Rao".to_owned();
        }),
        []
    );
}

#[test]
fn what_was_stopped_and_runs_again_unnamed_is_found() {
    let run_again = |code: &str| {
        found(|books| {
            let mut stopped = accepted(6, Type::LoanRepayment, "loan:other");
            stopped.standing = failed("some");
            stopped.code = Some(code.to_owned());
            let mut again = accepted(7, Type::LoanRepayment, "loan:other");
            again.in_place_of = stopped.id();
            again.standing = failed("some");
            books.operations.extend([stopped, again]);
        })
    };
    assert_eq!(run_again("behind_failed"), []);
    for code in ["cancelled", "expired", "behind_stopped"] {
        assert_eq!(run_again(code), [Rule::StoppedStaysStopped], "{code}");
    }
}

#[test]
fn a_create_that_fell_in_its_own_lane_is_found() {
    let fallen = |cause: &str| {
        found(|books| {
            let mut refused = accepted(6, Type::ClientCreate, cause);
            refused.standing = failed("error.msg.some");
            let mut create = accepted(7, Type::LoanCreate, "loan:other");
            create.standing = failed("some");
            create.code = Some("behind_failed".to_owned());
            create.reads = Some("client:other".to_owned());
            books.operations.extend([refused, create]);
        })
    };
    assert_eq!(fallen("client:other"), []);
    assert_eq!(fallen("loan:other"), [Rule::CreatesStandAlone]);
}

#[test]
fn what_rests_on_a_corrected_create_goes_on() {
    assert_eq!(
        found(|books| {
            let mut refused = accepted(0, Type::ClientCreate, CLIENT);
            refused.standing = failed("error.msg.some");
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
fn what_is_sent_while_everything_is_on_hold_is_found() {
    assert_eq!(
        found(|books| books.sent_on_hold.push("LOAN_DISBURSE".to_owned())),
        [Rule::HoldsHold]
    );
}
