//! Tests about lost operations, the order of effects, and dependency failures.

use super::*;

#[test]
fn a_lost_operation_is_found() {
    let last = |status| {
        found(|books| {
            books.operations[4].status = status;
            books.ledger.truncate(4);
            books.resources.get_mut(CLIENT).unwrap().value = "Rao".to_owned();
        })
    };
    assert_eq!(last(Status::Open), [Rule::NothingIsLost]);
    assert_eq!(last(Status::Missing), [Rule::NothingIsLost]);
}

#[test]
fn an_operation_behind_a_parked_one_is_not_lost() {
    let behind = |cause| {
        found(|books| {
            books.operations[1].status = parked();
            books.operations[1].may_be_parked = cause;
            for operation in &mut books.operations[2..] {
                operation.status = Status::Open;
            }
            books.ledger.truncate(1);
            books.resources.get_mut(CLIENT).unwrap().value = "Rao".to_owned();
        })
    };
    // The update of the client waits too, because the `LOAN_CREATE` before it reads the lane of the client.
    assert_eq!(behind(true), []);
    assert_eq!(behind(false), [Rule::ParkedForCause]);
}

#[test]
fn a_wrong_order_is_found() {
    let swapped = |first: usize, second: usize| {
        found(|books| {
            let seq = books.ledger[first].seq;
            books.ledger[first].seq = books.ledger[second].seq;
            books.ledger[second].seq = seq;
        })
    };
    assert_eq!(swapped(2, 3), [Rule::OrderOfAcceptance]);
    // A `LOAN_CREATE` reads the lane of its client, so a later update of the client must take effect after it.
    assert_eq!(swapped(1, 4), [Rule::OrderOfAcceptance]);
    // A `LOAN_DISBURSE` does not read the lane of the client.
    assert_eq!(swapped(3, 4), []);
    // The disbursement was sent before the acceptance of the approval was received. So both orders are allowed.
    assert_eq!(
        found(|books| {
            books.operations[3].sent_at = Duration::ZERO;
            (books.ledger[2].seq, books.ledger[3].seq) = (4, 3);
        }),
        []
    );
}

#[test]
fn a_dependent_that_succeeds_is_found() {
    let approval_failed = |read_at: Option<u64>| {
        found(|books| {
            books.operations[2].status = failed("error.msg.some");
            books.operations[2].failure_read_at = read_at.map(Duration::from_secs);
            books.ledger.remove(2);
        })
    };
    assert_eq!(approval_failed(None), [Rule::DependentsFail]);
    assert_eq!(approval_failed(Some(10)), [Rule::DependentsFail]);
    // If a caller had read the failure, a later operation does not depend on the failed operation.
    assert_eq!(approval_failed(Some(8)), []);
    let client_failed = |code: &str| {
        found(|books| {
            books.operations[0].status = failed(code);
            books.ledger.remove(0);
        })
    };
    assert_eq!(client_failed("error.msg.some"), [Rule::DependentsFail]);
    assert_eq!(client_failed("error.msg.client.duplicate.externalId"), []);
}
