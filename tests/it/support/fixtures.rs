//! Data that many tests use: payloads of callers, ends of operations, and answers of Fineract.

use fineract_gateway::domain::{End, ResourceId};
use serde_json::{Value, json};

use crate::fake_fineract::FakeFineract;

/// An `expires_at` that has passed.
pub(crate) const PAST: &str = "2020-01-01T05:30:00+05:30";
/// An `expires_at` that has not passed.
pub(crate) const FUTURE: &str = "2099-01-01T00:00:00Z";

/// The body of a request: an operation of a type, with its payload.
pub(crate) fn envelope(operation_type: &str, data: Value) -> Value {
    let mut body = json!({ "status": operation_type });
    body["data"] = data;
    body
}

/// A body whose operation expires at this time.
pub(crate) fn expiring(mut body: Value, expires_at: &str) -> Value {
    body["expires_at"] = json!(expires_at);
    body
}

/// The payload of a `CLIENT_CREATE`.
pub(crate) fn client(external_id: &str) -> Value {
    json!({ "firstname": "Jayesh", "lastname": "Badgujar", "externalId": external_id,
            "activationDate": "01 January 2026" })
}

/// The payload of a `CLIENT_UPDATE` that changes the last name.
pub(crate) fn rename(external_id: &str) -> Value {
    json!({ "externalId": external_id, "lastname": "Rao" })
}

/// The payload of a `LOAN_CREATE`: 100,000 from the lender UGRO.
pub(crate) fn loan(external_id: &str, client: &str) -> Value {
    loan_from("UGRO", external_id, client)
}

/// The payload of a `LOAN_CREATE`: 100,000 from this lender.
pub(crate) fn loan_from(lender: &str, external_id: &str, client: &str) -> Value {
    json!({ "lenderConfig": lender, "externalId": external_id, "principal": 100_000,
            "submittedOnDate": "11 January 2026", "loanTermFrequency": 12,
            "numberOfRepayments": 12, "interestRatePerPeriod": 8, "clientId": client })
}

/// The payload of a `LOAN_UPDATE` that changes the principal.
pub(crate) fn principal(external_id: &str, principal: u64) -> Value {
    json!({ "externalId": external_id, "principal": principal })
}

/// The payload of an operation that needs only its loan: `LOAN_DELETE`, `LOAN_UNDO_APPROVAL`, `LOAN_UNDO_DISBURSAL`.
pub(crate) fn of_loan(external_id: &str) -> Value {
    json!({ "external_loan_id": external_id })
}

/// The payload of a `LOAN_APPROVE`.
pub(crate) fn approve(external_id: &str) -> Value {
    json!({ "external_loan_id": external_id, "approvedOnDate": "11 January 2026" })
}

/// The payload of a `LOAN_DISBURSE`.
pub(crate) fn disburse(external_id: &str) -> Value {
    json!({ "external_loan_id": external_id, "actualDisbursementDate": "11 January 2026" })
}

/// The payload of a `LOAN_REPAYMENT`.
pub(crate) fn repayment(external_id: &str, amount: f64) -> Value {
    json!({ "external_loan_id": external_id, "transactionDate": "12 February 2026",
            "transactionAmount": amount })
}

/// The body of a `CLIENT_CREATE`.
pub(crate) fn client_create(external_id: &str) -> Value {
    envelope("CLIENT_CREATE", client(external_id))
}

/// The body of the document's `CLIENT_CREATE`, which has contacts. Fineract accepts each mobile number only once.
pub(crate) fn client_create_with_contacts(external_id: &str) -> Value {
    let mut body = client_create(external_id);
    body["data"]["mobileNo"] = json!("9966999999");
    body["data"]["emailAddress"] = json!("jayesh@example.com");
    body
}

/// The body of a `CLIENT_UPDATE`.
pub(crate) fn client_update(external_id: &str) -> Value {
    envelope("CLIENT_UPDATE", rename(external_id))
}

/// The body of a `LOAN_CREATE`.
pub(crate) fn loan_create(external_id: &str, client: &str) -> Value {
    envelope("LOAN_CREATE", loan(external_id, client))
}

