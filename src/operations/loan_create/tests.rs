use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{Client, Method, Product},
    operations::testing::{
        CLIENT, Case, PRODUCT, body_of, checked, evidence, loan, plan, problems, with,
    },
};

const PAYLOAD: &str = r#"{"lenderConfig":"UGRO","externalId":"LOAN-123","principal":100000,
    "submittedOnDate":"10 January 2024","loanTermFrequency":12,
    "loanTermFrequencyType":"months","numberOfRepayments":12,"interestRatePerPeriod":8,
    "clientId":"INC-1001"}"#;

fn facts(product: &[(&str, &str)]) -> Facts {
    let product = product
        .iter()
        .fold(PRODUCT.to_owned(), |json, (from, to)| with(&json, from, to));
    Facts {
        client: Some(Client::parse(CLIENT).unwrap()),
        product: Some(Product::parse(&product).unwrap()),
        ..Facts::default()
    }
}

#[test]
fn the_body_is_the_recorded_one() {
    for (amount, rate, term, (type_name, type_id)) in [
        ("100000", "8", 12, ("months", 2)),
        ("100000.10", "8.30", 24, ("weeks", 1)),
        ("1e5", "0", 36, ("days", 0)),
    ] {
        let payload = with(PAYLOAD, ":100000", &format!(":{amount}"));
        let payload = with(&payload, ":8", &format!(":{rate}"));
        let payload = with(&payload, "Frequency\":12", &format!("Frequency\":{term}"));
        let payload = with(&payload, "months", type_name);
        let amount = amount.replace("1e5", "100000");
        let sent = plan::<LoanCreate>(&payload, &facts(&[]), Case::default());
        let expected = format!(
            concat!(
                r#"{{"clientId":42,"productId":2,"loanType":"individual","principal":{},"#,
                r#""submittedOnDate":"10 January 2024","expectedDisbursementDate":"10 January 2024","#,
                r#""loanTermFrequency":{},"loanTermFrequencyType":{},"numberOfRepayments":12,"#,
                r#""repaymentEvery":{},"repaymentFrequencyType":{},"interestRatePerPeriod":{},"#,
                r#""interestType":0,"interestCalculationPeriodType":1,"amortizationType":1,"#,
                r#""transactionProcessingStrategyCode":"mifos-standard-strategy","#,
                r#""externalId":"LOAN-123","locale":"en","dateFormat":"dd MMMM yyyy"}}"#,
            ),
            amount,
            term,
            type_id,
            term / 12,
            type_id,
            rate
        );
        assert_eq!(body_of(&sent, Method::Post, "/loans"), expected);
    }
}

