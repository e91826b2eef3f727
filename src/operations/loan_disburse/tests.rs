use super::*;
use crate::domain::Method;
use crate::{
    domain::{TrackingId, Transaction},
    operations::testing::{
        Case, ID, body_of, checked, evidence, loan, payment_type, plan, problems,
    },
};

const PAYLOAD: &str = r#"{"external_loan_id":"LOAN-123","actualDisbursementDate":"11 January 2024",
    "transactionAmount":100000.00,"utr_payment_id":"UTR-001","note":"Paid"}"#;

const PATH: &str = "/loans/9?command=disburse";

const APPROVED: (&str, &str) = ("\"id\":100,", "\"id\":200,");
const ACTIVE: (&str, &str) = ("\"id\":100,", "\"id\":300,");

/// A disbursement as recorded, with these keys.
fn paid(id: i64, amount: &str, more: &str) -> String {
    format!(
        r#"{{"id":{id},"loanId":9,"type":{{"id":1,"disbursement":true}},"date":[2024,1,11],
            "amount":{amount},"manuallyReversed":false{more}}}"#
    )
}

fn own_paid(more: &str) -> String {
    paid(
        20,
        "60000.000000",
        &format!(r#","externalId":"{ID}"{more}"#),
    )
}

fn transactions(list: &[String]) -> String {
    format!(r#""transactions":[{}]"#, list.join(","))
}

#[test]
fn a_reference_is_the_receipt_number_where_there_is_a_payment_type() {
    let end = r#""locale":"en","dateFormat":"dd MMMM yyyy"}"#;
    let start = format!(
        r#"{{"actualDisbursementDate":"11 January 2024","transactionAmount":100000.00,"externalId":"{ID}","#
    );
    let (utr, note) = (r#","utr_payment_id":"UTR-001""#, r#","note":"Paid""#);
    for (without, payment_type_id, sent) in [
        (
            "",
            Some(4),
            r#""paymentTypeId":4,"receiptNumber":"UTR-001","note":"Paid","#,
        ),
        ("", None, r#""note":"Paid (UTR UTR-001)","#),
        (
            note,
            Some(4),
            r#""paymentTypeId":4,"receiptNumber":"UTR-001","#,
        ),
        (note, None, r#""note":"UTR UTR-001","#),
        (utr, Some(4), r#""note":"Paid","#),
        (utr, None, r#""note":"Paid","#),
    ] {
        let payload = PAYLOAD.replace(without, "");
        let payload = if without.is_empty() {
            PAYLOAD
        } else {
            &payload
        };
        let facts = Facts {
            payment_type: payment_type_id.map(payment_type),
            ..loan(&[APPROVED])
        };
        let plan = plan::<LoanDisburse>(payload, &facts, Case::default());
        assert_eq!(
            body_of(&plan, Method::Post, PATH),
            format!("{start}{sent}{end}")
        );
    }
}

#[test]
fn our_own_payment_is_found_before_anything_is_refused() {
    let done = format!(
        concat!(
            r#"{{"officeId":1,"clientId":42,"loanId":9,"resourceId":9,"subResourceId":20,"#,
            r#""resourceExternalId":"LOAN-123","subResourceExternalId":"{}"}}"#
        ),
        ID
    );
    let earlier = TrackingId {
        operation_type: OperationType::LoanDisburse,
        id: ID,
    };
    let case = Case {
        same_reference: Some(earlier),
        ..Case::default()
    };
    let listed = loan(&[
        ACTIVE,
        ("\"transactions\":[]", &transactions(&[own_paid("")])),
    ]);
    let by_itself = Facts {
        transaction: Some(Transaction::parse(&own_paid("")).unwrap()),
        ..loan(&[ACTIVE])
    };
    for facts in [listed, by_itself] {
        assert_eq!(
            plan::<LoanDisburse>(PAYLOAD, &facts, case),
            Plan::Done(done.clone())
        );
        assert_eq!(evidence::<LoanDisburse>(PAYLOAD, &facts, case), done);
    }
}

#[test]
fn an_undone_payment_is_not_made_again() {
    let undone = own_paid(r#","reversedOnDate":[2024,1,12]"#);
    let facts = Facts {
        transaction: Some(Transaction::parse(&undone).unwrap()),
        ..loan(&[APPROVED])
    };
    let Plan::Refuse(refusal) = plan::<LoanDisburse>(PAYLOAD, &facts, Case::default()) else {
        panic!("it is paid again");
    };
    assert_eq!(refusal.code, "disbursement_undone");
    assert_eq!(
        evidence::<LoanDisburse>(PAYLOAD, &facts, Case::default()),
        "not ours: The disbursement was made, and then undone"
    );
}

#[test]
fn a_reference_is_used_once_for_a_loan() {
    let earlier = TrackingId {
        operation_type: OperationType::LoanDisburse,
        id: ID,
    };
    let receipt = |number: &str, more: &str| {
        let detail = format!(r#","paymentDetailData":{{"id":1,"receiptNumber":"{number}"}}{more}"#);
        loan(&[
            ACTIVE,
            (
                "\"transactions\":[]",
                &transactions(&[paid(1, "1.000000", &detail)]),
            ),
        ])
    };
    let used = "Not sent: this utr_payment_id was used for the loan by ";
    let named = Case {
        same_reference: Some(earlier),
        ..Case::default()
    };
    let noted = |note: &str, is_paid| {
        let paid = if is_paid {
            paid(1, "1", "")
        } else {
            String::new()
        };
        let list = format!(r#""transactions":[{paid}],"notes":[{{"id":1,"note":"{note}"}}]"#);
        let status = if is_paid { ACTIVE } else { APPROVED };
        loan(&[status, ("\"transactions\":[]", &list)])
    };
    let undone = receipt("UTR-001", r#","reversedOnDate":[2024,1,12]"#);
    for (facts, case, expected) in [
        (
            loan(&[APPROVED]),
            named,
            Some(format!("{used}LOAN_DISBURSE|{ID}")),
        ),
        (
            receipt("UTR-001", ""),
            Case::default(),
            Some(format!("{used}another disbursement that is not undone")),
        ),
        (receipt("UTR-002", ""), Case::default(), None),
        (
            noted("UTR utr001", true),
            Case::default(),
            Some(format!(
                "{used}another disbursement that is not undone, according to a note"
            )),
        ),
        // In these cases, every disbursement was undone, or a person wrote the note.
        (noted("UTR UTR-001", false), Case::default(), None),
        (noted("UTR UTR-001 came back", true), Case::default(), None),
        (receipt("", ""), Case::default(), None),
        (undone, Case::default(), None),
    ] {
        let payload = PAYLOAD.replace("100000.00", "1");
        let refused = match plan::<LoanDisburse>(&payload, &facts, case) {
            Plan::Refuse(refusal) if refusal.code == "reference_used" => Some(refusal.message),
            Plan::Refuse(_) | Plan::Send(_) | Plan::Done(_) => None,
        };
        assert_eq!(refused, expected);
    }
}

#[test]
fn no_transaction_of_ours_means_no_effect() {
    let others = transactions(&[paid(1, "100000.000000", r#","externalId":"other""#)]);
    for (facts, expected) in [
        (loan(&[APPROVED]), "absent"),
        (loan(&[ACTIVE, ("\"transactions\":[]", &others)]), "absent"),
        (Facts::default(), "cannot tell"),
    ] {
        assert_eq!(
            evidence::<LoanDisburse>(PAYLOAD, &facts, Case::default()),
            expected
        );
    }
}

#[test]
fn what_others_paid_beyond_the_approval_raises_the_alarm() {
    let undone = paid(3, "9.000000", r#","reversedOnDate":[2024,1,12]"#);
    for (more, alarm) in [
        (Vec::new(), None),
        (vec![paid(2, "40000.000000", "")], None),
        (vec![paid(2, "40000.000000", ""), undone], None),
        (
            vec![paid(2, "40000.010000", "")],
            Some("paid_more_than_approved"),
        ),
    ] {
        let list = transactions(&[vec![own_paid("")], more].concat());
        let facts = loan(&[ACTIVE, ("\"transactions\":[]", &list)]);
        assert_eq!(LoanDisburse::alarm(&facts), alarm, "{list}");
    }
    assert_eq!(LoanDisburse::alarm(&Facts::default()), None);
}

#[test]
fn every_problem_is_reported_at_once() {
    let long = |length| "x".repeat(length);
    let note = |note: usize, reference: usize| {
        format!(
            r#"{{"external_loan_id":"L","actualDisbursementDate":"11 January 2024",
                "utr_payment_id":"{}","note":"{}"}}"#,
            long(reference),
            long(note)
        )
    };
    for (payload, expected) in [
        (
            r#"{"externalId":"L","transactionAmount":0.00,"utr_payment_id":"A\n1","note":""}"#
                .to_owned(),
            vec![
                "/data/external_loan_id required",
                "/data/actualDisbursementDate required",
                "/data/transactionAmount zero",
                "/data/utr_payment_id forbidden_character",
                "/data/note blank",
                "/data/externalId unknown_field",
            ],
        ),
        (note(944, 50), vec!["/data/note too_long"]),
        (note(943, 50), vec![]),
        (note(1, 51), vec!["/data/utr_payment_id too_long"]),
        (note(1001, 1), vec!["/data/note too_long"]),
    ] {
        assert_eq!(problems::<LoanDisburse>(&payload), expected);
    }
}

#[test]
fn its_reference_is_reserved_in_the_lane() {
    let checked = checked::<LoanDisburse>(PAYLOAD);
    assert_eq!(checked.reference.as_deref(), Some("UTR-001"));
    assert_eq!(checked.lanes.writes, Lane::loan("LOAN-123"));
}
