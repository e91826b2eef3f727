use super::*;
use crate::domain::Method;
use crate::{
    domain::{TrackingId, Transaction},
    operations::{
        entry,
        testing::{
            Case, ID, body_of, checked, deployment, evidence, loan, payment_type, plan, problems,
            raw,
        },
    },
};

const PAYLOAD: &str = r#"{"external_loan_id":"LOAN-123","transactionDate":"10 February 2024",
    "transactionAmount":8700.251,"utr_payment_id":"UTR-R1","note":"First"}"#;

/// The payload with a valid amount.
fn payload() -> String {
    PAYLOAD.replace("8700.251", "8700.25")
}

fn repaid(more: &str) -> String {
    format!(
        r#"{{"id":21,"loanId":9,"type":{{"id":2,"repayment":true}},"date":[2024,2,10],
            "amount":8700.250000,"manuallyReversed":false{more}}}"#
    )
}

fn own_repaid(more: &str) -> String {
    repaid(&format!(r#","externalId":"{ID}"{more}"#))
}

fn with(transaction: &str) -> Facts {
    let list = format!(r#""transactions":[{transaction}]"#);
    loan(&[
        ("\"id\":100,", "\"id\":300,"),
        ("\"transactions\":[]", &list),
    ])
}

/// The code of the refusal, or `None` if the plan is to send.
fn refused(facts: &Facts, case: Case<'_>) -> Option<&'static str> {
    match plan::<LoanRepayment>(&payload(), facts, case) {
        Plan::Refuse(refusal) => Some(refusal.code),
        Plan::Send(_) | Plan::Done(_) => None,
    }
}

#[test]
fn it_carries_the_operations_own_external_id() {
    let facts = Facts {
        payment_type: Some(payment_type(4)),
        ..loan(&[])
    };
    let plan = plan::<LoanRepayment>(&payload(), &facts, Case::default());
    assert_eq!(
        body_of(
            &plan,
            Method::Post,
            "/loans/9/transactions?command=repayment"
        ),
        format!(
            concat!(
                r#"{{"transactionDate":"10 February 2024","transactionAmount":8700.25,"#,
                r#""externalId":"{}","paymentTypeId":4,"receiptNumber":"UTR-R1","note":"First","#,
                r#""locale":"en","dateFormat":"dd MMMM yyyy"}}"#
            ),
            ID
        )
    );
}

#[test]
fn a_booked_repayment_is_not_booked_again() {
    let done = format!(
        concat!(
            r#"{{"officeId":1,"clientId":42,"loanId":9,"resourceId":21,"#,
            r#""resourceExternalId":"{}"}}"#
        ),
        ID
    );
    let by_itself = Facts {
        transaction: Some(Transaction::parse(&own_repaid("")).unwrap()),
        ..loan(&[])
    };
    for facts in [with(&own_repaid("")), by_itself] {
        let planned = plan::<LoanRepayment>(&payload(), &facts, Case::default());
        assert_eq!(planned, Plan::Done(done.clone()));
        assert_eq!(
            evidence::<LoanRepayment>(&payload(), &facts, Case::default()),
            done
        );
    }
}

#[test]
fn an_undone_repayment_is_not_booked_again() {
    let undone = with(&own_repaid(r#","reversedOnDate":[2024,2,11]"#));
    assert_eq!(refused(&undone, Case::default()), Some("repayment_undone"));
    assert_eq!(
        evidence::<LoanRepayment>(&payload(), &undone, Case::default()),
        "not ours: The repayment was booked, and then undone"
    );
}

#[test]
fn a_reference_is_used_once_for_a_loan() {
    let receipt = |number: &str, more: &str| {
        let detail = format!(r#","paymentDetailData":{{"receiptNumber":"{number}"}}{more}"#);
        with(&repaid(&detail))
    };
    let noted = |notes: &str| {
        let list = format!(r#""transactions":[{}],"notes":[{notes}]"#, repaid(""));
        loan(&[
            ("\"id\":100,", "\"id\":300,"),
            ("\"transactions\":[]", &list),
        ])
    };
    let earlier = Case {
        same_reference: Some(TrackingId {
            operation_type: OperationType::LoanDisburse,
            id: ID,
        }),
        ..Case::default()
    };
    for (facts, case, expected) in [
        (loan(&[]), earlier, Some("reference_used")),
        (
            receipt("UTR-R1", ""),
            Case::default(),
            Some("reference_used"),
        ),
        (receipt("UTR-R2", ""), Case::default(), None),
        (
            noted(r#"{"id":1,"loanTransactionId":21,"note":"First (UTR UTR-R1)"}"#),
            Case::default(),
            Some("reference_used"),
        ),
        (
            noted(r#"{"id":1,"loanTransactionId":22,"note":"UTR UTR-R1"}"#),
            Case::default(),
            None,
        ),
        // These notes do not have the form of notes in Fineract's source. They are ignored, and the loan is read
        // nevertheless.
        (
            noted(r#"{"loanTransactionId":21},{"note":5},"UTR UTR-R1",null"#),
            Case::default(),
            None,
        ),
        (
            receipt("utr \u{2013} r1", ""),
            Case::default(),
            Some("reference_used"),
        ),
        (receipt("-", ""), Case::default(), None),
        (
            receipt("UTR-R1", r#","reversedOnDate":[2024,2,11]"#),
            Case::default(),
            None,
        ),
    ] {
        assert_eq!(refused(&facts, case), expected);
    }
}

#[test]
fn no_transaction_of_ours_means_no_effect() {
    for (facts, expected) in [
        (loan(&[]), "absent"),
        (with(&repaid(r#","externalId":"other""#)), "absent"),
        (Facts::default(), "cannot tell"),
    ] {
        assert_eq!(
            evidence::<LoanRepayment>(&payload(), &facts, Case::default()),
            expected
        );
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    for (payload, expected) in [
        (
            r#"{"transactionAmount":0,"actualDisbursementDate":"10 February 2024"}"#,
            vec![
                "/data/external_loan_id required",
                "/data/transactionDate required",
                "/data/transactionAmount zero",
                "/data/actualDisbursementDate unknown_field",
            ],
        ),
        (PAYLOAD, vec!["/data/transactionAmount too_many_decimals"]),
        (
            r#"{"external_loan_id":"L","transactionDate":"10 February 2024"}"#,
            vec!["/data/transactionAmount required"],
        ),
    ] {
        assert_eq!(problems::<LoanRepayment>(payload), expected);
    }
}

#[test]
fn its_reference_is_reserved_in_the_lane() {
    let checked = checked::<LoanRepayment>(&payload());
    assert_eq!(checked.reference.as_deref(), Some("UTR-R1"));
    assert_eq!(checked.lanes.writes, Lane::loan("LOAN-123"));
}

#[test]
fn a_payload_accepted_before_a_rule_existed_is_still_read() {
    for (given, hidden) in [
        ("LOAN-123", "LOAN\u{200b}-123"),
        ("UTR-R1", "UTR\u{feff}-R1"),
        ("UTR-R1", "--"),
    ] {
        let payload = raw(&payload().replace(given, hidden));
        let entry = entry(OperationType::LoanRepayment).unwrap();
        assert!(
            (entry.check)(&payload, &deployment()).is_err(),
            "{hidden:?}"
        );
        let movement = (entry.moves)(&payload, &deployment()).unwrap();
        assert!(movement.is_some(), "{hidden:?}");
    }
}
