use super::*;
use crate::domain::Method;
use crate::operations::testing::{Case, body_of, evidence, loan, plan, problems};

const MULTI: (&str, &str) = ("\"multiDisburseLoan\":false", "\"multiDisburseLoan\":true");
const TRANCHES: (&str, &str) = (
    "\"disbursementDetails\":[]",
    r#""disbursementDetails":[{"id":2,"expectedDisbursementDate":[2024,3,10],
        "principal":40000.000000},{"id":1,"expectedDisbursementDate":[2024,1,10],
        "principal":60000.000000}]"#,
);
const ONE_TRANCHE: (&str, &str) = (
    "\"disbursementDetails\":[]",
    r#""disbursementDetails":[{"id":1,"expectedDisbursementDate":[2024,1,10],
        "principal":100000.000000}]"#,
);

/// The plan for an update of a stored loan with these parts.
fn change(parts: &[(&str, &str)], change: &str) -> Plan {
    let payload = format!(r#"{{"externalId":"LOAN-123",{change}}}"#);
    plan::<LoanUpdate>(&payload, &loan(parts), Case::default())
}

/// The body without the keys that every body has.
fn tail(parts: &[(&str, &str)], to: &str) -> String {
    let body = body_of(&change(parts, to), Method::Put, "/loans/9");
    body.split_once(r#""dateFormat":"dd MMMM yyyy""#)
        .unwrap()
        .1
        .to_owned()
}

#[test]
fn the_whole_stored_loan_is_sent_with_the_changes() {
    let sent = change(
        &[],
        r#""principal":200000,"loanTermFrequency":24,"numberOfRepayments":24,
            "interestRatePerPeriod":8.3"#,
    );
    assert_eq!(
        body_of(&sent, Method::Put, "/loans/9"),
        concat!(
            r#"{"clientId":42,"productId":2,"loanType":"individual","principal":200000,"#,
            r#""submittedOnDate":"10 January 2024","expectedDisbursementDate":"10 January 2024","#,
            r#""loanTermFrequency":24,"loanTermFrequencyType":2,"numberOfRepayments":24,"#,
            r#""repaymentEvery":1,"repaymentFrequencyType":2,"interestRatePerPeriod":8.3,"#,
            r#""interestType":0,"interestCalculationPeriodType":1,"amortizationType":1,"#,
            r#""transactionProcessingStrategyCode":"mifos-standard-strategy","#,
            r#""externalId":"LOAN-123","locale":"en","dateFormat":"dd MMMM yyyy"}"#,
        )
    );
}

#[test]
fn values_that_are_not_given_stay() {
    for (given, sent) in [
        (
            r#""submittedOnDate":"05 January 2024""#,
            r#""05 January 2024","expectedDisbursementDate":"10 January 2024""#,
        ),
        (
            r#""submittedOnDate":"12 January 2024""#,
            r#""12 January 2024","expectedDisbursementDate":"12 January 2024""#,
        ),
        (
            r#""loanTermFrequency":24"#,
            r#""loanTermFrequency":24,"loanTermFrequencyType":2,"numberOfRepayments":12,"repaymentEvery":2"#,
        ),
        (
            r#""numberOfRepayments":6"#,
            r#""loanTermFrequency":12,"loanTermFrequencyType":2,"numberOfRepayments":6,"repaymentEvery":2"#,
        ),
        (
            r#""loanTermFrequencyType":"weeks""#,
            r#""loanTermFrequencyType":1,"numberOfRepayments":12,"repaymentEvery":1,"repaymentFrequencyType":1"#,
        ),
        (
            r#""interestRatePerPeriod":0"#,
            r#""principal":100000.000000"#,
        ),
        (r#""principal":1"#, r#""interestRatePerPeriod":8.000000"#),
    ] {
        let body = body_of(&change(&[], given), Method::Put, "/loans/9");
        assert!(body.contains(sent), "{given}: {body}");
    }
}

#[test]
fn charges_tranches_and_grace_are_sent_again() {
    let charges = (
        "\"isEqualAmortization\":false",
        r#""isEqualAmortization":false,"charges":[{"id":3,"chargeId":1,"name":"Processing fee","amount":2000.000000,
            "amountOrPercentage":2.000000,"percentage":2.000000},{"id":4,"chargeId":5,"name":"Visit",
            "amount":150.000000,"amountOrPercentage":150.000000,"dueDate":[2024,2,1]}],
            "graceOnPrincipalPayment":2,"expectedFirstRepaymentOnDate":[2024,2,15]"#,
    );
    let tranche = |day: &str, principal: &str| {
        format!(r#"{{"expectedDisbursementDate":"{day}","principal":{principal}}}"#)
    };
    let data = |tranches: &[String]| format!(r#","disbursementData":[{}]}}"#, tranches.join(","));
    let both = [
        tranche("10 January 2024", "60000.000000"),
        tranche("10 March 2024", "40000.000000"),
    ];
    let moved = [
        tranche("01 February 2024", "60000.000000"),
        tranche("10 March 2024", "40000.000000"),
    ];
    let february = r#""submittedOnDate":"01 February 2024""#;
    for (parts, given, sent) in [
        (
            vec![charges],
            r#""principal":120000"#,
            concat!(
                r#","charges":[{"id":3,"chargeId":1,"amount":2.000000},"#,
                r#"{"id":4,"chargeId":5,"amount":150.000000,"dueDate":"01 February 2024"}],"#,
                r#""graceOnPrincipalPayment":2,"repaymentsStartingFromDate":"15 February 2024"}"#,
            )
            .to_owned(),
        ),
        (
            vec![MULTI, ONE_TRANCHE],
            r#""principal":90000"#,
            data(&[tranche("10 January 2024", "90000")]),
        ),
        (
            vec![MULTI],
            r#""principal":90000"#,
            data(&[tranche("10 January 2024", "90000")]),
        ),
        (
            vec![MULTI, ONE_TRANCHE],
            february,
            data(&[tranche("01 February 2024", "100000.000000")]),
        ),
        (vec![MULTI, TRANCHES], r#""principal":100000"#, data(&both)),
        (
            vec![MULTI, TRANCHES],
            r#""interestRatePerPeriod":9"#,
            data(&both),
        ),
        (vec![MULTI, TRANCHES], february, data(&moved)),
        (vec![TRANCHES], r#""principal":90000"#, "}".to_owned()),
    ] {
        assert_eq!(tail(&parts, given), sent, "{given}");
    }
}

#[test]
fn an_impossible_change_is_refused_unsent() {
    for (parts, given, code) in [
        (vec![], r#""loanTermFrequency":13"#, "term_not_a_multiple"),
        (vec![], r#""numberOfRepayments":24"#, "term_not_a_multiple"),
        (
            vec![MULTI, TRANCHES],
            r#""principal":99999.99"#,
            "tranches_exceed_principal",
        ),
    ] {
        let Plan::Refuse(refusal) = change(&parts, given) else {
            panic!("{given} is sent");
        };
        assert_eq!(refusal.code, code);
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    for (payload, expected) in [
        (
            r#"{"externalId":"LOAN-1"}"#,
            vec!["/data nothing_to_change"],
        ),
        (
            r#"{"externalId":"LOAN-1","principal":0,"interestRatePerPeriod":-1}"#,
            vec![
                "/data/principal zero",
                "/data/interestRatePerPeriod negative",
            ],
        ),
        (
            r#"{"externalId":"LOAN-1","loanTermFrequency":13,"numberOfRepayments":12}"#,
            vec!["/data/loanTermFrequency not_a_multiple"],
        ),
    ] {
        assert_eq!(problems::<LoanUpdate>(payload), expected, "{payload}");
    }
}

#[test]
fn evidence_is_that_every_value_is_stored() {
    let payload = r#"{"externalId":"LOAN-123","principal":100000.00,"loanTermFrequency":12,
        "submittedOnDate":"10 January 2024","interestRatePerPeriod":8}"#;
    let ours = concat!(
        r#"{"officeId":1,"clientId":42,"loanId":9,"resourceId":9,"#,
        r#""resourceExternalId":"LOAN-123"}"#
    );
    for (facts, expected) in [
        (loan(&[]), ours),
        (
            loan(&[("\"numberOfRepayments\":12", "\"numberOfRepayments\":6")]),
            ours,
        ),
        (
            loan(&[("\"termFrequency\":12", "\"termFrequency\":6")]),
            "absent",
        ),
        (loan(&[("8.000000", "8.300000")]), "absent"),
        (
            loan(&[("\"proposedPrincipal\":1", "\"proposedPrincipal\":2")]),
            "absent",
        ),
        (Facts::default(), "cannot tell"),
    ] {
        assert_eq!(
            evidence::<LoanUpdate>(payload, &facts, Case::default()),
            expected
        );
    }
}