/// The body of a `LOAN_APPROVE`.
pub(crate) fn loan_approve(external_id: &str) -> Value {
    envelope("LOAN_APPROVE", approve(external_id))
}

/// The body of a `LOAN_DISBURSE`.
pub(crate) fn loan_disburse(external_id: &str) -> Value {
    envelope("LOAN_DISBURSE", disburse(external_id))
}

/// A failure that fails the dependents.
pub(crate) fn refused() -> End {
    End::Failed {
        body: None,
        message: "refused".to_owned(),
        code: "test".to_owned(),
        fails_dependents: true,
    }
}

/// A success with an empty answer.
pub(crate) fn done() -> End {
    End::Succeeded {
        body: "{}".to_owned(),
        resource_id: ResourceId::Unchanged,
    }
}

/// Fineract's answer to a command on client 7.
pub(crate) const CLIENT_DONE: &str =
    r#"200 {"officeId":1,"clientId":7,"resourceId":7,"resourceExternalId":"C-1"}"#;
/// The same answer, stored under the command's key.
pub(crate) const CLIENT_DONE_STORED: &str =
    r#"200c {"officeId":1,"clientId":7,"resourceId":7,"resourceExternalId":"C-1"}"#;
/// Fineract's answer to a command on loan 9.
pub(crate) const LOAN_DONE: &str = r#"200 {"officeId":1,"clientId":7,"loanId":9,"resourceId":9}"#;

/// Client 7 as Fineract shows it, with this last name and this JSON object as its `timeline`.
pub(crate) fn shown_client(lastname: &str, timeline: &str) -> String {
    format!(
        r#"200 {{"id":7,"externalId":"C-1","officeId":1,"firstname":"Jayesh","lastname":"{lastname}",
            "activationDate":[2026,1,1],"timeline":{timeline}}}"#
    )
}

/// Makes the fake show client 7, by its external id and by its number.
pub(crate) fn show_client(fake: &FakeFineract, client: &str) {
    for path in ["/clients/external-id/C-1", "/clients/7"] {
        fake.reads(path, client);
    }
}

/// Loan 9 as Fineract shows it, with some parts replaced.
pub(crate) fn shown_loan(parts: &[(&str, &str)]) -> String {
    let loan = r#"200 {"id":9,"externalId":"L-1","status":{"id":100},"clientId":7,"clientOfficeId":1,
        "loanProductId":2,"loanProductName":"UGRO","principal":100000.000000,"approvedPrincipal":100000.000000,
        "proposedPrincipal":100000.000000,"termFrequency":12,"termPeriodFrequencyType":{"id":2},
        "numberOfRepayments":12,"repaymentEvery":1,"interestRatePerPeriod":8.000000,
        "amortizationType":{"id":1},"interestType":{"id":0},"interestCalculationPeriodType":{"id":1},
        "allowPartialPeriodInterestCalculation":false,"disallowExpectedDisbursements":false,
        "multiDisburseLoan":false,"isEqualAmortization":false,
        "transactionProcessingStrategyCode":"mifos-standard-strategy","timeline":{
        "submittedOnDate":[2026,1,11],"submittedByUsername":"gateway"},"disbursementDetails":[],"transactions":[]}"#;
    parts.iter().fold(loan.to_owned(), |loan, (from, to)| {
        assert!(loan.contains(from), "{from}");
        loan.replace(from, to)
    })
}

/// Loan 9 as Fineract shows it after this user has approved it on the day of [`approve`].
pub(crate) fn shown_approved(user: &str) -> String {
    let timeline =
        format!(r#""timeline":{{"approvedOnDate":[2026,1,11],"approvedByUsername":"{user}","#);
    shown_loan(&[
        (r#""status":{"id":100}"#, r#""status":{"id":200}"#),
        (r#""timeline":{"#, &timeline),
    ])
}

/// Makes the fake show loan 9, by its external id and by its number.
pub(crate) fn show_loan(fake: &FakeFineract, loan: &str) {
    fake.reads("/loans/external-id/L-1?", loan);
    fake.reads("/loans/9?", loan);
    fake.reads("/loans/9$", loan);
    fake.reads("/loanproducts/2$", r#"200 {"id":2,"name":"UGRO"}"#);
}
