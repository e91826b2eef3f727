//! Losses, the order, and what falls.

use super::*;

#[test]
fn a_loss_is_found() {
    let last = |standing| {
        found(|books| {
            books.operations[4].standing = standing;
            books.ledger.truncate(4);
            books.things.get_mut(CLIENT).unwrap().value = "Rao".to_owned();
        })
    };
    assert_eq!(last(Standing::Open), [Rule::NothingIsLost]);
    assert_eq!(last(Standing::Missing), [Rule::NothingIsLost]);
}

#[test]
fn what_stands_behind_a_parked_one_is_not_lost() {
    let behind = |cause| {
        found(|books| {
            books.operations[1].standing = parked();
            books.operations[1].may_be_parked = cause;
            for operation in &mut books.operations[2..] {
                operation.standing = Standing::Open;
            }
            books.ledger.truncate(1);
            books.things.get_mut(CLIENT).unwrap().value = "Rao".to_owned();
        })
    };
    // The client's update too: it waits for the loan that reads the client.
    assert_eq!(behind(true), []);
    assert_eq!(behind(false), [Rule::ParkedForCause]);
}

#[test]
fn a_break_of_the_order_is_found() {
    let swapped = |first: usize, second: usize| {
        found(|books| {
            let seq = books.ledger[first].seq;
            books.ledger[first].seq = books.ledger[second].seq;
            books.ledger[second].seq = seq;
        })
    };
    assert_eq!(swapped(2, 3), [Rule::OrderOfAcceptance]);
    // A loan's application reads the client: a later change of the client comes after it.
    assert_eq!(swapped(1, 4), [Rule::OrderOfAcceptance]);
    // A payment does not.
    assert_eq!(swapped(3, 4), []);
    // Sent before the other was heard of: either order.
    assert_eq!(
        found(|books| {
            books.operations[3].sent_at = Duration::ZERO;
            (books.ledger[2].seq, books.ledger[3].seq) = (4, 3);
        }),
        []
    );
}

#[test]
fn what_should_have_fallen_is_found() {
    let approval_failed = |read_at: Option<u64>| {
        found(|books| {
            books.operations[2].standing = failed("error.msg.some");
            books.operations[2].failure_read_at = read_at.map(Duration::from_secs);
            books.ledger.remove(2);
        })
    };
    assert_eq!(approval_failed(None), [Rule::FallsWithIt]);
    assert_eq!(approval_failed(Some(10)), [Rule::FallsWithIt]);
    // Who has read of it knows what he does.
    assert_eq!(approval_failed(Some(8)), []);
    let client_failed = |code: &str| {
        found(|books| {
            books.operations[0].standing = failed(code);
            books.ledger.remove(0);
        })
    };
    assert_eq!(client_failed("error.msg.some"), [Rule::FallsWithIt]);
    assert_eq!(client_failed("error.msg.client.duplicate.externalId"), []);
}