/// For each lender: how the recorded product differs from a simple product, and what the body contains because of this
/// difference.
#[test]
fn each_lenders_product_shapes_the_body() {
    let charge = r#""charges":[{"id":1,"name":"Processing fee","amount":2.000000,"chargeTimeType":{"id":1}},
        {"id":8,"name":"Penalty","amount":5.000000,"chargeTimeType":{"id":9}}]"#;
    let tranches = r#""multiDisburseLoan":true,"outstandingLoanBalance":500000.000000"#;
    let multi = r#""multiDisburseLoan":false"#;
    for (lender, product, shown) in [
        ("UGRO", vec![], json!({})),
        ("GB", vec![], json!({})),
        ("IKF", vec![], json!({})),
        (
            "LIQUILOANS",
            vec![(
                multi,
                r#""multiDisburseLoan":false,"minPrincipal":1.000000"#,
            )],
            json!({}),
        ),
        ("SHIVALIK", vec![], json!({})),
        (
            "VIVRITI",
            vec![(r#"PeriodType":{"id":1}"#, r#"PeriodType":{"id":0}"#)],
            json!({"interestCalculationPeriodType": 0}),
        ),
        (
            "DMI",
            vec![
                (r#""charges":[]"#, charge),
                (r#""interestType":{"id":0}"#, r#""interestType":{"id":1}"#),
            ],
            json!({"interestType": 1, "charges": [{"chargeId": 1, "amount": 2.0}]}),
        ),
        (
            "ARTHMATE",
            vec![
                (multi, tranches),
                (r#"Calculation":false"#, r#"Calculation":true"#),
            ],
            json!({
                "allowPartialPeriodInterestCalcualtion": true,
                "disbursementData": [{"expectedDisbursementDate": "10 January 2024", "principal": 100_000}],
                "maxOutstandingLoanBalance": 500_000.0,
            }),
        ),
        (
            "LENDINGKART",
            vec![(
                "mifos-standard-strategy",
                "advanced-payment-allocation-strategy",
            )],
            json!({"transactionProcessingStrategyCode": "advanced-payment-allocation-strategy"}),
        ),
    ] {
        let plain = plan::<LoanCreate>(PAYLOAD, &facts(&[]), Case::default());
        let mut expected: Value =
            serde_json::from_str(&body_of(&plain, Method::Post, "/loans")).unwrap();
        expected
            .as_object_mut()
            .unwrap()
            .extend(shown.as_object().unwrap().clone());
        let payload = with(PAYLOAD, "UGRO", lender);
        let sent = plan::<LoanCreate>(&payload, &facts(&product), Case::default());
        let sent: Value = serde_json::from_str(&body_of(&sent, Method::Post, "/loans")).unwrap();
        assert_eq!(sent, expected, "{lender}");
    }
}

#[test]
fn tranches_that_must_not_be_planned_are_not() {
    let facts = facts(&[
        (
            r#""multiDisburseLoan":false"#,
            r#""multiDisburseLoan":true"#,
        ),
        (r#"Disbursements":false"#, r#"Disbursements":true"#),
    ]);
    let sent = plan::<LoanCreate>(PAYLOAD, &facts, Case::default());
    assert!(!body_of(&sent, Method::Post, "/loans").contains("disbursementData"));
}

#[test]
fn every_problem_is_reported_at_once() {
    let broken = r#"{"lenderConfig":"UGR","externalId":"..","principal":"100000",
        "submittedOnDate":"2024-01-10","loanTermFrequency":12.5,"loanTermFrequencyType":"month",
        "numberOfRepayments":0,"interestRatePerPeriod":8.1234567,"clientId":"INC 1001 "}"#;
    let all = vec![
        "/data/lenderConfig unknown_value",
        "/data/externalId forbidden_character",
        "/data/principal wrong_type",
        "/data/submittedOnDate invalid_date",
        "/data/loanTermFrequency wrong_type",
        "/data/loanTermFrequencyType unknown_value",
        "/data/numberOfRepayments out_of_range",
        "/data/interestRatePerPeriod too_many_decimals",
        "/data/clientId outer_blank",
    ];
    let uneven = with(PAYLOAD, "Repayments\":12", "Repayments\":7");
    for (payload, expected) in [
        (broken, all),
        (&uneven, vec!["/data/loanTermFrequency not_a_multiple"]),
    ] {
        assert_eq!(problems::<LoanCreate>(payload), expected);
    }
}

#[test]
fn it_writes_the_loans_lane_and_reads_the_clients() {
    let checked = checked::<LoanCreate>(PAYLOAD);
    assert_eq!(checked.lanes.writes, Lane::loan("LOAN-123"));
    assert_eq!(checked.lanes.reads, Some(Lane::client("INC-1001")));
    assert_eq!(checked.lender.as_deref(), Some("UGRO"));
}

#[test]
fn evidence_needs_our_values_our_user_and_no_earlier_creator() {
    let ours = concat!(
        r#"{"officeId":1,"clientId":42,"loanId":9,"resourceId":9,"#,
        r#""resourceExternalId":"LOAN-123"}"#
    );
    let stored = |from, to| Facts {
        loan: loan(&[(from, to)]).loan,
        ..facts(&[])
    };
    let earlier = Case {
        known_id: Some(9),
        ..Case::default()
    };
    let before = Case {
        known_id: Some(7),
        ..Case::default()
    };
    for (facts, case, expected) in [
        (facts(&[]), Case::default(), "absent"),
        (stored("", ""), Case::default(), ours),
        (stored("", ""), before, ours),
        (stored(r#""id":100"#, r#""id":200"#), Case::default(), ours),
        (
            stored("", ""),
            earlier,
            "not ours: The loan was created by an earlier operation",
        ),
        (
            stored("mifos\"", "clerk\""),
            Case::default(),
            "not ours: The loan was created by somebody else",
        ),
        (
            stored(r#""clientId":42"#, r#""clientId":43"#),
            Case::default(),
            "cannot tell",
        ),
        (
            stored(r#""loanProductId":2"#, r#""loanProductId":3"#),
            Case::default(),
            "cannot tell",
        ),
        (
            stored(r#""proposedPrincipal":1"#, r#""proposedPrincipal":2"#),
            Case::default(),
            "cannot tell",
        ),
        (
            stored(
                "[2024,1,10],\n    \"submittedBy",
                "[2024,1,11],\"submittedBy",
            ),
            Case::default(),
            "cannot tell",
        ),
        (
            stored(r#""termFrequency":12"#, r#""termFrequency":24"#),
            Case::default(),
            "cannot tell",
        ),
        (
            stored("8.000000", "8.300000"),
            Case::default(),
            "cannot tell",
        ),
    ] {
        assert_eq!(evidence::<LoanCreate>(PAYLOAD, &facts, case), expected);
    }
}
